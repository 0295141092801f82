"""What a request says, checked: path, query and body as typed values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from trackai.api.responses import BodyTooLargeError
from trackai.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from trackai.store.engine.database import Database

T = TypeVar("T")

MAX_ID = (1 << 63) - 1
MAX_BODY = 8 * 1024 * 1024
MAX_PAGE = 1_000_000

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
RowId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
Cursor = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


def database(request: Request) -> Database:
    """The database of the application."""
    db: Database = request.state.db
    return db


def path_id(request: Request, name: str) -> int:
    """A row id from the path.

    Raises:
        InvalidInputError: it is no integer.
        NotFoundError: no row can have it.
    """
    text = request.path_params[name]
    try:
        # int() would also take "1_000" and digits of other scripts.
        number = int(text) if re.fullmatch("[+-]?[0-9]+", text) else None
    except ValueError:  # thousands of digits
        number = MAX_ID + 1
    if number is None:
        raise InvalidInputError(name, f"an integer is needed, not {text[:40]!r}")
    if not 0 < number <= MAX_ID:
        raise NotFoundError(f"there is no {name.removesuffix('_id')} with the id {text[:40]}")
    return number


def query(request: Request, type_: type[T]) -> T:
    """The query parameters; those that `type_` does not have are ignored, as are empty ones.

    Raises:
        InvalidInputError: one does not validate; it is named.
    """
    given = {name: value for name, value in request.query_params.items() if value != ""}
    found = convert(lambda: msgspec.convert(given, type_, strict=False))
    for name in given:
        value = getattr(found, name, None)
        if isinstance(value, float) and value != value:
            raise InvalidInputError(name, "it is not a number")
    return found


async def body(request: Request, type_: type[T]) -> T:
    """The JSON body.

    Raises:
        InvalidInputError: it does not validate; the field is named.
        HTTPException: it is too large (413) or of another type (415).
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    data = await whole_body(request)
    return convert(lambda: msgspec.json.decode(data, type=type_))


async def whole_body(request: Request, arrived: Callable[[int], None] = lambda size: None) -> bytes:
    """The bytes of the body.

    Args:
        arrived: called with the size of each piece; what it raises ends the reading.

    Raises:
        BodyTooLargeError: there are more than `MAX_BODY`.
    """
    # Starlette's own limit answers in plain text.
    if int(request.headers.get("content-length", 0)) > MAX_BODY:
        raise BodyTooLargeError(MAX_BODY)
    data = bytearray()
    is_coming = True
    while is_coming:  # Starlette's stream() costs twice as much as all of this
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        arrived(len(piece))
        data += piece
        if len(data) > MAX_BODY:
            raise BodyTooLargeError(MAX_BODY)
        is_coming = message.get("more_body", False)
    return bytes(data)


def convert(decode: Callable[[], T]) -> T:
    """What `decode` returns.

    Raises:
        InvalidInputError: it does not validate; the field is named.
    """
    try:
        return decode()
    except msgspec.ValidationError as error:
        # "Expected `int`, got `str` - at `$.limit`", "... - at `key` in `$.values`"
        problem, _, where = str(error).partition(" - at ")
        field = where.removeprefix("`key` in ").strip("`").removeprefix("$").removeprefix(".")
        missing = re.fullmatch("Object missing required field `(.+)`", problem)
        if missing is not None:
            field, problem = f"{field}.{missing[1]}".removeprefix("."), "it is missing"
        raise InvalidInputError(field or "body", problem) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError("body", str(error)) from None
    except RecursionError:
        raise InvalidInputError("body", "it is nested too deeply") from None
