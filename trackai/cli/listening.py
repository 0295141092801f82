"""The sockets that `trackai serve` listens on."""

from __future__ import annotations

import errno
import socket
import sys

from trackai.api.security import is_loopback
from trackai.errors import InvalidInputError, TrackAIError

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
# What binding to an address of another machine, or of a family that is switched off, ends with.
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL})
_FIRST_FREE_PORT = 1024
_MAX_SHOWN = 80
# Attempts to find a port that is free on all addresses of a name.
_TRIES = 10


class Listener:
    """Sockets bound to all addresses of a host; connections are refused until `start`.

    Args:
        host: an address of this machine, or a name of it; an IPv6 address also in brackets.
        port: a TCP port; 0 picks a free one.
        field: what errors call the host.

    Attributes:
        sockets: one for each address.
        port: their port.

    Raises:
        InvalidInputError: the host is not an address of this machine.
        TrackAIError: the port cannot be used.
    """

    def __init__(self, host: str, port: int, *, field: str) -> None:
        self._host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        self._field = field
        self.port = port
        addresses = self._resolve()
        for attempt in range(1, _TRIES + 1):
            try:
                self.sockets = self._bind(addresses)
                break
            except OSError as error:
                is_taken = port == 0 and error.errno == errno.EADDRINUSE
                if not is_taken or attempt == _TRIES:
                    raise self._problem(error) from error
        self.port = self._bound[0][1]

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return all(is_loopback(address) for address, _ in self._bound)

    @property
    def host(self) -> str:
        """The host of an address that the server accepts in requests."""
        address, _ = self._bound[0]
        is_name = self._host == "localhost" or not (self.is_local or address in _ANY)
        return self._host if is_name else address

    def start(self) -> None:
        """Accept connections.

        Raises:
            TrackAIError: another program has begun to listen on the port.
        """
        try:
            for listener in self.sockets:
                listener.listen(2048)
        except OSError as error:
            raise self._problem(error) from error

    def close(self) -> None:
        """Close the sockets."""
        for listener in self.sockets:
            listener.close()

    @property
    def _bound(self) -> list[tuple[str, int]]:
        return [listener.getsockname()[:2] for listener in self.sockets]

    def _resolve(self) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
        try:
            found = socket.getaddrinfo(
                self._host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except (OSError, UnicodeError) as error:
            raise self._unknown_host(error) from None
        return list(dict.fromkeys((family, address) for family, _, _, _, address in found))

    def _bind(
        self, addresses: list[tuple[socket.AddressFamily, tuple[object, ...]]]
    ) -> list[socket.socket]:
        """Bind to those addresses that this machine has.

        Raises:
            OSError: it has none of them, or the port cannot be used.
        """
        bound: list[socket.socket] = []
        port, missing = self.port, None
        for family, (address, _, *rest) in addresses:
            try:
                listener = _bound_socket(family, (address, port, *rest))
            except OSError as error:
                if error.errno in _NOT_HERE:  # as `localhost` is ::1 too, without IPv6
                    missing = error
                    continue
                for each in bound:
                    each.close()
                raise
            bound.append(listener)
            port = listener.getsockname()[1]
        if not bound:
            assert missing is not None  # noqa: S101 - a name has an address
            raise missing
        return bound

    def _problem(self, error: OSError) -> TrackAIError:
        if error.errno in _NOT_HERE:
            return self._unknown_host(error)
        host = f"[{self._host}]" if ":" in self._host else self._host
        advice = "choose another port with --port, or stop the program that uses this one"
        if error.errno == errno.EACCES and 0 < self.port < _FIRST_FREE_PORT:
            advice = f"choose a port of {_FIRST_FREE_PORT} or above with --port"
        return TrackAIError(f"cannot listen on {host}:{self.port} ({_reason(error)}): {advice}")

    def _unknown_host(self, error: OSError | UnicodeError) -> InvalidInputError:
        return InvalidInputError(
            self._field,
            f"must be an address or a name of this machine, without a port, got "
            f"{self._host[:_MAX_SHOWN]!r} ({_reason(error)})",
        )


def _bound_socket(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    # asyncio sends small parts of a response at once only if the protocol is named: it would wait
    # for the client's acknowledgements otherwise, 40 ms each.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Like uvicorn: the port of a server that has just stopped can be reused at once.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _reason(error: OSError | UnicodeError) -> str:
    """What went wrong, as in `Address already in use`."""
    return "not a valid name" if isinstance(error, UnicodeError) else error.strerror or str(error)
