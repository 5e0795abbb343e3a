"""What `cog` writes into the README and docs/: output of commands, files of examples/, options and keys, taken from where they are defined."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def shown(command: str, *, code: int = 0, since: str | None = None, until: str | None = None) -> None:
    """Print a command and its output as a code block. Another exit code than `code` is an error.

    `since`, `until`: the texts at the start of the lines before which and from which the output is left out.
    """
    printed, found, _ = output(command, code=code).partition(f"\n{until}" if until else "\0")
    _, cut, printed = printed.rpartition(f"\n{since}" if since else "\0")
    _block("console", f"$ {command}\n" + f"…\n{since}" * bool(cut) + printed + "\n…" * bool(found))


def source(path: str) -> None:
    """Print a file of the repository as a code block."""
    _block(Path(path).suffix.removeprefix("."), (ROOT / path).read_text(encoding="utf-8"))


def tables(command: str) -> None:
    """Print the tables of a command's Markdown."""
    lines = output(f"{command} --format markdown").splitlines()
    for is_table, rows in groupby(lines, key=lambda line: line.startswith("|")):
        if is_table:
            print("", *rows, "", sep="\n")


def figures() -> None:
    """The figures of the paper and of the article as a table, with the verdicts that `capsaudit claims` computes."""
    claims = json.loads(output("capsaudit claims --witness formula --format json", code=1))["claims"]
    wanted = ("article-total", "article-official-figure")
    chosen = [c for c in claims if c["id"] in wanted or (c["source"] == "paper" and c["layer"] is None and c["exact"])]
    rows = [[c["source"], _figure(c["stated"]), f"`{c['about']}`", f"{c['exact']:,}", _verdict(c)] for c in chosen]
    _table(["source", "figure", "variant", "exact", "verdict"], rows)


def commands() -> None:
    """A section for each command: what it does, its arguments and options."""
    from typer.main import get_command

    from capsaudit.cli import app

    group: Any = get_command(app)
    for name, command in group.commands.items():
        print(f"\n## {name}\n\n{' '.join(command.help.split())}")
        rows = [[f"`{_spelled(each)}`", _meaning(each)] for each in command.params]
        _table(["argument or option", "meaning"], rows)


def results() -> None:
    """A section for each JSON Schema of a result: its objects, each with its description and its keys."""
    for path in sorted((ROOT / "capsaudit/schemas").glob("*.json")):
        print(f"\n## {path.stem}")
        objects = json.loads(path.read_text(encoding="utf-8"))["$defs"]
        _table(["object", "what it is", "keys"], [_object(name, each) for name, each in objects.items()])


@cache
def output(command: str, *, code: int = 0) -> str:
    """Standard output of a `capsaudit` command, run beside examples/, without the spaces at the ends of its lines."""
    program, *arguments = shlex.split(command)
    if program != "capsaudit":
        raise ValueError(command)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples")
        done = subprocess.run(
            [sys.executable, "-m", "capsaudit", *arguments],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=folder,
            check=False,
            env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        )
    if done.returncode != code:
        raise RuntimeError(f"{command}: exit code {done.returncode}, expected {code}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")


def _block(language: str, text: str) -> None:
    print("", f"```{language}", text.strip("\n"), "```", "", sep="\n")


def _table(heads: list[str], rows: list[list[str]]) -> None:
    print("", *_lines(heads, rows), "", sep="\n")


def _lines(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    right = ("figure", "exact")
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---:' if head in right else '---' for head in heads)} |"
    yield from (f"| {' | '.join(_cell(text) for text in row)} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _figure(stated: str) -> str:
    return f"{int(stated):,}" if stated.isdecimal() else stated


def _verdict(claim: dict[str, Any]) -> str:
    if claim["verdict"] == "misattributed":
        return f"**misattributed**: true of `{claim['true_of'][0]}`"
    also = ", ".join(f"`{name}`" for name in claim["also"])
    return f"{claim['verdict']}; {also} too" if also else str(claim["verdict"])


def _spelled(parameter: Any) -> str:
    """An option with the name of its value, an argument by its name."""
    if parameter.param_type_name == "argument":
        return str(parameter.human_readable_name)
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {'NAME' if _choices(parameter) else _value(parameter)}"


def _value(parameter: Any) -> str:
    return str(parameter.metavar or parameter.type.name.split()[0].upper())


def _choices(parameter: Any) -> str:
    """The values that an option may have, where they have names."""
    spelled = (parameter.metavar or "").strip("[]").split("|")  # of an option that may be given several times
    return ", ".join(getattr(parameter.type, "choices", spelled if len(spelled) > 1 else ()))


def _meaning(parameter: Any) -> str:
    chosen = f" One of: {choices}." if (choices := _choices(parameter)) else ""
    if getattr(parameter, "is_flag", False) or parameter.default in (None, (), []):
        return f"{parameter.help}{chosen}"
    return f"{parameter.help}{chosen} Default: `{parameter.default}`."


def _object(name: str, schema: dict[str, Any]) -> list[str]:
    description = " ".join(schema.get("description", "").split()).replace(" Attributes: ", " ")
    return [f"`{name}`", description, ", ".join(f"`{key}`" for key in schema["properties"])]
