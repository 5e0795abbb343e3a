"""JSON beside weights: an index of shards, the configuration of a model. Read within a bound."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from capsaudit.errors import CapsauditError
from capsaudit.inspection.paths import open_file

LARGEST_JSON_BYTES = 100_000_000
"""That of a safetensors header: an index has the same names."""

T = TypeVar("T")


def read_json(path: Path, kind: type[T]) -> T:
    """The content of a file, which has to be a `kind`.

    Raises:
        CapsauditError: the file cannot be read, is too large, or has another content.
    """
    with open_file(path) as stream:
        content = stream.read(LARGEST_JSON_BYTES + 1)
    if len(content) > LARGEST_JSON_BYTES:
        raise CapsauditError(f"{path}: has more than {LARGEST_JSON_BYTES:,} bytes")
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise CapsauditError(f"{path}: {error}") from error
