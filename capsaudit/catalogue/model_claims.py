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


class ModelTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model and the claims about it. `target`: the model, for those who run the file without naming one; `part`: which network of a file.

    `input`: the shapes of its inputs in order; `inputs`: of those that forward takes by keyword. `source`, `policy`: where they are not the
    file's.
    """

    target: str | None = None
    claims: tuple[ModelClaimTable, ...] = ()
    input: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    kwargs: dict[str, object] = {}
    part: str | None = None
    source: str | None = None
    policy: str | None = None


class ModelClaimsFile(ModelTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as written: about one model, whose table it is itself, or about several `models`."""

    source: str
    policy: str = STORED
    models: tuple[ModelTable, ...] = ()


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
    """The claims about a model as read. `label` is what messages call the file, `policy` how the model is counted."""

    label: str
    path: Path
    model: ModelTable
    policy: str
    claims: tuple[ModelClaim, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs as the command line has them."""
        return (*self.model.input, *(f"{name}={shape}" for name, shape in self.model.inputs.items()))

    @property
    def target(self) -> str:
        """The model that the claims are about.

        Raises:
            CapsauditError: the file names none.
        """
        if self.model.target is None:
            raise CapsauditError(
                f'{self.label}: target is missing; say which model the claims are about: target = "models.py:Net"'
            )
        return self.model.target


def is_about_a_model(name: str | Path) -> bool:
    """Whether it is a file of claims about models: TOML that names its target, or has a table for each of several."""
    try:
        return str(name).endswith(".toml") and not {"target", "models"}.isdisjoint(read_table(str(name), Path(name)))
    except FileError:  # those who read it as something else say what is wrong with it
        return False


def load_model_claims(path: str | Path) -> ModelClaims:
    """Read a file of claims about one model.

    Raises:
        FileError: as `load_models`, or it is about several.
    """
    found = load_models(path)
    if len(found) > 1:
        raise FileError(
            f"{path}: is about {len(found):,} models, which are audited together, without other options: capsaudit audit {path}"
        )
    return found[0]


def load_models(path: str | Path) -> tuple[ModelClaims, ...]:
    """Read a file of claims about one model or several.

    Raises:
        FileError: everything that is wrong with it. A model without claims is a fault: a check that compares nothing never passes.
    """
    label, path = str(path), Path(path)
    file, found = faults_of(read_table(label, path), ModelClaimsFile)
    faults = [f"{label}: {fault.path} {fault.message}" for fault in found]
    faults += [f"{label}: {fault}" for fault in _faults(file)] if file else []
    if file is None or faults:
        raise FileError(*faults)
    models = file.models or (file,)
    lines = iter(_lines(path.read_text(encoding="utf-8"), sum(len(model.claims) for model in models)))
    return tuple(_about(model, file, path, label, lines) for model in models)


def _about(model: ModelTable, file: ModelClaimsFile, path: Path, label: str, lines: Iterator[int]) -> ModelClaims:
    source, policy = model.source or file.source, model.policy or file.policy
    claims = tuple(_claim(table, source, policy, label, next(lines)) for table in model.claims)
    return ModelClaims(label=label, path=path, model=model, policy=policy, claims=claims)


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


def _claim(table: ModelClaimTable, source: str, policy: str, label: str, line: int) -> ModelClaim:
    return ModelClaim(
        figure=_figure(table),
        selection=_selection(table, policy),
        source=table.source or source,
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
    if not file.models:
        yield from _model_faults(file, "")
        return
    beside = [name for name in ("target", "claims", "input", "inputs", "kwargs", "part") if getattr(file, name)]
    if beside:
        yield f"has {', '.join(beside)} beside models; each of the models has its own"
    for number, model in enumerate(file.models, start=1):
        if model.target is None:
            yield f"models.{number}.target is missing; expected the model that its claims are about"
        yield from _model_faults(model, f"models.{number}.")


def _model_faults(model: ModelTable, at: str) -> Iterator[str]:
    if not model.claims:
        yield f"{at}claims is missing or empty; expected at least one"
    if model.policy is not None and model.policy not in POLICIES:
        yield f"{at}policy is {model.policy!r}; {nearest(model.policy, POLICIES)}"
    for number, claim in enumerate(model.claims, start=1):
        yield from (f"{at}claims.{number}{fault}" for fault in _claim_faults(claim))


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
    """The line of each `[[claims]]`, or `[[models.claims]]`; claims written in another way all get the first line of the file."""
    head = re.compile(r"\s*\[\[\s*(models\s*\.\s*)?claims\s*\]\]")
    found = [number for number, line in enumerate(text.splitlines(), start=1) if head.match(line)]
    return tuple(found) if len(found) == count else (1,) * count
