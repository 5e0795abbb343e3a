"""Variants from files: those that a file extends are read with it, and everything that is wrong with any of them is reported together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from capsaudit.catalogue.overrides import with_settings
from capsaudit.catalogue.toml_files import exists, locate, read_table, shipped
from capsaudit.catalogue.variant import Header, Stated, StatedTable, Variant
from capsaudit.errors import FigureError, FileError
from capsaudit.families import FAMILIES, family_of, impossible, layers
from capsaudit.knobs import flatten, known_knobs, merged, to_data
from capsaudit.spec import Data, Spec
from capsaudit.validation import Fault, faults_of, nearest, shown


class VariantFile(Struct, frozen=True):
    """A variant file as read. `header` is None where it has faults; `knobs` are not judged yet."""

    label: str
    path: Path
    table: Data
    header: Header | None
    faults: tuple[str, ...]

    @property
    def knobs(self) -> Data:
        """The tables that are settings of the network."""
        return {key: value for key, value in self.table.items() if key not in Header.__struct_fields__}

    def text(self, key: str) -> str | None:
        """A text of the header, also where other parts of the header have faults."""
        value = self.table.get(key)
        return value if isinstance(value, str) else None


Chain = tuple[VariantFile, ...]
"""A file and all that it extends, child first."""


def load_variant(name: str | Path, *, settings: Sequence[str] = ()) -> Variant:
    """A shipped variant by its id, or one of your own by its path.

    `settings` changes knobs as `--set` does: `["image.size=36", "decoder=none"]`.

    Raises:
        UnknownVariantError: no such id and no such file.
        FileError: everything that is wrong with the file, with those it extends, or with the settings.
    """
    variant = _load_shipped(str(name)) if str(name) in shipped() else _assemble(_read_chain(str(name)))
    return with_settings(variant, settings) if settings else variant


@cache
def load_all() -> tuple[Variant, ...]:
    """Every shipped variant: family by family, by size of the image, the plainest interpretation first."""
    return tuple(sorted(map(load_variant, shipped()), key=_rank))


@cache
def _load_shipped(name: str) -> Variant:
    return _assemble(_read_chain(name))


def _rank(variant: Variant) -> tuple[int, int, int, str]:
    image, families = variant.spec.image, list(FAMILIES)
    size = image.channels * image.height * image.width
    return families.index(family_of(variant.spec).name), size, variant.depth, variant.id


def _read_chain(name: str) -> Chain:
    label, path = locate(name)
    chain = [_read(label, path)]
    while parent := chain[-1].text("extends"):
        label, path = _locate_parent(chain[-1], parent)
        chain.append(_read(label, path))
        if path.resolve() in {link.path.resolve() for link in chain[:-1]}:
            circle = " → ".join(_identify(link) for link in chain)
            raise FileError(f"{chain[-2].label}: extends goes in a circle: {circle}")
    return tuple(chain)


def _locate_parent(child: VariantFile, name: str) -> tuple[str, Path]:
    """A parent is a shipped id, or a path relative to the child's folder."""
    if name in shipped():
        return locate(name)
    path = child.path.parent / name
    if name.endswith(".toml") and exists(path):
        return str(path), path
    raise FileError(
        f"{child.label}: extends is {name!r}, which is neither a variant nor a file; {nearest(name, shipped())}"
    )


def _read(label: str, path: Path) -> VariantFile:
    """Shipped files, which many extend, are read once; others each time."""
    return _read_shipped(label, path) if path in shipped().values() else _read_file(label, path)


def _read_file(label: str, path: Path) -> VariantFile:
    """Faults in what the header says are kept in the result."""
    table = read_table(label, path)
    header, faults = faults_of({key: table[key] for key in Header.__struct_fields__ if key in table}, Header)
    messages = tuple(f"{label}: {fault.path} {fault.message}" for fault in faults)
    return VariantFile(label=label, path=path, table=table, header=header, faults=messages)


_read_shipped = cache(_read_file)


def _identify(file: VariantFile) -> str:
    """What results call this variant: a shipped id, the name of the file, or its path where the name is a shipped id."""
    stem = file.path.stem
    return stem if shipped().get(stem, file.path) == file.path else file.label


