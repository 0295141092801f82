"""A server of this process, in a thread of its own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from trackai.api import timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp


@contextmanager
def serving_in_thread(app: ASGIApp, **options: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    """Serve an application with the protocol of `trackai serve`; the server and its port."""
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, http=timeouts.TimeoutProtocol, log_level="warning", ws="none", **options
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server, int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
