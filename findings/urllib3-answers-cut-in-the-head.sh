#!/usr/bin/env bash
# urllib3 returns an answer whose head was cut as a complete one, with fewer headers and no body.
#
# Guess: an answer that ends before its head does is an error, as one that ends within its body is.
# Seen with urllib3 2.8.0, and with requests 2.34.2 on it: an answer that ends after its status line
# or after any of its headers has the status 200 and an empty body; one that ends within a header
# too, and a warning with a traceback is logged then. Only an answer that ends within its body raises
# IncompleteRead. http.client reads the head up to a blank line or the end of the connection.
# httpx 0.28.1 raises RemoteProtocolError in all these cases.
#
# A client that takes the status 200 for success loses what it has sent through a proxy that is
# restarted, if its server never got it. An answer with an empty body is only complete if it has a
# Content-Length, or is chunked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    urllib3==2.8.0 requests==2.34.2 httpx==0.28.1
"$folder/env/bin/python" - <<'PYTHON'
import logging
import socket
import threading

import httpx
import requests
import urllib3

logging.getLogger("urllib3").setLevel(logging.ERROR)
ANSWER = b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 8\r\n\r\n{\"id\":1}"


def get(length, client):
    """What a client makes of the first bytes of an answer: its status and body, or an error."""

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(ANSWER[:length])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return client(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        except Exception as error:
            return type(error).__name__
        finally:
            thread.join()


def of_urllib3(url):
    answer = urllib3.request("GET", url, retries=False)
    return answer.status, answer.data


def of_requests(url):
    answer = requests.get(url)
    return answer.status_code, answer.content


def of_httpx(url):
    answer = httpx.get(url)
    return answer.status_code, answer.content


whole = len(ANSWER)
for length, place in (
    (len(b"HTTP/1.1 200 OK\r\n"), "after the status line"),
    (len(b"HTTP/1.1 200 OK\r\nserver: x\r\n"), "after a header"),
    (len(b"HTTP/1.1 200 OK\r\nser"), "within a header"),
):
    assert get(length, of_urllib3) == (200, b""), (place, get(length, of_urllib3))
    assert get(length, of_requests) == (200, b""), (place, get(length, of_requests))
    assert get(length, of_httpx) == "RemoteProtocolError", (place, get(length, of_httpx))
    print(f"cut {place}: urllib3 and requests return 200 with an empty body, httpx raises")
assert get(whole - 1, of_urllib3) == "ProtocolError", get(whole - 1, of_urllib3)
assert get(whole, of_urllib3) == get(whole, of_httpx) == (200, b'{"id":1}')
print("cut within the body: urllib3 raises")
PYTHON
