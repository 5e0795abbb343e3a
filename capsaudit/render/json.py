"""Results as JSON, with the keys of the contract."""

from __future__ import annotations

import msgspec

from capsaudit.results import Result


def as_json(result: Result) -> str:
    """The result, indented."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
