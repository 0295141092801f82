"""/api/session: signing a browser in to a server with an API key, and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.exceptions import HTTPException

from trackai.api.requests import parse_body
from trackai.api.responses import JSONResponse
from trackai.api.sessions import SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.api.sessions import Sessions


class SignIn(msgspec.Struct):
    """The API key, or the code in the sign-in link that `trackai serve` prints."""

    key: Annotated[str, msgspec.Meta(max_length=4096)]


class Session(msgspec.Struct):
    """Whether the browser has a session; a server without an API key has no sessions."""

    signed_in: bool


async def sign_in(request: Request) -> JSONResponse:
    """Sign in with the API key or a one-time code; sets a session cookie."""
    credentials = await parse_body(request, SignIn)
    sessions: Sessions | None = request.app.state.sessions
    if sessions is None:
        return JSONResponse(Session(signed_in=False))
    if not sessions.check(credentials.key):
        raise HTTPException(401, "invalid API key or sign-in code", {"WWW-Authenticate": "Bearer"})
    response = JSONResponse(Session(signed_in=True))
    _set_cookie(request, response, sessions.cookie, sessions.create(), SECONDS)
    return response


async def sign_out(request: Request) -> JSONResponse:
    """Sign out: delete the session cookie."""
    sessions: Sessions | None = request.app.state.sessions
    response = JSONResponse(Session(signed_in=False))
    if sessions is not None:
        _set_cookie(request, response, sessions.cookie, "", 0)
    return response


def _set_cookie(
    request: Request, response: JSONResponse, name: str, value: str, seconds: int
) -> None:
    # The server itself does not use TLS. Behind a proxy that does, the page's origin shows it.
    secure = request.headers.get("origin", "").lower().startswith("https://")
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
    )
