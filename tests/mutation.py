"""Whether the tests notice a change: one operator or constant at a time, in a copy of the tree.

python -m tests.mutation                              300 mutants of the parts that compute
python -m tests.mutation --count 20 --seed 7 PATH     20 of these files or folders
python -m tests.mutation --wider                      what the mirrored tests miss meets the tests of its folder and of the commands

A mutant that the tests of its own file do not notice needs a test, or its entry in `mutation_equivalent.toml` with the reason why
no test could notice it. Written here because mutmut neither samples nor runs the mirrored tests alone, and because cosmic-ray has one
test command for all files and changes the checkout itself.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch  # noqa: F401 so that what runs the tests need not
from hypothesis import Phase, settings
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = ROOT / "tests/mutation_equivalent.toml"
SECONDS = 60
"""How long tests may take for one mutant. A few on a busy machine, and endless loops, take longer: these are listed."""

settings.register_profile("mutation", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
"""Always the same examples. One that fails is enough: making it smaller takes minutes."""

PARTS = (
    "arithmetic.py",
    "published.py",
    "families",
    "models",
    "interpretations",
    "inspection",
    "recognition",
    "commands",
)

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


class Mutant(Struct, frozen=True, order=True):
    """A change of one file. `before` and `after` are its lines without the indentation, by which it is known."""

    path: str
    line: int
    before: str
    after: str
    text: str
    """The whole file, changed."""


class Outcome(Enum):
    """What the tests do with a mutant, as it is printed."""

    PASSED = "SURVIVED"
    FAILED = "noticed"
    LATE = "too long"


def mutants_of(path: str, text: str) -> list[Mutant]:
    """Every mutant of a file."""
    return [_mutant(path, text, node, new) for node in _code(ast.parse(text)) for new in _changed(node)]


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs: no annotations and options of classes, and no f-strings, whose parts have no true places before Python 3.12."""
    declared = {"annotation", "returns", *(("keywords",) if isinstance(tree, ast.ClassDef) else ())}
    fields = [value for name, value in ast.iter_fields(tree) if name not in declared]
    for node in (each for value in fields for each in (value if isinstance(value, list) else [value])):
        if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr):
            yield node
            yield from _code(node)


def _changed(node: ast.AST) -> list[str]:
    """The source of each change of this node itself."""
    match node:
        case ast.Constant(value=bool()):
            return [str(not node.value)]
        case ast.Constant(value=int() | float() as number):
            return [str(number + 1), str(number - 1) if number >= 1 else f"({number - 1})"]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return [f"({ast.unparse(node.operand)})"]
        case ast.AugAssign():
            target, value = ast.unparse(node.target), ast.unparse(node.value)
            opposite = OTHER.get(type(node.op))
            return [f"{target} = {value}", *([_with(node, "op", opposite())] if opposite else [])]
        case ast.BinOp() | ast.BoolOp() if opposite := OTHER.get(type(node.op)):
            return [f"({_with(node, 'op', opposite())})"]
        case ast.Compare():
            return [f"({_with(node, 'ops', ops)})" for ops in _comparisons(node.ops)]
    return []


def _comparisons(ops: list[ast.cmpop]) -> Iterator[list[ast.AST]]:
    for place, op in enumerate(ops):
        yield [*ops[:place], OTHER[type(op)](), *ops[place + 1 :]]


def _with(node: ast.AST, field: str, value: object) -> str:
    kept = getattr(node, field)
    setattr(node, field, value)
    try:
        return ast.unparse(node)
    finally:
        setattr(node, field, kept)


def _mutant(path: str, text: str, node: ast.AST, new: str) -> Mutant:
    """`node` replaced. The places that `ast` knows are lines and bytes within them."""
    assert isinstance(node, ast.expr | ast.stmt)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    lines = text.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno
    changed = lines[first][: node.col_offset] + new.encode() + lines[last - 1][node.end_col_offset :]
    after = b"".join([*lines[:first], changed, *lines[last:]]).decode()
    return Mutant(path, node.lineno, _shown(b"".join(lines[first:last])), _shown(changed), after)


