"""/api/session: signing a browser in to a server with an API key, and out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.exceptions import HTTPException

from trackai.api.key_attempts import (
    TOO_MANY_ATTEMPTS,
    KeyAttempts,
    TooManyAttemptsError,
    client_address,
)
from trackai.api.requests import database, parse_body
from trackai.api.responses import JSONResponse
from trackai.api.sessions import SECONDS
from trackai.errors import StoreError
from trackai.store.catalogue import ended_sessions
from trackai.values.logger import logger

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.api.sessions import BrowserSession, Sessions
    from trackai.store.engine.database import Database


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
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
    attempts: KeyAttempts = request.app.state.attempts
    secret = credentials.key.encode("utf-8", "surrogatepass")
    try:
        is_right = await attempts.check(client_address(request.scope), secret, sessions.check)
    except TooManyAttemptsError:
        raise HTTPException(429, TOO_MANY_ATTEMPTS, {"Retry-After": "1"}) from None
    if not is_right:
        raise HTTPException(401, "invalid API key or sign-in code", {"WWW-Authenticate": "Bearer"})
    response = JSONResponse(Session(signed_in=True))
    _set_cookie(request, response, sessions.cookie, sessions.create(), SECONDS)
    return response


async def sign_out(request: Request) -> JSONResponse:
    """Sign out: end the session of the browser, and delete its cookie."""
    sessions: Sessions | None = request.app.state.sessions
    response = JSONResponse(Session(signed_in=False))
    if sessions is not None:
        session = sessions.find(request.cookies.get(sessions.cookie, ""))
        if session is not None:
            sessions.end(session)
            await _remember_end(database(request), session)
        _set_cookie(request, response, sessions.cookie, "", 0)
    return response


async def _remember_end(db: Database, session: BrowserSession) -> None:
    """Store the end of a session, so that it does not come back with a restart of the server."""
    try:
        async with db.write() as conn:
            await ended_sessions.add(
                conn, session.id, expires=session.expires, now=int(time.time())
            )
    except StoreError as error:
        logger.warning("a session has ended, but only until the server restarts: %s", error)


def _set_cookie(
    request: Request, response: JSONResponse, name: str, value: str, seconds: int
) -> None:
    # The server itself does not use TLS. Behind a proxy that does, the page's origin shows it.
    secure = request.headers.get("origin", "").lower().startswith("https://")
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
    )
