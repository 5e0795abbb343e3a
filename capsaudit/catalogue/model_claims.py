"""Claims about anybody's model: figures as printed for layers, by name or pattern, and in total, with their source."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from capsaudit.catalogue.toml_files import read_table
from capsaudit.errors import FigureError, FileError
from capsaudit.inventory import POLICIES, STORED
from capsaudit.published import parse_figure
from capsaudit.validation import faults_of, nearest


class TargetClaim(Struct, frozen=True, forbid_unknown_fields=True):
    """A figure for a model. `layer`: a layer's or a tensor's name, or a pattern (`encoder.*`); all of the model without it.

    `count`: which of its values the figure is about. `policy`: how they are counted, where it is not the file's.
    """

    stated: str
    layer: str | None = None
    count: Literal["trainable", "frozen", "buffers", "all"] = "trainable"
    policy: str | None = None
    source: str | None = None


class TargetClaimsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it stands. `target`: the model that it is about, for those who run it without naming one."""

    source: str
    claims: tuple[TargetClaim, ...]
    target: str | None = None
    input: tuple[str, ...] = ()
    kwargs: dict[str, object] = {}
    policy: str = STORED


class TargetClaims(Struct, frozen=True):
    """Claims as read, each with the line that it begins in. `label` is what messages call the file."""

    label: str
    path: Path
    file: TargetClaimsFile
    lines: tuple[int, ...]


def load_target_claims(path: str | Path) -> TargetClaims:
    """Read a file of claims about a model.

    Raises:
        FileError: everything that is wrong with it. A file without claims is a fault: nothing checked is never a pass.
    """
    label, path = str(path), Path(path)
    file, found = faults_of(read_table(label, path), TargetClaimsFile)
    faults = [f"{label}: {fault.path} {fault.message}" for fault in found]
    faults += [f"{label}: {fault}" for fault in _faults(file)] if file else []
    if file is None or faults:
        raise FileError(faults)
    return TargetClaims(
        label=label, path=path, file=file, lines=_lines(path.read_text(encoding="utf-8"), len(file.claims))
    )


def _faults(file: TargetClaimsFile) -> Iterator[str]:
    if not file.claims:
        yield "claims is empty; expected at least one"
    if file.policy not in POLICIES:
        yield f"policy is {file.policy!r}; {nearest(file.policy, POLICIES)}"
    for number, claim in enumerate(file.claims, start=1):
        if claim.policy is not None and claim.policy not in POLICIES:
            yield f"claims.{number}.policy is {claim.policy!r}; {nearest(claim.policy, POLICIES)}"
        try:
            parse_figure(claim.stated)
        except FigureError as error:
            yield f"claims.{number}.stated: {error}"


def _lines(text: str, count: int) -> tuple[int, ...]:
    """The line of each `[[claims]]`; claims written in another way all stand at the file's first line."""
    found = [n for n, line in enumerate(text.splitlines(), start=1) if re.match(r"\s*\[\[\s*claims\s*\]\]", line)]
    return tuple(found) if len(found) == count else (1,) * count
