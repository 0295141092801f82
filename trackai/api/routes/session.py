"""/api/session: how a browser signs in to a server that has a key, and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.exceptions import HTTPException

from trackai.api.requests import body
from trackai.api.responses import JSONResponse
from trackai.api.sessions import SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.api.sessions import Sessions


class SignIn(msgspec.Struct):
    """The key, or the code from the link that the server has printed."""

    key: Annotated[str, msgspec.Meta(max_length=4096)]


class Session(msgspec.Struct):
    """Whether the browser has a session now; a server without a key has none."""

    signed_in: bool


async def sign_in(request: Request) -> JSONResponse:
    """Sign in: the key for a cookie, which stands for it from then on."""
    given = await body(request, SignIn)
    sessions: Sessions | None = request.app.state.sessions
    if sessions is None:
        return JSONResponse(Session(signed_in=False))
    if not sessions.may_begin(given.key):
        raise HTTPException(
            401, "that is not the key of this server", {"WWW-Authenticate": "Bearer"}
        )
    answer = JSONResponse(Session(signed_in=True))
    _set_cookie(request, answer, sessions.cookie, sessions.begin(), SECONDS)
    return answer


async def sign_out(request: Request) -> JSONResponse:
    """Sign out: the browser forgets its session."""
    sessions: Sessions | None = request.app.state.sessions
    answer = JSONResponse(Session(signed_in=False))
    if sessions is not None:
        _set_cookie(request, answer, sessions.cookie, "", 0)
    return answer


def _set_cookie(
    request: Request, answer: JSONResponse, name: str, value: str, seconds: int
) -> None:
    # Behind a proxy that speaks TLS the page's origin says so; this server itself speaks none.
    secure = request.headers.get("origin", "").lower().startswith("https://")
    answer.set_cookie(
        name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
    )
