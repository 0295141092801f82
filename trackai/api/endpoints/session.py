"""/api/session: signing a browser in to a server with an API key, and out."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.exceptions import HTTPException

from trackai.api.key_attempts import (
    TOO_MANY_ATTEMPTS,
    KeyAttempts,
    TooManyAttemptsError,
    client_address,
)
from trackai.api.requests import database, grant, parse_body
from trackai.api.responses import JSONResponse
from trackai.api.security import SESSION
from trackai.api.sessions import SECONDS
from trackai.errors import PermissionDeniedError, StoreError
from trackai.store.catalogue import ended_sessions
from trackai.store.catalogue.keys import Grant, Scope
from trackai.values.logger import logger

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.api.keyring import Keyring
    from trackai.api.sessions import BrowserSession, Sessions
    from trackai.store.engine.store import Store


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The API key, or the code in the sign-in link that `trackai serve` prints."""

    key: Annotated[str, msgspec.Meta(max_length=4096)]


class Session(msgspec.Struct):
    """Whether the browser has a session, and the scope of its key.

    Without a key, anybody may do everything, and there are no sessions.
    """

    signed_in: bool
    scope: Scope | None


async def get_session(request: Request) -> JSONResponse:
    """Get the scope of the key that the browser has signed in with."""
    return JSONResponse(Session(SESSION in request.scope, grant(request).scope))


async def sign_in(request: Request) -> JSONResponse:
    """Sign in with an API key or a one-time code; sets a session cookie."""
    credentials = await parse_body(request, SignIn)
    keyring: Keyring = request.app.state.keyring
    if not keyring.is_protected:
        return JSONResponse(Session(signed_in=False, scope="admin"))
    secret = credentials.key.encode("utf-8", "surrogatepass")
    granted = await _find_grant(request, keyring, secret)
    if granted is None:
        raise HTTPException(401, "invalid API key or sign-in code", {"WWW-Authenticate": "Bearer"})
    if granted.scope == "write":
        raise PermissionDeniedError("this key has the scope write: signing in needs read or admin")
    response = JSONResponse(Session(signed_in=True, scope=granted.scope))
    sessions: Sessions = request.app.state.sessions
    _set_cookie(request, response, sessions.cookie, sessions.create(granted.fingerprint), SECONDS)
    return response


async def _find_grant(request: Request, keyring: Keyring, secret: bytes) -> Grant | None:
    """What a key or a code allows, after waiting if the address has tried many wrong ones."""
    attempts: KeyAttempts = request.app.state.attempts
    sessions: Sessions = request.app.state.sessions
    granted: Grant | None = None
    code: BrowserSession | None = None

    def is_right(secret: bytes) -> bool:
        nonlocal granted, code
        granted = keyring.find(secret)
        if granted is None:
            code = sessions.find_code(secret)
        return granted is not None or code is not None

    try:
        await attempts.check(
            client_address(request.scope),
            secret,
            is_right,
            refresh=lambda: keyring.refresh_now(database(request)),
        )
    except TooManyAttemptsError:
        raise HTTPException(429, TOO_MANY_ATTEMPTS, {"Retry-After": "1"}) from None
    if code is not None and await _use_up(database(request), sessions, code):
        return Grant("admin")
    return granted


async def _use_up(db: Store, sessions: Sessions, code: BrowserSession) -> bool:
    """Use up a code at all servers of the database; False if it was used before.

    Raises:
        StoreError: another server may accept the code, and cannot be told.
    """
    try:
        is_first = await db.change(
            partial(
                ended_sessions.add,
                session_id=code.id,
                expires=code.expires,
                now=int(time.time()),
            )
        )
    except StoreError as error:
        if db.spool is None and not db.is_read_only:
            raise
        logger.warning("a sign-in code is used up, but only until the server restarts: %s", error)
        is_first = sessions.is_valid(code)
    sessions.end(code)
    return is_first


async def sign_out(request: Request) -> JSONResponse:
    """Sign out: end the session of the browser, and delete its cookie."""
    keyring: Keyring = request.app.state.keyring
    response = JSONResponse(Session(signed_in=False, scope=None))
    if keyring.is_protected:
        sessions: Sessions = request.app.state.sessions
        session = sessions.find(request.cookies.get(sessions.cookie, ""))
        if session is not None:
            sessions.end(session)
            await _remember_end(database(request), session)
        _set_cookie(request, response, sessions.cookie, "", 0)
    return response


async def _remember_end(db: Store, session: BrowserSession) -> None:
    """Store the end of a session, so that it does not come back with a restart of the server."""
    try:
        await db.change(
            partial(
                ended_sessions.add,
                session_id=session.id,
                expires=session.expires,
                now=int(time.time()),
            )
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