def _assemble(chain: Chain) -> Variant:
    """The variant that these files describe together.

    Raises:
        FileError: every fault of every file.
    """
    faults = [fault for file in chain for fault in (*file.faults, *_header_faults(file))]
    spec, spec_faults = _spec(chain)
    faults += spec_faults
    header = chain[0].header
    if spec is not None and header is not None:
        faults += _unknown_rows(chain[0].label, header, spec)
    if spec is None or header is None or faults:
        raise FileError(*faults)
    return Variant(
        id=_identify(chain[0]),
        summary=header.summary,
        parent=_identify(chain[1]) if len(chain) > 1 else None,
        depth=len(chain) - 1,
        spec=spec,
        sources={knob: text for file in reversed(chain) if file.header for knob, text in file.header.sources.items()},
        stated=_stated(header.stated) if header.stated else None,
        expected=header.expected,
        data=next((data for file in chain if (data := file.text("data"))), "digits"),
        file=chain[0].label,
        path=chain[0].path,
    )


def _stated(table: StatedTable) -> Stated:
    return Stated(
        source=table.source,
        total=None if table.total is None else table.parse(table.total),
        layers={layer: table.parse(text) for layer, text in table.layers.items()},
        evidence=table.evidence,
        must_agree=table.must_agree,
    )


def _spec(chain: Chain) -> tuple[Spec | None, list[str]]:
    """The spec that the files give together; each fault is reported for the file that set the value."""
    if faults := list(_family_faults(chain)):
        return None, faults
    kind: type[Spec] = FAMILIES[next(name for file in chain if (name := file.text("family")))].spec
    data: Data = {}
    for file in reversed(chain):
        data = merged(data, file.knobs)
    known = {*kind.__struct_fields__, *Header.__struct_fields__}
    unknown = [Fault(key, f"is unknown; {nearest(key, known)}") for key in sorted(data.keys() - known)]
    spec, found = faults_of({key: value for key, value in data.items() if key in known}, kind)
    faults = [f"{_origin(chain, fault.path)}: {fault.path} {fault.message}" for fault in (*unknown, *found)]
    if spec is not None and (fault := impossible(spec)):
        faults.append(f"{chain[0].label}: {fault}")
    return (None if faults else spec), faults


def _family_faults(chain: Chain) -> Iterator[str]:
    named = {name for file in chain if (name := file.text("family"))}
    if not named:
        families = ", ".join(f'"{name}"' for name in FAMILIES)
        yield f'{chain[0].label}: family is missing; expected one of {families}, or a parent: extends = "paper"'
    for name in sorted(named - FAMILIES.keys()):
        yield f"{chain[0].label}: family is {shown(name)}; {nearest(name, FAMILIES)}"
    if len(named & FAMILIES.keys()) > 1:
        yield f"{chain[0].label}: family differs from that of the variant it extends; extend one of the same family"


def _origin(chain: Chain, path: str) -> str:
    """The file that set the value at `path`: the youngest that mentions it, or else the one that was asked for."""
    for file in chain:
        for knob in flatten(file.knobs):
            if knob == path or knob.startswith(f"{path}.") or path.startswith(f"{knob}."):
                return file.label
    return chain[0].label


def _header_faults(file: VariantFile) -> Iterator[str]:
    """Values without a source, sources without a value, figures that cannot be read."""
    if file.header is None:
        return
    knobs, sources = flatten(file.knobs), file.header.sources
    for knob in knobs:
        if not any(_covers(source, knob) for source in sources):
            yield f'{file.label}: {knob} has no source; say under [sources] where it comes from: "{knob}" = "…"'
    for source in sources:
        if not any(_covers(source, knob) for knob in knobs):
            yield f"{file.label}: sources.{source} is not set in this file; {nearest(source, known_knobs(file.knobs))}"
    if file.header.stated is not None:
        yield from (f"{file.label}: {fault}" for fault in _figure_faults(file.header.stated))


def _covers(source: str, knob: str) -> bool:
    return knob == source or knob.startswith(f"{source}.")


def _figure_faults(stated: StatedTable) -> Iterator[str]:
    figures = {f"stated.layers.{layer}": text for layer, text in stated.layers.items()}
    if stated.total is not None:
        figures["stated.total"] = stated.total
    for where, text in figures.items():
        try:
            stated.parse(text)
        except FigureError as error:
            yield f"{where}: {error}"


def _unknown_rows(label: str, header: Header, spec: Spec) -> Iterator[str]:
    """Statements about layers or knobs that this network does not have."""
    names = [layer.name for layer in layers(spec)]
    for where, table in (("stated", header.stated), ("expected", header.expected)):
        for layer in table.layers if table else ():
            if layer not in names:
                yield f"{label}: {where}.layers.{layer} is not a layer of this network; {nearest(layer, names)}"
    knobs = flatten(to_data(spec))
    for knob in header.expected.knobs if header.expected else ():
        if knob not in knobs:
            yield f"{label}: expected.knobs.{knob} is unknown; {nearest(knob, knobs)}"
