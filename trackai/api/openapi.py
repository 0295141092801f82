"""The OpenAPI 3.1 document, made from the list of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.api.operations import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.api.operations import Operation


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of operations."""
    types = [
        type_
        for one in operations
        for type_ in (one.query, one.body, one.answer, *one.or_answers)
        if type_ is not None
    ]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(map(str, types), schemas, strict=True))
    components = {**components, "Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        path = one.path.replace(":path}", "}")
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, by_type, components)
    for name in {_name(by_type[str(one.query)]) for one in operations if one.query is not None}:
        del components[name]
    return {
        "openapi": "3.1.0",
        "info": {"title": "TrackAI", "version": version, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        # With a key where one is set, without one on the loopback address.
        "security": [{}, {"key": []}],
    }


_ERROR = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
_MEANING = {
    200: "Done",
    206: "A part of it",
    400: "The range makes no sense",
    401: "The key is missing or wrong",
    403: "Asked for under a foreign host name, or by a page of another origin",
    404: "There is no such thing",
    409: "A name is taken",
    413: "The body is too large",
    414: "The address is too long",
    415: "The body has another media type or encoding",
    416: "The range lies outside",
    422: "Something does not validate; the field is named",
    503: "Too much at once, or the database cannot be used just now",
}


def _operation(
    one: Operation, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.endpoint.__name__,
        "summary": (one.endpoint.__doc__ or "").partition("\n")[0],
        "parameters": [*_path_parameters(one.path), *_query_parameters(one, by_type, components)],
        "responses": {str(status): _response(one, status, by_type) for status in one.statuses},
    }
    if one.body is not None:
        schema = by_type[str(one.body)]
        found["requestBody"] = {
            "required": one.body_required,
            "content": {media_type: {"schema": schema} for media_type in one.body_types},
        }
    return found


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = []
    for part in path.split("{")[1:]:
        name = part.partition("}")[0].partition(":")[0]
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if name.endswith("_id"):
            schema = {"type": "integer", "minimum": 1}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _query_parameters(
    one: Operation, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    struct = components[_name(by_type[str(one.query)])]
    required = set(struct.get("required", []))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in struct["properties"].items()
    ]


def _name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _response(one: Operation, status: int, by_type: Mapping[str, Any]) -> dict[str, Any]:
    if status not in {200, 206}:
        schema: Any = {"$ref": "#/components/schemas/Error"}
        return {"description": _MEANING[status], "content": {JSON: {"schema": schema}}}
    schema = by_type[str(one.answer)]
    if one.or_answers:
        schema = {"anyOf": [schema, *(by_type[str(other)] for other in one.or_answers)]}
    if one.answer is bytes:
        schema = {}
    content = {media_type: {"schema": schema} for media_type in (one.answer_type, *one.or_types)}
    return {"description": _MEANING[status], "content": content}
