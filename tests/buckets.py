"""A server that speaks S3, in a process of its own: moto's."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Any will do.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}


class S3Server(NamedTuple):
    """A server with buckets."""

    process: subprocess.Popen[str]
    endpoint: str

    def new_bucket(self) -> str:
        """The URL of a prefix in a new bucket."""
        name = f"bucket-{uuid.uuid4().hex}"
        request = urllib.request.Request(
            f"{self.endpoint}/{name}", data=b"", method="PUT", headers={"Content-Type": "a/b"}
        )
        urllib.request.urlopen(request, timeout=30).close()
        return f"s3://{name}/some/prefix?endpoint={self.endpoint}"


@contextmanager
def serving_s3() -> Iterator[S3Server]:
    """Run the server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield S3Server(process, f"http://127.0.0.1:{port}")
        finally:
            process.kill()
