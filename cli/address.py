"""The address of the service."""

from __future__ import annotations

import ipaddress

from store.settings import Settings


def service_url(settings: Settings) -> str:
    """The URL at which a client on this machine reaches the API."""
    host = settings.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{settings.port}{settings.root_path}"
    if address.is_unspecified:
        host = "127.0.0.1"
    elif address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{settings.port}{settings.root_path}"
