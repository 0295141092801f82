"""Slow down guessing of the API key.

An address may try a few wrong keys at once, and then a few each second: further attempts wait for
their turn before they are checked. Right keys wait as well: otherwise, having to wait would tell
that a guess is wrong. No address is locked out, and browsers with a session never wait. A wrong key
that is repeated is refused at once, so a client with an outdated key does not delay others.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Scope

# Wrong keys that an address may try at once, and the interval between later ones in seconds.
BURST = 10
INTERVAL = 0.2
# An attempt that would have to wait for longer is refused.
MAX_WAIT = 10.0
TOO_MANY_ATTEMPTS = "too many wrong API keys from this address; try again later"
_MAX_ADDRESSES = 1024
_REMEMBERED = 16


class TooManyAttemptsError(Exception):
    """Too many attempts of the address are waiting."""


class _Address:
    """The attempts of an address.

    Attributes:
        free_at: when all of its burst is available again.
        wrong: digests of its latest wrong keys.
    """

    def __init__(self) -> None:
        self.free_at = 0.0
        self.wrong: deque[bytes] = deque(maxlen=_REMEMBERED)


class KeyAttempts:
    """The latest attempts of all addresses with wrong keys."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    async def check(
        self,
        address: str,
        secret: bytes,
        is_right: Callable[[bytes], bool],
        *,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        """Check a key, after waiting if the address has tried many wrong ones.

        Args:
            address: where the key comes from, see `client_address`.
            is_right: compares the key in constant time, or looks up its hash.
            refresh: reads the keys again, as the key may be a new one. It is called only when it
                is the turn of the attempt.

        Raises:
            TooManyAttemptsError: the key was not checked.
        """
        attempts = self._addresses.get(address)
        if attempts is None and is_right(secret):
            return True
        attempts = attempts or self._add(address)
        digest = hashlib.sha256(secret).digest()
        if digest in attempts.wrong:
            return is_right(secret)  # such as a key that a restored backup has brought back
        wait = attempts.free_at - BURST * INTERVAL - time.monotonic()
        if wait > MAX_WAIT:
            raise TooManyAttemptsError
        # Reserved before waiting, so that parallel attempts wait one after the other.
        attempts.free_at = max(attempts.free_at, time.monotonic()) + INTERVAL
        self._addresses.move_to_end(address)  # the one to forget last
        if wait > 0:
            await anyio.sleep(wait)
        is_accepted = is_right(secret)
        if not is_accepted and refresh is not None:
            await refresh()
            is_accepted = is_right(secret)
        if is_accepted:
            attempts.free_at -= INTERVAL
            return True
        attempts.wrong.append(digest)
        return False

    def _add(self, address: str) -> _Address:
        now = time.monotonic()
        while self._addresses and (
            len(self._addresses) >= _MAX_ADDRESSES
            or next(iter(self._addresses.values())).free_at < now
        ):
            self._addresses.popitem(last=False)
        return self._addresses.setdefault(address, _Address())


def client_address(scope: Scope) -> str:
    """The address that a request comes from; of IPv6, the network of the client.

    The server trusts the last address of X-Forwarded-For if the request comes from this machine:
    there a proxy adds the address of its client.
    """
    client = scope.get("client")
    address = _parse(str(client[0])) if client else None
    if address is None or address.is_loopback:
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded = value.decode("latin-1").rpartition(",")[2].strip()
                address = _parse(forwarded) or address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
