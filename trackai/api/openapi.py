"""The OpenAPI 3.1 document, generated from the list of operations in `routes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.api.responses import JSON
from trackai.ingest.wire import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.api.routes import Operation


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """Generate the OpenAPI 3.1 document of operations."""
    types = [
        type_
        for operation in operations
        for type_ in (
            operation.query, operation.body, operation.response, *operation.or_responses
        )
        if type_ is not None
    ]  # fmt: skip
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(map(str, types), schemas, strict=True))
    components = {**components, "Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = operation.path.replace(":path}", "}")
        paths.setdefault(path, {})[operation.method.lower()] = _describe(
            operation, by_type, components
        )
    queries = {operation.query for operation in operations if operation.query is not None}
    for name in {_schema_name(by_type[str(query)]) for query in queries}:
        del components[name]  # query structs are described as parameters instead
    return {
        "openapi": "3.1.0",
        "info": {"title": "TrackAI", "version": version, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        # The API key is required only if the server has one.
        "security": [{}, {"key": []}],
    }


_ERROR = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
# The header of clients of journals, who get the status 426 without it.
_PROTOCOL = (
    {
        "name": "TrackAI-Protocol",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "enum": [str(PROTOCOL)]},
    },
)
_DESCRIPTIONS = {
    200: "Success",
    206: "Part of the file",
    400: "Invalid range",
    401: "API key missing or invalid",
    403: "Host or origin not allowed, or the scope or project of the key",
    404: "Not found",
    409: "Name or slug already exists, bytes are missing, or the version is not the current one",
    413: "Body too large",
    414: "URL too long",
    415: "Unsupported media type or encoding",
    416: "Range starts beyond the end of the file",
    422: "Validation error; the detail names the field",
    426: "Another version of the protocol of journals",
    429: "Too many wrong API keys from the address",
    503: "Server overloaded, or database unavailable",
    507: "Disk full",
}


def _describe(
    operation: Operation, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.endpoint.__name__,
        "summary": (operation.endpoint.__doc__ or "").partition("\n")[0],
        "parameters": [
            *_path_parameters(operation.path),
            *(_PROTOCOL if 426 in operation.errors else ()),
            *_query_parameters(operation, by_type, components),
        ],
        "responses": {
            str(status): _response(operation, status, by_type) for status in operation.statuses
        },
    }
    if operation.body is not None:
        schema = {} if operation.body is bytes else by_type[str(operation.body)]
        description["requestBody"] = {
            "required": operation.body_required,
            "content": {media_type: {"schema": schema} for media_type in operation.body_types},
        }
    return description


def _path_parameters(path: str) -> list[dict[str, Any]]:
    parameters = []
    for part in path.split("{")[1:]:
        name = part.partition("}")[0].partition(":")[0]
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if name.endswith("_id"):
            schema = {"type": "integer", "minimum": 1}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return parameters


def _query_parameters(
    operation: Operation, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    struct = components[_schema_name(by_type[str(operation.query)])]
    required = set(struct.get("required", []))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in struct["properties"].items()
    ]


def _schema_name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _response(operation: Operation, status: int, by_type: Mapping[str, Any]) -> dict[str, Any]:
    description = _DESCRIPTIONS[status]
    if status not in {200, 206}:
        schema: Any = {"$ref": "#/components/schemas/Error"}
        return {"description": description, "content": {JSON: {"schema": schema}}}
    schema = by_type[str(operation.response)]
    if operation.or_responses:
        schemas = [by_type[str(type_)] for type_ in operation.or_responses]
        schema = {"anyOf": [schema, *schemas]}
    if operation.response is bytes:
        schema = {}
    content = {operation.response_type: {"schema": schema}}
    content |= {media_type: {"schema": {}} for media_type in operation.or_types}
    return {"description": description, "content": content}
