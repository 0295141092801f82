"""A proxy between clients and a server that does to requests what networks do.

It cuts connections at random bytes, delays, sends requests twice, answers 502 instead of the server
or after it, and accepts requests that it never answers. What happens to the n-th request depends on
the seed and n alone.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from anyio.from_thread import start_blocking_portal

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Coroutine, Iterator

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbad\n"


class Message(NamedTuple):
    """A request or an answer: the head up to the blank line, and the body."""

    head: bytes
    body: bytes


class Faults(NamedTuple):
    """The probability of each fault of a request; most pass, after a delay or without.

    Attributes:
        twice: the server gets the whole request twice, and the client the second answer.
        cut_request: the server gets a part of the request.
        cut_answer: the client gets a part of the answer to a request that was carried out.
        refused: 502, and the server gets nothing.
        lost_answer: 502, though the request was carried out.
        hang: nothing happens for a while, and then the connection ends.
        delay: the request arrives later, up to `DELAY_SECONDS`.
    """

    twice: float = 0.1
    cut_request: float = 0.03
    cut_answer: float = 0.03
    refused: float = 0.02
    lost_answer: float = 0.02
    hang: float = 0.005
    delay: float = 0.1


DELAY_SECONDS = 0.05
HANG_SECONDS = 1.0


class FaultyProxy:
    """Passes HTTP requests on to a server at a port of this machine.

    Attributes:
        port: where it listens.
        server_port: where the server listens; it may be down, or change.
        counts: how often each fault happened, and "passed".
    """

    def __init__(self, server_port: int, seed: int, faults: Faults) -> None:
        self.server_port = server_port
        self.port = 0
        self.counts: Counter[str] = Counter()
        self._seed = seed
        self._faults = faults
        self._requests = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Begin to accept connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._pass_on(await _read(reader), writer):
                    pass
        finally:
            self._tasks.remove(task)
            writer.close()

    async def _pass_on(self, request: Message, client: StreamWriter) -> bool:
        """Do with a request what the seed says; False if the connection is to end."""
        self._requests += 1
        rng = random.Random(f"{self._seed} {self._requests}")
        fault = self._choose(rng)
        self.counts[fault] += 1
        handlers: dict[str, Callable[..., Coroutine[None, None, bool]]] = {
            "cut_request": self._cut_request,
            "cut_answer": self._cut_answer,
            "lost_answer": self._lose_answer,
        }
        if fault == "hang":
            await asyncio.sleep(HANG_SECONDS)
            return False
        if fault == "refused":
            return await _answer(client, _BAD_GATEWAY)
        if fault == "delay":
            await asyncio.sleep(rng.random() * DELAY_SECONDS)
        try:
            if fault in handlers:
                return await handlers[fault](request, client, rng)
            if fault == "twice":
                await self._ask(request)
            answer = await self._ask(request)
        except (OSError, asyncio.IncompleteReadError):  # the server is down, or was killed
            self.counts["server down"] += 1
            return await _answer(client, _BAD_GATEWAY)
        client.write(answer.head + answer.body)
        await client.drain()
        return True

    def _choose(self, rng: random.Random) -> str:
        point = rng.random()
        for fault, probability in self._faults._asdict().items():
            point -= probability
            if point < 0:
                return str(fault)
        return "passed"

    async def _cut_request(
        self, request: Message, client: StreamWriter, rng: random.Random
    ) -> bool:
        data = request.head + request.body
        _, server = await asyncio.open_connection("127.0.0.1", self.server_port)
        server.write(data[: rng.randrange(len(data))])
        await server.drain()
        server.close()
        return False

    async def _cut_answer(self, request: Message, client: StreamWriter, rng: random.Random) -> bool:
        answer = await self._ask(request)
        data = answer.head + answer.body
        return await _answer(client, data[: rng.randrange(len(data))])

    async def _lose_answer(
        self, request: Message, client: StreamWriter, rng: random.Random
    ) -> bool:
        await self._ask(request)
        return await _answer(client, _BAD_GATEWAY)

    async def _ask(self, request: Message) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port, limit=1 << 20)
        try:
            writer.write(request.head + request.body)
            await writer.drain()
            return await _read(reader)
        finally:
            writer.close()


async def _answer(client: StreamWriter, data: bytes) -> bool:
    client.write(data)
    await client.drain()
    return False


async def _read(reader: StreamReader) -> Message:
    """Read a message whose length its head tells."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if any(line.startswith(b"transfer-encoding:") for line in lines):
        raise NotImplementedError("this proxy passes on messages that tell their length")
    lengths = [line for line in lines if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    return Message(head, await reader.readexactly(length))


@contextmanager
def faulty_proxy(
    server_port: int, seed: int, faults: Faults | None = None
) -> Iterator[FaultyProxy]:
    """Run a proxy in a thread."""
    proxy = FaultyProxy(server_port, seed, faults or Faults())
    with start_blocking_portal() as portal:
        portal.call(proxy.listen)
        try:
            yield proxy
        finally:
            portal.call(proxy.close)
