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
from capsaudit.published import Figure, parse_figure
from capsaudit.spec import Data
from capsaudit.validation import faults_of, nearest


class Test(Struct, frozen=True, forbid_unknown_fields=True):
    """How a statement is judged; `kind` says which of the other entries it needs.

    `knobs`: with these set, the network of the claim `against` must still agree with that claim's figure. `layers`: the kind of each of these
    layers, compared with the source's own rows. `loss`: a loss as the statement has it, compared with the one that the paper's network is
    trained with. `no source`: no value of a shipped variant may come from this source.
    """

    kind: Literal["knobs", "layers", "loss", "no source"]
    knobs: Data = {}
    against: str | None = None
    layers: dict[str, str] = {}
    loss: Literal["margin", "reconstruction"] | None = None
    form: Literal["scaled sum of squares", "Euclidean distance"] | None = None
    scale: float = 1.0
    m_plus: float | None = None
    m_minus: float | None = None
    weight: float | None = None
    source: str | None = None


class ClaimTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim as the file has it: a figure as printed, shapes, or a statement with the test that judges it.

    Figures are about the whole network or about one `layer`; shapes are written as people do, 20×20×256. `rounding` and `digits`: how the
    figure is printed, where it is not rounded half up or only so many of its digits are significant. `joint`: a figure that all
    interpretations of the source must satisfy together.
    """

    id: str
    place: str
    about: str
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
    for claim in file.claims:
        faults += [f"{label}: {claim.id}: {fault}" for fault in _faults(claim, path, variants)]
        claims += _parsed(claim, file.source, label, faults)
    ids = [claim.id for claim in file.claims]
    faults += [
        f"{label}: there are several claims {name!r}" for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    if not ids:
        faults.append(f"{label}: claims is empty; expected at least one")
    if faults:
        raise FileError(*faults)
    return ClaimsSource(file.source, file.title, tuple(claims), variants)


def _parsed(claim: ClaimTable, source: str, label: str, faults: list[str]) -> Iterator[Claim]:
    """The claim with its figure; a figure that cannot be read is one more fault."""
    figure = None
    try:
        if claim.stated is not None:
            figure = parse_figure(claim.stated, rounding=claim.rounding, digits=claim.digits)
    except CapsauditError as error:
        faults.append(f"{label}: {claim.id}: stated: {error}")
    yield Claim(**msgspec.structs.asdict(claim), source=source, figure=figure)


def _faults(claim: ClaimTable, path: Path, variants: dict[str, Variant]) -> Iterator[str]:
    """What is wrong with a claim; the variant that it is about is put among `variants`."""
    try:
        variants[claim.about] = variants.get(claim.about) or _about(claim.about, path)
        rows = {row.name: row for row in layers(variants[claim.about].spec)}
        if claim.layer is not None and claim.layer not in rows:
            yield f"layer {claim.layer!r} is not a layer of {claim.about}; {nearest(claim.layer, rows)}"
        elif claim.tensor is not None and claim.layer is not None:
            tensors = [tensor.name for tensor in rows[claim.layer].parameters]
            if claim.tensor not in tensors:
                yield f"tensor {claim.tensor!r} is not a tensor of {claim.layer}; {nearest(claim.tensor, tensors)}"
    except CapsauditError as error:
        yield f"about: {error}"
    yield from _form_faults(claim)


def _about(name: str, path: Path) -> Variant:
    """A shipped variant, or a file beside the claims."""
    return load_variant(path.parent / name if name.endswith(".toml") else name)


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


def _test_faults(test: Test) -> Iterator[str]:
    needs = {
        "knobs": ("knobs", "against"),
        "layers": ("layers",),
        "loss": ("loss", "form") if test.loss == "reconstruction" else ("loss", "m_plus", "m_minus", "weight"),
        "no source": ("source",),
    }[test.kind]
    for name in needs:
        if getattr(test, name) in (None, {}):
            yield f"a check of the kind {test.kind!r} needs {name}"


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
