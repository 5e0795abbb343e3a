"""Where variants are found: shipped ones by id, anybody's by path, and the files that a file extends."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from capsaudit.catalogue.files import VariantFile, exists, read_variant_file
from capsaudit.errors import FileError, UnknownVariantError
from capsaudit.validation import nearest


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
