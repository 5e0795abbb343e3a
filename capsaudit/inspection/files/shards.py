"""Networks whose tensors are in several files, named `model-00001-of-00004.safetensors`: which they are, and what has all of them."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.\w+)", re.ASCII)


class Shard(Struct, frozen=True):
    """What the name of a file says. `whole`: the name that the file would have if it were the only one."""

    whole: str
    number: int
    total: int


def shard_of(name: str) -> Shard | None:
    """Which of several files it is; None if its name does not say so, or if it is the only one.

    >>> shard_of("model-00001-of-00004.safetensors")
    Shard(whole='model.safetensors', number=1, total=4)
    >>> shard_of("model-00001-of-00001.safetensors"), shard_of("model.safetensors")
    (None, None)
    """
    found = _NAME.fullmatch(name)
    if found is None or int(found["total"]) < 2:
        return None
    return Shard(found["stem"] + found["suffix"], int(found["number"]), int(found["total"]))


def index_name(whole: str) -> str:
    """The file that names all shards.

    >>> index_name("model.safetensors")
    'model.safetensors.index.json'
    """
    return f"{whole}.index.json"


def incompleteness(path: Path) -> str | None:
    """That a file is one of several, and what to audit for all of them; None if it is whole."""
    if (shard := shard_of(path.name)) is None or path.is_dir():
        return None
    index = path.parent / index_name(shard.whole)
    whole = index if index.is_file() else f"{path.parent}/"
    return f"is shard {shard.number:,} of {shard.total:,}, a part of the network; for the whole, audit {whole}"
