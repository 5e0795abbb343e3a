r"""Results as JSON, with the keys of the contract, and the JSON Schema of each result.

Beside its fields, a reason has its sentence as `message`, and whatever has reasons has them in one text as `because`. Names are as they are,
unsafe characters in them as the escapes of JSON; a surrogate, which no JSON can hold, is the text of its escape (`\ud800`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from capsaudit.render.reasons import because, sentence
from capsaudit.results import Reason
from capsaudit.results.base import SCHEMA
from capsaudit.text import json_escaped, valid

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SENTENCE = {"type": "string"}


def as_json(result: Struct) -> str:
    """The result, indented."""
    return indented(_with_sentences(result))


def indented(value: object) -> str:
    """Any value as JSON, safe to show and to print."""
    return json_escaped(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def schemas(types: Iterable[type[Struct]]) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each type, by its name."""
    return {kind.__name__: _schema(kind) for kind in types}


def _with_sentences(value: Any) -> Any:
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, Reason):
        return {"code": value.code, "values": _with_sentences(value.values), "message": valid(sentence(value))}
    if isinstance(value, Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        encoded = {key: _with_sentences(getattr(value, name)) for name, key in names}
        return encoded | {"because": valid(because(value.reasons))} if hasattr(value, "reasons") else encoded
    if isinstance(value, dict):
        return {valid(str(key)): _with_sentences(item) for key, item in value.items()}
    return [_with_sentences(item) for item in value] if isinstance(value, list | tuple) else value


def _schema(kind: type[Struct]) -> dict[str, Any]:
    """A document has every field, those with defaults too, and no other."""
    (root,), components = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    for name, component in components.items():
        properties = component["properties"]
        for each in properties.values():
            each.pop("default", None)
        if added := "message" if name == "Reason" else "because" if "reasons" in properties else None:
            properties[added] = _SENTENCE
        if "schema" in properties:
            properties["schema"] = {"const": SCHEMA}
        description = " ".join(component["description"].split())
        closed = {"description": description, "required": list(properties), "additionalProperties": False}
        components[name] = component | closed
    return {"$schema": _DIALECT, **root, "$defs": components}
