"""How many wrong tokens an address may try before it has to wait."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from api.http.errors import TooManyRequests

log = logging.getLogger(__name__)
MOST_WRONG = 10
WINDOW_SECONDS = 60
# How many are remembered, so that no client can fill the memory. The oldest is forgotten first.
MOST_ADDRESSES = 10_000
MOST_RIGHT = 1_000


class WrongTokens:
    """The wrong tokens that each address has sent recently. Each process keeps its own, in memory.

    A wrong token counts once, however often it is sent. A program that keeps using a revoked token
    guesses nothing, and must not lock out others at its address. For the same reason, a token that
    was right before still passes while its address has to wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # endpoints run in threads
        self._wrong: OrderedDict[str, dict[bytes, float]] = OrderedDict()  # by address: when each token was first sent
        self._right: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, token: str) -> None:
        """Check whether the token may be looked up.

        Raises:
            TooManyRequests: the address has sent too many wrong tokens. Says how long to wait.
        """
        with self._lock:
            if _hash(token) in self._right:
                return
            recent = self._recent(_key(address))
            if len(recent) < MOST_WRONG:
                return
            wait = math.ceil(min(recent.values()) + WINDOW_SECONDS - self._clock())
        raise TooManyRequests(f"Too many wrong tokens came from this address; try again in {wait} s.", wait)

    def note_wrong(self, address: str, token: str) -> None:
        """Remember that the token was wrong."""
        key, hashed = _key(address), _hash(token)
        with self._lock:
            self._right.pop(hashed, None)
            recent = self._recent(key)
            recent.setdefault(hashed, self._clock())
            self._wrong[key] = recent
            while len(self._wrong) > MOST_ADDRESSES:
                self._wrong.popitem(last=False)
            count = len(recent)
        if count == MOST_WRONG:
            log.warning("%d wrong tokens came from %s within %d s", count, key, WINDOW_SECONDS)

    def note_right(self, token: str) -> None:
        """Remember that the token was right."""
        hashed = _hash(token)
        with self._lock:
            self._right[hashed] = None
            self._right.move_to_end(hashed)
            while len(self._right) > MOST_RIGHT:
                self._right.popitem(last=False)

    def _recent(self, key: str) -> dict[bytes, float]:
        since = self._clock() - WINDOW_SECONDS
        return {hashed: first for hashed, first in self._wrong.get(key, {}).items() if first > since}


def _key(address: str) -> str:
    """The address. For IPv6 it is the /64 network, which usually belongs to one customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # X-Forwarded-For may hold anything
        return ascii(address[:64])
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped is not None:
        return str(getattr(parsed, "ipv4_mapped", None) or parsed)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
