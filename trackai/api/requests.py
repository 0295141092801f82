"""Path, query and body of a request as validated, typed values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from trackai.api.responses import BodyTooLargeError
from trackai.api.security import GRANT
from trackai.errors import InvalidInputError, NotFoundError
from trackai.filters.parser import parse_fields, parse_filter
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import projects, run_tables, runs
from trackai.store.catalogue.keys import Grant
from trackai.values import names
from trackai.values.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from trackai.filters.tree import Field
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MAX_ID = (1 << 63) - 1
MAX_BODY = 8 * 1024 * 1024
MAX_PAGE = 1_000_000
MAX_COMPARED = 1000
# Fields to group runs by.
MAX_KEYS = 4

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
RowId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
# What SQLite stores as an integer.
RowNumber = Annotated[int, msgspec.Meta(ge=-MAX_ID - 1, le=MAX_ID)]
RowIds = Annotated[list[RowId], msgspec.Meta(min_length=1, max_length=10_000)]
# Unknown ids are left out, so these may be any integers.
ComparedIds = Annotated[list[int], msgspec.Meta(max_length=MAX_COMPARED)]
SelectedIds = Annotated[list[RowId], msgspec.Meta(max_length=1000)]
Cursor = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
# Their texts are checked by `check_names`, with the same rules and words as everywhere.
Name = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": names.MAX_NAME})]
Identifier = Annotated[
    str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": names.MAX_IDENTIFIER})
]
Tags = Annotated[list[Identifier], msgspec.Meta(max_length=100)]


class Selection(msgspec.Struct, forbid_unknown_fields=True):
    """The runs that match a filter, of one project or of all; or all runs of a project.

    The runs of `include` need not match; those of `exclude` are left out. `archived` adds archived
    runs, and `trashed` chooses among those in the trash.
    """

    project_id: RowId | None = None
    filter: str | None = None
    include: SelectedIds = []
    exclude: SelectedIds = []
    archived: bool = False
    trashed: bool = False

    def __post_init__(self) -> None:
        if self.project_id is None and not self.filter:
            raise InvalidInputError("select", "requires project_id or filter")

    def where(self) -> run_tables.RunFilter:
        """The conditions on the runs.

        Raises:
            InvalidInputError: the filter is invalid.
        """
        tree = None if not self.filter else parse_filter(self.filter)
        return run_tables.RunFilter(
            project_id=self.project_id,
            tree=tree,
            include=tuple(self.include),
            exclude=tuple(self.exclude),
            archived=self.archived,
            trashed=self.trashed,
        )


def check_chosen(run_ids: list[int] | msgspec.UnsetType, select: Selection | None) -> None:
    """Check that a body chooses runs by `run_ids` or by `select`. Call it in `__post_init__`.

    Raises:
        InvalidInputError: it has both, or none of them.
    """
    if isinstance(run_ids, msgspec.UnsetType) and select is None:
        raise InvalidInputError("run_ids", "missing")
    if not isinstance(run_ids, msgspec.UnsetType) and select is not None:
        raise InvalidInputError("select", "must not be combined with run_ids")


def chosen_where(
    run_ids: list[int] | msgspec.UnsetType, select: Selection | None
) -> run_tables.RunFilter:
    """The conditions on the runs that a body chooses.

    Raises:
        InvalidInputError: the filter is invalid.
    """
    if select is None:
        # SQLite cannot take other integers, and no run has them.
        return run_tables.RunFilter(ids=tuple(id_ for id_ in run_ids or [] if 0 < id_ <= MAX_ID))
    return select.where()


async def check_project(conn: Connection, select: Selection | None) -> None:
    """Check that the project of a selection exists.

    Raises:
        NotFoundError: it does not.
    """
    if select is not None and select.project_id is not None:
        await projects.get(conn, select.project_id)


async def chosen_ids(
    conn: Connection, run_ids: list[int] | msgspec.UnsetType, select: Selection | None
) -> list[int]:
    """The row ids that a body chooses, of the runs that exist, in order.

    Raises:
        NotFoundError: the project does not exist.
        InvalidInputError: the filter is invalid.
    """
    where = chosen_where(run_ids, select)
    await check_project(conn, select)
    return await run_tables.list_ids(conn, where)


def database(request: Request) -> Store:
    """The database of the application."""
    db: Store = request.state.db
    return db


def grant(request: Request) -> Grant:
    """What the key of a request allows; everything on a server that is not protected."""
    granted: Grant = request.scope.get(GRANT) or Grant("admin")
    return granted


async def check_run(request: Request, conn: Connection, run_id: int) -> None:
    """Check that the key of a request may change a run.

    Raises:
        NotFoundError: the run does not exist in the only project of the key.
    """
    allowed = grant(request).project_id
    if allowed is not None and await runs.project_of(conn, run_id) != allowed:
        raise NotFoundError(f"run {run_id} not found")


async def check_room(request: Request, size: int = 0) -> None:
    """Check that the disk has room for `size` more bytes.

    Raises:
        DiskFullError: it has not.
    """
    blobs, keep_free = database(request).blobs, request.app.state.keep_free
    if blobs.is_shared:  # the disk of another machine may not answer
        await in_thread(blobs.check_room, size, keep_free)
    else:
        blobs.check_room(size, keep_free)


def path_id(request: Request, name: str) -> int:
    """Parse the row id in the path parameter `name`, such as `run_id`.

    Raises:
        InvalidInputError: not an integer.
        NotFoundError: an integer outside the range of row ids.
    """
    text = request.path_params[name]
    try:
        # int() would also accept "1_000" and digits of other scripts.
        number = int(text) if re.fullmatch("[+-]?[0-9]+", text) else None
    except ValueError:  # int() refuses thousands of digits
        number = MAX_ID + 1
    if number is None:
        raise InvalidInputError(name, f"must be an integer, got {text[:40]!r}")
    if not 0 < number <= MAX_ID:
        raise NotFoundError(f"{name.removesuffix('_id')} {text[:40]} not found")
    return number


def parse_query(request: Request, type_: type[S]) -> S:
    """Convert the query parameters to a struct; empty parameters are ignored.

    Raises:
        InvalidInputError: a parameter is unknown or does not validate; the error names it.
    """
    known = type_.__struct_fields__
    for name in request.query_params:
        if name not in known:
            from difflib import get_close_matches  # here: few requests have such names

            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise InvalidInputError(escaped(name[:80]), f"unknown query parameter; {hint}")
    parameters = {name: value for name, value in request.query_params.items() if value != ""}
    result = convert(lambda: msgspec.convert(parameters, type_, strict=False))
    for name in parameters:
        value = getattr(result, name, None)
        if isinstance(value, float) and value != value:
            raise InvalidInputError(name, "must be a number, got nan")
    return result


def check_names(
    values: msgspec.Struct, *, of: Sequence[str] = (), identifiers: Sequence[str] = ()
) -> None:
    """Check the texts of a body. Call it in `__post_init__`.

    Args:
        of: the fields with names of projects or runs.
        identifiers: the fields with ids, groups or tags, or lists of them.

    Raises:
        InvalidInputError: a text is not allowed; the error names the field.
    """
    for fields, problem in ((of, names.name_problem), (identifiers, names.identifier_problem)):
        for field in fields:
            value = getattr(values, field)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    names.refuse(field, problem(text))


def parse_group_by(text: str) -> list[Field]:
    """Parse the body field `group_by`; no fields for "all", one group of all runs.

    Raises:
        InvalidInputError: it is not a list of a few fields.
    """
    return [] if text == "all" else parse_keys(text, name="group_by")


def parse_keys(text: str, *, name: str) -> list[Field]:
    """Parse the fields that runs are grouped by.

    Raises:
        InvalidInputError: it is not a list of a few fields.
    """
    keys = list(dict.fromkeys(parse_fields(text, name=name).values()))
    if not 0 < len(keys) <= MAX_KEYS:
        raise InvalidInputError(name, f"must be 1 to {MAX_KEYS} fields, got {len(keys)}")
    return keys


def check_media_type(request: Request, expected: str) -> None:
    """Check the type of the body, which may be left out.

    Raises:
        HTTPException: it is another one (415).
    """
    media_type = request.headers.get("content-type", expected).partition(";")[0]
    if media_type.strip().lower() != expected:
        raise HTTPException(415, f"Content-Type: must be {expected}, got {media_type[:80]!r}")


async def parse_body(request: Request, type_: type[T], *, limit: int = MAX_BODY) -> T:
    """Decode the JSON body, of at most `limit` bytes.

    Raises:
        InvalidInputError: the body does not validate; the error names the field.
        HTTPException: the body is too large (413) or has another media type (415).
    """
    check_media_type(request, "application/json")
    data = await read_body(request, limit=limit)
    return convert(lambda: msgspec.json.decode(data, type=type_))


async def read_body(
    request: Request,
    on_chunk: Callable[[int], None] = lambda size: None,
    *,
    limit: int = MAX_BODY,
) -> bytes:
    """Read the whole body.

    Args:
        on_chunk: called with the size of each chunk; an exception from it stops the reading.
        limit: the most bytes it may have.

    Raises:
        BodyTooLargeError: the body is larger.
        ClientDisconnect: the client disconnected before the end of the body.
    """
    # Starlette's own limit responds in plain text.
    if int(request.headers.get("content-length", 0)) > limit:
        raise BodyTooLargeError(limit)
    data = bytearray()
    more_body = True
    while more_body:  # twice as fast as Starlette's request.stream()
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        on_chunk(len(chunk))
        data += chunk
        if len(data) > limit:
            raise BodyTooLargeError(limit)
        more_body = message.get("more_body", False)
    return bytes(data)


def convert(decode: Callable[[], T]) -> T:
    """Call `decode`, and translate the decoding errors of msgspec.

    Raises:
        InvalidInputError: the data does not validate; the error names the field.
    """
    try:
        return decode()
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InvalidInputError):  # of a `__post_init__`
            raise error.__cause__ from None
        # "Expected `int`, got `str` - at `$.limit`", "... - at `key` in `$.values`"
        problem, _, location = str(error).partition(" - at ")
        field = location.removeprefix("`key` in ").strip("`").removeprefix("$").removeprefix(".")
        missing = re.fullmatch("Object (?:missing required|contains unknown) field `(.+)`", problem)
        if missing is not None:
            field = f"{field}.{missing[1]}".removeprefix(".")
            problem = "missing" if "missing" in problem else "unknown field"
        raise InvalidInputError(field or "body", _in_words(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError("body", str(error)) from None
    except RecursionError:
        raise InvalidInputError("body", "nested too deeply") from None


_TYPES = {
    "int": "an integer", "float": "a number", "str": "a string", "bool": "true or false",
    "null": "null", "array": "a list", "object": "an object", "datetime": "an ISO 8601 time",
}  # fmt: skip
_LENGTHS = {"str": "characters", "array": "items", "object": "keys"}


def _in_words(problem: str) -> str:
    """Say a problem that msgspec found in the words of all other errors."""
    match = re.fullmatch("Expected `([^`]+)`, got `([^`]+)`", problem)
    if match is not None:
        expected = " or ".join(_TYPES.get(name, name) for name in match[1].split(" | "))
        return f"must be {expected}, got {_TYPES.get(match[2], match[2])}"
    match = re.fullmatch("Expected `(\\w+)` of length (>=|<=) ([0-9]+)", problem)
    if match is not None:
        if (match[2], match[3]) == (">=", "1"):
            return "must not be empty"
        bound = "at least" if match[2] == ">=" else "at most"
        return f"must have {bound} {match[3]} {_LENGTHS.get(match[1], match[1])}"
    match = re.fullmatch("Expected `(\\w+)` (>=|<=|>|<) ([-0-9.e]+)", problem)
    if match is not None:
        return f"must be {_TYPES.get(match[1], match[1])} {match[2]} {match[3]}"
    if problem.startswith("Expected `str` matching regex"):
        return "must not contain the character U+0000"
    match = re.fullmatch("Invalid enum value (.+)", problem)
    if match is not None:
        return f"invalid value {match[1]}"
    return problem
