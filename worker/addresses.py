"""Addresses and ports of this machine. Names are not used: a machine may not know its own."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import sys
from contextlib import suppress
from urllib.parse import urlsplit

from store.settings import get_settings

LOOPBACK = "127.0.0.1"
_SIOCGIFADDR = 0x8915


def own_address() -> str:
    """The address at which other workers reach this machine.

    It is COLT_WORKER_ADDRESS, or that of the route to the database or the broker. If both are on
    this machine, so are all workers.
    """
    settings = get_settings()
    if settings.worker_address:
        return settings.worker_address
    for url in (settings.database_url, settings.broker_url):
        with suppress(OSError, ValueError):
            if host := urlsplit(url.get_secret_value()).hostname:
                return address_towards(host)
    return LOOPBACK


def address_towards(host: str) -> str:
    """This machine's address on the route to a host. Nothing is sent.

    Raises:
        OSError: if there is no route, or the name is not known.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


def interface_towards(host: str) -> str | None:
    """The network interface on the route to a host; None if it is not known.

    Raises:
        OSError: if there is no route.
    """
    if sys.platform != "linux":
        return None
    own = address_towards(host)
    if ipaddress.ip_address(own).is_loopback:
        return "lo"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has no such address
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == own:
                    return name
    return None


def free_port() -> int:
    """A TCP port that nobody listens on now. Another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether this process could listen on a TCP port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError:
            return False
        return True
