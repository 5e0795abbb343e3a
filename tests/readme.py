"""What `cog` puts into the README: real output of real commands, and variants that are really counted."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def shown(
    command: str, *, columns: int = 80, files: dict[str, str] | None = None, code: int = 0, lines: int | None = None
) -> None:
    """Print a command and its output as a fenced block. `files` are there while it runs; another exit code is an error.

    `lines`: only so many of the first ones.
    """
    printed = output(command, columns=columns, files=files, code=code).splitlines()
    print("\n".join(["", "```console", f"$ {command}", *printed[:lines], *["…"] * (lines is not None), "```", ""]))


def example(*names: str) -> dict[str, str]:
    """Files of tests/examples."""
    return {name: (Path(__file__).parent / "examples" / name).read_text() for name in names}


def output(command: str, *, columns: int = 80, files: dict[str, str] | None = None, code: int = 0) -> str:
    """Standard output of a `capsaudit` command, without the spaces at the ends of its lines."""
    program, *arguments = shlex.split(command)
    if program != "capsaudit":
        raise ValueError(command)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (files or {}).items():
            (Path(folder) / name).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "capsaudit", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            check=False,
            env=os.environ | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"},
        )
    if done.returncode != code:
        raise RuntimeError(f"{command}: exit code {done.returncode}, expected {code}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")


def toml_block(readme: str, name: str) -> str:
    """The TOML that the README itself shows under the heading comment `# name`."""
    text = Path(readme).read_text()
    block = next(block for block in text.split("```toml\n")[1:] if block.startswith(f"# {name}\n"))
    return block.partition("```")[0]


def figures() -> None:
    """The figures of the paper and of the article as a table, with the verdicts that `capsaudit claims` computes."""
    claims = json.loads(output("capsaudit claims --format json", code=1))["claims"]
    wanted = ("article-total", "article-official-figure")
    shown = [c for c in claims if c["id"] in wanted or (c["source"] == "paper" and c["layer"] is None and c["exact"])]
    print("\n| source | figure | variant | exact | verdict |\n| --- | ---: | --- | ---: | --- |")
    for claim in shown:
        verdict = _verdict(claim)
        stated = f"{int(claim['stated']):,}" if claim["stated"].isdecimal() else claim["stated"]
        print(f"| {claim['source']} | {stated} | `{claim['about']}` | {claim['exact']:,} | {verdict} |")
    print()


def _verdict(claim: dict[str, Any]) -> str:
    if claim["verdict"] == "misattributed":
        return f"**misattributed**: true of `{claim['true_of'][0]}`"
    also = ", ".join(f"`{name}`" for name in claim["also"])
    return f"{claim['verdict']}; {also} too" if also else str(claim["verdict"])
