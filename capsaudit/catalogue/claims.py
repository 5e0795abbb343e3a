"""Claims: what a source states, about which variant, and where. Data only; the verdicts are computed by commands."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from capsaudit.catalogue.toml_files import locate, read_table, shipped
from capsaudit.catalogue.variant import Digits, RoundingName, Variant
from capsaudit.catalogue.variants import load_variant
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import layers
from capsaudit.formula import parse_formula
from capsaudit.published import Figure, parse_figure
from capsaudit.spec import Data
from capsaudit.validation import faults_of, nearest

Grade = Literal["seen", "quoted", "recalled"]
"""How it is known that a source states something: read in a copy of it, quoted by others, or recalled without a copy or a quotation."""


class Test(Struct, frozen=True, forbid_unknown_fields=True):
    """How a statement is judged; `kind` says which of the other entries it needs.

    `knobs`: with these set, the network of the claim `against` must still agree with that claim's figure. `layers`: the kind of each of these
    layers, compared with the source's own rows. `values`: knobs, shapes and numbers of the network (`capsaudit.commands.network_values`).
    `behaviour`: values that the built network is seen to have when it runs (`capsaudit.commands.behaviour_statements`). `arithmetic`: a
    formula of the source must come to its `result`, and `times` the result must be the network's value `of`. `loss`: a loss as the statement
    has it, compared with the one that the paper's network is trained with. `purpose`: what a part of a loss (`of`) is there for. `source`:
    whether values of shipped variants come from this source; `appeared` where it is known that it became public after the statement.
    """

    kind: Literal["knobs", "layers", "values", "behaviour", "arithmetic", "loss", "purpose", "source"]
    knobs: Data = {}
    against: str | None = None
    layers: dict[str, str] = {}
    values: Data = {}
    formula: str | None = None
    result: int | None = None
    times: int = 1
    of: str | None = None
    loss: Literal["margin", "reconstruction"] | None = None
    form: Literal["scaled sum of squares", "Euclidean distance", "vector"] | None = None
    scale: float = 1.0
    m_plus: float | None = None
    m_minus: float | None = None
    weight: float | None = None
    purpose: str | None = None
    source: str | None = None
    used: bool | None = None
    appeared: Literal["later"] | None = None


class ClaimTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim as the file has it: a figure as printed, shapes, or a statement with the test that judges it.

    Figures are about the whole network or about one `layer`; shapes are written as people do, 20×20×256. `rounding` and `digits`: how the
    figure is printed, where it is not rounded half up or only so many of its digits are significant. `joint`: a figure that all
    interpretations of the source must satisfy together. `settings`: knobs of the network that differ from the variant, as `--set` writes
    them. A table with a figure and shapes is several claims, each judged by itself. `version` and `grade` are those of the file where the
    table has none.
    """

    id: str
    place: str
    about: str
    settings: tuple[str, ...] = ()
    layer: str | None = None
    stated: str | None = None
    rounding: RoundingName = "half up"
    digits: Digits | None = None
    input: str | None = None
    output: str | None = None
    tensor: str | None = None
    shape: str | None = None
    statement: str | None = None
    check: Test | None = None
    joint: bool = False
    version: str | None = None
    grade: Grade | None = None
    evidence: str | None = None


class Claim(ClaimTable, frozen=True, kw_only=True):
    """A claim with its source and its figure parsed."""

    source: str
    figure: Figure | None


class ClaimsFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as written."""

    source: str
    title: str
    claims: tuple[ClaimTable, ...]
    version: str | None = None
    grade: Grade | None = None


class ClaimsSource(Struct, frozen=True):
    """A source and its claims, with the variants that they are about."""

    name: str
    title: str
    claims: tuple[Claim, ...]
    variants: dict[str, Variant]


def load_claims(name: str | Path) -> ClaimsSource:
    """The claims of a shipped source by its id, or of a file of your own by its path.

    Raises:
        CapsauditError: no such source and no such file.
        FileError: everything that is wrong with the file.
    """
    return _load_shipped(str(name)) if str(name) in shipped("claims") else _load(str(name))


def claims_of(sources: Sequence[str | Path]) -> tuple[ClaimsSource, ...]:
    """The claims of these sources, of all shipped ones where none is named.

    Raises:
        CapsauditError: as `load_claims`.
    """
    return tuple(map(load_claims, sources or shipped("claims")))


@cache
def _load_shipped(name: str) -> ClaimsSource:
    return _load(name)


def _load(name: str) -> ClaimsSource:
    label, path = locate(name, "claims")
    file, found = faults_of(read_table(label, path), ClaimsFile)
    faults = [f"{label}: {fault.path} {fault.message}" for fault in found]
    if file is None:
        raise FileError(*faults)
    variants: dict[str, Variant] = {}
    claims: list[Claim] = []
    for table in file.claims:
        faults += [f"{label}: {table.id}: {fault}" for fault in _faults(table, path, variants)]
        claims += _parsed(table, file, label, faults)
    ids = [claim.id for claim in claims]
    faults += [
        f"{label}: there are several claims {name!r}" for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    if not ids:
        faults.append(f"{label}: claims is empty; expected at least one")
    if faults:
        raise FileError(*faults)
    return ClaimsSource(file.source, file.title, tuple(claims), variants)


def _parsed(claim: ClaimTable, file: ClaimsFile, label: str, faults: list[str]) -> Iterator[Claim]:
    """The claims of a table: one for its figure, one for each shape. A figure that cannot be read is one more fault."""
    figure = None
    try:
        if claim.stated is not None:
            figure = parse_figure(claim.stated, rounding=claim.rounding, digits=claim.digits)
    except CapsauditError as error:
        faults.append(f"{label}: {claim.id}: stated: {error}")
    fields = msgspec.structs.asdict(claim) | {
        "about": _with_settings(claim),
        "version": claim.version or file.version,
        "grade": claim.grade or file.grade,
    }
    whole = Claim(**fields, source=file.source, figure=figure)
    yield from _apart(whole)


def _apart(claim: Claim) -> Iterator[Claim]:
    """A claim for the figure, which keeps the id, and one for each shape, whose id says which shape it is."""
    parts = [name for name in ("stated", "input", "output", "shape") if getattr(claim, name) is not None]
    if len(parts) < 2:
        yield claim
        return
    for part in parts:
        others: dict[str, object] = dict.fromkeys(set(parts) - {part})
        name = claim.id if part == "stated" else f"{claim.id}-{part}"
        tensor = claim.tensor if part == "shape" else None
        figure = claim.figure if part == "stated" else None
        yield msgspec.structs.replace(claim, id=name, tensor=tensor, figure=figure, **others)


def _faults(claim: ClaimTable, path: Path, variants: dict[str, Variant]) -> Iterator[str]:
    """What is wrong with a claim; the variant that it is about is put among `variants`."""
    try:
        about = _with_settings(claim)
        variants[about] = variants.get(about) or _about(claim, path)
        rows = {row.name: row for row in layers(variants[about].spec)}
        if claim.layer is not None and claim.layer not in rows:
            yield f"layer {claim.layer!r} is not a layer of {claim.about}; {nearest(claim.layer, rows)}"
        elif claim.tensor is not None and claim.layer is not None:
            tensors = [tensor.name for tensor in rows[claim.layer].parameters]
            if claim.tensor not in tensors:
                yield f"tensor {claim.tensor!r} is not a tensor of {claim.layer}; {nearest(claim.tensor, tensors)}"
    except CapsauditError as error:
        yield f"about: {error}"
    yield from _form_faults(claim)


def _about(claim: ClaimTable, path: Path) -> Variant:
    """A shipped variant, or a file beside the claims, with the claim's settings."""
    name = path.parent / claim.about if claim.about.endswith(".toml") else claim.about
    return load_variant(name, settings=claim.settings)


def _with_settings(claim: ClaimTable) -> str:
    """What the network is called that the claim is about: `cifar10-32 with decoder = none`."""
    settings = ", ".join(setting.replace("=", " = ", 1) for setting in claim.settings)
    return f"{claim.about} with {settings}" if settings else claim.about


def _form_faults(claim: ClaimTable) -> Iterator[str]:
    shapes = {"input": claim.input, "output": claim.output, "shape": claim.shape}
    given = {name: text for name, text in shapes.items() if text is not None}
    if claim.stated is None and not given and claim.statement is None:
        yield "claims nothing; expected stated, input, output, shape or a statement"
    if (claim.statement is None) != (claim.check is None):
        yield "a statement needs a check that judges it, and a check needs a statement"
    if given and claim.layer is None:
        yield f"{next(iter(given))} is that of a layer; say which"
    if (claim.shape is None) != (claim.tensor is None):
        yield "tensor needs a shape, and shape needs a tensor"
    for name, text in given.items():
        if not parse_shape(text):
            yield f'{name} is "{text}"; expected sizes such as "20×20×256"'
    if claim.check is not None:
        yield from (f"check: {fault}" for fault in _test_faults(claim.check))


_NEEDS = {
    "knobs": ("knobs", "against"),
    "layers": ("layers",),
    "values": ("values",),
    "behaviour": ("values",),
    "arithmetic": ("formula", "result", "of"),
    "margin": ("m_plus", "m_minus", "weight"),
    "reconstruction": ("form",),
    "loss": ("loss",),
    "purpose": ("of", "purpose"),
    "source": ("source", "used"),
}
"""The entries that each kind of check, and each loss, needs."""


def _test_faults(test: Test) -> Iterator[str]:
    for name in (*_NEEDS[test.kind], *(_NEEDS[test.loss] if test.kind == "loss" and test.loss else ())):
        if getattr(test, name) in (None, {}):
            yield f"a check of the kind {test.kind!r} needs {name}"
    try:
        parse_formula(test.formula or "0")
    except CapsauditError as error:
        yield f"formula: {error}"


def parse_shape(text: str) -> tuple[int, ...]:
    """Sizes from 20×20×256; empty where the text is not a shape.

    >>> parse_shape("20×20×256"), parse_shape("1152 x 8"), parse_shape("wide")
    ((20, 20, 256), (1152, 8), ())
    """
    parts = [part.strip() for part in text.replace("x", "×").replace("·", "×").split("×")]
    return tuple(map(int, parts)) if all(part.isdecimal() and part.isascii() for part in parts) else ()


def joint_claims(sources: Sequence[ClaimsSource]) -> Iterator[tuple[Claim, Figure, Variant]]:
    """The figures that must agree together, each with the variant that it is about."""
    for source in sources:
        for claim in source.claims:
            if claim.joint and claim.figure is not None:
                yield claim, claim.figure, source.variants[claim.about]