def _shown(source: bytes) -> str:
    return " ".join(source.decode().split())


def mirror_of(path: str) -> Path:
    """The tests that mirror a file of the package."""
    inside = Path(path).relative_to("capsaudit")
    return Path("tests") / inside.parent / f"test_{inside.stem.strip('_')}.py"


def sources(paths: Sequence[str]) -> list[str]:
    """The files at `paths` that have tests of their own, relative to the root."""
    found = (
        file
        for path in paths
        for file in ([ROOT / path] if path.endswith(".py") else sorted((ROOT / path).rglob("*.py")))
    )
    names = (file.relative_to(ROOT).as_posix() for file in found)
    return [name for name in names if (ROOT / mirror_of(name)).exists()]


def equivalents() -> dict[tuple[str, str, str], str]:
    """The reason why no test can notice a mutant, by its path and its lines before and after."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {(each["path"], each["before"], each["after"]): each["reason"] for each in entries}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sample. 1 if a mutant survives that has no reason to."""
    options = _parser().parse_args(arguments)
    every = [mutant for path in sources(options.paths) for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))]
    sample = sorted(random.Random(options.seed).sample(every, min(options.count, len(every))))
    print(f"{len(sample)} of {len(every)} mutants", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "*cache*"))
        return _report({mutant: _tried(copy, mutant, wider=options.wider) for mutant in sample})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation", description="Change the code; see whether a test fails."
    )
    parser.add_argument("paths", nargs="*", default=[f"capsaudit/{part}" for part in PARTS], help="files or folders")
    parser.add_argument("--count", type=int, default=300, help="how many mutants at most")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--wider", action="store_true", help="then the tests of the folder and of the commands")
    return parser


def _tried(copy: Path, mutant: Mutant, *, wider: bool) -> Outcome:
    mirror = mirror_of(mutant.path)
    _expect_to_pass(copy, mirror)
    (copy / mutant.path).write_text(mutant.text, encoding="utf-8")
    found = _outcome(copy, mirror)
    if found is Outcome.PASSED and wider:
        found = _outcome(copy, mirror.parent, Path("tests/commands"))
    shutil.copyfile(ROOT / mutant.path, copy / mutant.path)
    print(f"{found.value:<9} {_described(mutant)}", flush=True)
    return found


@cache
def _expect_to_pass(copy: Path, mirror: Path) -> None:
    """Tests that fail without a change would notice every mutant."""
    if _outcome(copy, mirror) is Outcome.FAILED:
        raise SystemExit(f"{mirror} fails on unchanged code")


def _outcome(copy: Path, *tests: Path) -> Outcome:
    """In a fork of this process, which has imported torch: that takes longer than most tests."""
    process = get_context("fork").Process(target=_run_tests, args=(copy, tests))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return Outcome.LATE
    return Outcome.FAILED if process.exitcode else Outcome.PASSED


def _run_tests(copy: Path, tests: Sequence[Path]) -> None:
    """Without bytecode: a mutant may have the size and the second of the file before it, by which Python knows its bytecode."""
    os.chdir(copy)
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(copy), *(folder for folder in sys.path if Path(folder).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("capsaudit", "tests")]:
        del sys.modules[name]
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is imported already
    os._exit(pytest.main([*options, *map(str, tests)]))


def _described(mutant: Mutant) -> str:
    return f"{mutant.path}:{mutant.line}: {mutant.before}  →  {mutant.after}"


def _report(tried: dict[Mutant, Outcome]) -> int:
    reasons = equivalents()
    survivors = [mutant for mutant, outcome in tried.items() if outcome is Outcome.PASSED]
    unexplained = [each for each in survivors if (each.path, each.before, each.after) not in reasons]
    late = [mutant for mutant, outcome in tried.items() if outcome is Outcome.LATE]
    noticed = len(tried) - len(survivors) - len(late)
    equivalent = len(survivors) - len(unexplained)
    print(
        f"\n{noticed} noticed, {equivalent} equivalent, {len(late)} not decided in {SECONDS} s, {len(unexplained)} survived"
    )
    print("\n".join(map(_described, late + unexplained)))
    return int(bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
