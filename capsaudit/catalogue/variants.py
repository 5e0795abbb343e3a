"""Finding variant files and assembling a variant from the files that extend each other, or reporting everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from capsaudit.arithmetic import impossible, layers
from capsaudit.catalogue.toml_files import VariantFile, exists, read_variant_file
from capsaudit.catalogue.variant import Header, Variant
from capsaudit.errors import FigureError, FileError, UnknownVariantError
from capsaudit.knobs import Data, flatten, known_knobs, merged, to_data
from capsaudit.published import parse_figure
from capsaudit.spec import FAMILIES, Spec
from capsaudit.validation import Fault, faults_of, nearest, shown

Chain = tuple[VariantFile, ...]


def assemble(chain: Chain) -> Variant:
    """The variant that these files, child first, describe together.

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
        raise FileError(faults)
    return Variant(
        id=identify(chain[0]),
        summary=header.summary,
        parent=identify(chain[1]) if len(chain) > 1 else None,
        depth=len(chain) - 1,
        spec=spec,
        sources={knob: text for file in reversed(chain) if file.header for knob, text in file.header.sources.items()},
        stated=header.stated,
        expected=header.expected,
        data=next((data for file in chain if (data := file.says("data"))), "digits"),
    )


def _spec(chain: Chain) -> tuple[Spec | None, list[str]]:
    """The spec that the files give together; each fault is told at the file that set the value."""
    if faults := list(_family_faults(chain)):
        return None, faults
    kind = FAMILIES[next(name for file in chain if (name := file.says("family")))]
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
    named = {name for file in chain if (name := file.says("family"))}
    if not named:
        yield f'{chain[0].label}: family is missing; expected "capsnet" or "baseline", or a parent: extends = "paper"'
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
    for where, figure in _figures(file.header).items():
        try:
            parse_figure(figure)
        except FigureError as error:
            yield f"{file.label}: {where}: {error}"


def _covers(source: str, knob: str) -> bool:
    return knob == source or knob.startswith(f"{source}.")


def _figures(header: Header) -> dict[str, str]:
    if header.stated is None:
        return {}
    figures = {f"stated.layers.{layer}": figure for layer, figure in header.stated.layers.items()}
    return figures if header.stated.total is None else figures | {"stated.total": header.stated.total}


def _unknown_rows(label: str, header: Header, spec: Spec) -> Iterator[str]:
    """Statements about layers or knobs that this network does not have."""
    names = [layer.name for layer in layers(spec)]
    for where, table in (("stated", header.stated), ("expected", header.expected)):
        for layer in table.layers if table else ():
            if layer not in names:
                yield f"{label}: {where}.layers.{layer} is no layer of this network; {nearest(layer, names)}"
    knobs = flatten(to_data(spec))
    for knob in header.expected.knobs if header.expected else ():
        if knob not in knobs:
            yield f"{label}: expected.knobs.{knob} is unknown; {nearest(knob, knobs)}"


@cache
def shipped(kind: str = "") -> dict[str, Path]:
    """The files that come with capsaudit, by id: variants, or those of the kinds `spaces` and `claims`."""
    package = Path(__file__).resolve().parents[1]
    folder = package / "variants"
    if not folder.is_dir():  # an editable install: the folder stands beside the package
        folder = package.parent / "variants"
    return {path.stem: path for path in sorted((folder / kind).glob("*.toml"), key=lambda path: path.stem)}


def identify(file: VariantFile) -> str:
    """What results call this variant: a shipped id, the name of the file, or its path where the name is a shipped id."""
    stem = file.path.stem
    return stem if shipped().get(stem, file.path) == file.path else file.label


def read_chain(name: str | Path) -> tuple[VariantFile, ...]:
    """The file that is called so and all that it extends, child first.

    Raises:
        UnknownVariantError: no such id and no such file.
        FileError: a file cannot be read, a parent is missing, or the files extend each other in a circle.
    """
    label, path = _locate(str(name))
    chain = [_read(label, path)]
    while parent := chain[-1].says("extends"):
        label, path = _locate_parent(chain[-1], parent)
        chain.append(_read(label, path))
        if path.resolve() in {link.path.resolve() for link in chain[:-1]}:
            circle = " → ".join(identify(link) for link in chain)
            raise FileError([f"{chain[-2].label}: extends goes in a circle: {circle}"])
    return tuple(chain)


def _read(label: str, path: Path) -> VariantFile:
    """Anybody's files are read anew each time; shipped ones, which many extend, once."""
    return _read_shipped(label, path) if path in shipped().values() else read_variant_file(label, path)


_read_shipped = cache(read_variant_file)


def _locate(name: str) -> tuple[str, Path]:
    """Label and path."""
    if name in shipped():
        return f"variants/{name}.toml", shipped()[name]
    if name.endswith(".toml") or exists(Path(name)):
        return name, Path(name)
    hint = nearest(name, shipped())
    hint = f"{hint} " if hint.startswith("did you mean") else ""
    raise UnknownVariantError(
        f"no variant {name!r}; {hint}shipped: {', '.join(shipped())}; or give the path of a .toml file"
    )


def _locate_parent(child: VariantFile, name: str) -> tuple[str, Path]:
    """A parent is a shipped id, or a path from the child's folder on."""
    if name in shipped():
        return _locate(name)
    path = child.path.parent / name
    if name.endswith(".toml") and exists(path):
        return str(path), path
    raise FileError(
        [f"{child.label}: extends is {name!r}, which is no variant and no file; {nearest(name, shipped())}"]
    )
