"""Claims about somebody's model: figures as printed for layers, by name or pattern, and in total, with their source."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from capsaudit.catalogue.toml_files import read_table
from capsaudit.catalogue.variant import Digits, RoundingName
from capsaudit.errors import CapsauditError, FigureError, FileError
from capsaudit.inventory import POLICIES, STORED, Counted
from capsaudit.published import Figure, parse_figure
from capsaudit.selection import Selection, parse_experts
from capsaudit.validation import faults_of, nearest


class ModelClaimTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"excluded": "except"}):
    """A figure for a model, as the file has it. `layer`: a layer's or a tensor's name, or a pattern (`encoder.*`); `layers`: several; the
    whole model without either. `except`: those that are left out.

    `count`: which of its values the figure is about. `policy`: how they are counted, where it is not the file's. `experts`: how many of the
    experts of a layer are counted, such as `2 of 8`. `rounding` and `digits`: how the figure is printed.
    """

    stated: str
    layer: str | None = None
    layers: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    count: Counted = "trainable"
    policy: str | None = None
    experts: str | None = None
    source: str | None = None
    rounding: RoundingName = "half up"
    digits: Digits | None = None


class ModelClaimsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as written. `target`: the model that it is about, for those who run it without naming one; `part`: which network of a file.

    `input`: the shapes of its inputs in order; `inputs`: of those that forward takes by keyword.
    """

    source: str
    claims: tuple[ModelClaimTable, ...]
    target: str | None = None
    input: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    kwargs: dict[str, object] = {}
    policy: str = STORED
    part: str | None = None


class ModelClaim(Struct, frozen=True, kw_only=True):
    """A claim about a model, its figure parsed: what is counted, and where that is stated."""

    figure: Figure
    selection: Selection
    source: str = ""
    file: str = ""
    line: int = 0

    @property
    def about(self) -> str | None:
        """What is counted in one text; None for the whole model."""
        return self.selection.about


class ModelClaims(Struct, frozen=True):
    """Claims as read. `label` is what messages call the file."""

    label: str
    path: Path
    file: ModelClaimsFile
    claims: tuple[ModelClaim, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs as the command line has them."""
        return (*self.file.input, *(f"{name}={shape}" for name, shape in self.file.inputs.items()))

    @property
    def target(self) -> str:
        """The model that the claims are about.

        Raises:
            CapsauditError: the file names none.
        """
        if self.file.target is None:
            raise CapsauditError(
                f'{self.label}: target is missing; say which model the claims are about: target = "models.py:Net"'
            )
        return self.file.target


def is_about_a_model(name: str | Path) -> bool:
    """Whether it is a file of claims about a model: TOML that names its target."""
    try:
        return str(name).endswith(".toml") and "target" in read_table(str(name), Path(name))
    except FileError:  # those who read it as something else say what is wrong with it
        return False


def load_model_claims(path: str | Path) -> ModelClaims:
    """Read a file of claims about a model.

    Raises:
        FileError: everything that is wrong with it. A file without claims is a fault: a check that compares nothing never passes.
    """
    label, path = str(path), Path(path)
    file, found = faults_of(read_table(label, path), ModelClaimsFile)
    faults = [f"{label}: {fault.path} {fault.message}" for fault in found]
    faults += [f"{label}: {fault}" for fault in _faults(file)] if file else []
    if file is None or faults:
        raise FileError(*faults)
    lines = _lines(path.read_text(encoding="utf-8"), len(file.claims))
    claims = tuple(_claim(table, file, label, line) for table, line in zip(file.claims, lines, strict=True))
    return ModelClaims(label=label, path=path, file=file, claims=claims)


Stated = str | int | Mapping[str, object]
"""A figure, or the keys of a claim in a file: `{"stated": "85.1M", "except": ["embeddings"]}`."""


def claims_from(stated: Mapping[str, Stated], policy: str) -> tuple[ModelClaim, ...]:
    """Claims from figures by layer; `total` is the whole model.

    Raises:
        CapsauditError: nothing is stated, a figure cannot be read, or a key of a claim is wrong.
    """
    if not stated:
        raise CapsauditError('nothing is stated; expected figures such as {"total": "8.2M"}')
    return tuple(_claim_from(name, each, policy) for name, each in stated.items())


def _claim_from(name: str, stated: Stated, policy: str) -> ModelClaim:
    keys = dict(stated) if isinstance(stated, Mapping) else {"stated": stated}
    if type(keys.get("stated")) is int:
        keys["stated"] = str(keys["stated"])
    table, found = faults_of(keys, ModelClaimTable)
    faults = [f"{name}: {fault.path} {fault.message}" for fault in found]
    faults += [f"{name}{fault}" for fault in _claim_faults(table)] if table else []
    if table is None or faults:
        raise CapsauditError(*faults)
    selection = _selection(table, policy)
    if name != "total" and not selection.layers:
        selection = replace(selection, layers=(name,))
    return ModelClaim(figure=_figure(table), selection=selection, source=table.source or "")


def _claim(table: ModelClaimTable, file: ModelClaimsFile, label: str, line: int) -> ModelClaim:
    return ModelClaim(
        figure=_figure(table),
        selection=_selection(table, file.policy),
        source=table.source or file.source,
        file=label,
        line=line,
    )


def _selection(table: ModelClaimTable, policy: str) -> Selection:
    return Selection(
        layers=table.layers if table.layer is None else (table.layer,),
        excluded=table.excluded,
        count=table.count,
        policy=table.policy or policy,
        experts=table.experts,
    )


def _figure(table: ModelClaimTable) -> Figure:
    return parse_figure(table.stated, rounding=table.rounding, digits=table.digits)


def _faults(file: ModelClaimsFile) -> Iterator[str]:
    if not file.claims:
        yield "claims is empty; expected at least one"
    if file.policy not in POLICIES:
        yield f"policy is {file.policy!r}; {nearest(file.policy, POLICIES)}"
    for number, claim in enumerate(file.claims, start=1):
        yield from (f"claims.{number}{fault}" for fault in _claim_faults(claim))


def _claim_faults(claim: ModelClaimTable) -> Iterator[str]:
    if claim.policy is not None and claim.policy not in POLICIES:
        yield f".policy is {claim.policy!r}; {nearest(claim.policy, POLICIES)}"
    if claim.layer is not None and claim.layers:
        yield " has layer and layers; expected one of them"
    try:
        _figure(claim)
    except FigureError as error:
        yield f".stated: {error}"
    try:
        parse_experts(claim.experts or "1 of 1")
    except CapsauditError as error:
        yield f".{error}"


def _lines(text: str, count: int) -> tuple[int, ...]:
    """The line of each `[[claims]]`; claims written in another way all get the first line of the file."""
    found = [n for n, line in enumerate(text.splitlines(), start=1) if re.match(r"\s*\[\[\s*claims\s*\]\]", line)]
    return tuple(found) if len(found) == count else (1,) * count
