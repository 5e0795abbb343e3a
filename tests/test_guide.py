"""docs/guides/guarding.md, run as it stands in an empty folder: files are written or compared, commands must print what it shows."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.processes import invoke

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "guarding.md"
WRITTEN_BY_HAND = ("models.py", "pyproject.toml")


def blocks() -> Iterator[tuple[str, str]]:
    """The language of each block of the guide, and its text."""
    for match in re.finditer(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        yield match[1], match[2]


def test_the_guide_holds_in_an_empty_folder(tmp_path: Path) -> None:
    """2,442 = (27 + 1)·64 + (64 + 1)·10; one channel more is 28 + 10 more."""
    codes = []
    for language, text in blocks():
        first, _, rest = text.partition("\n")
        if language == "console":
            done = invoke(*first.removeprefix("$ capsaudit ").split(), cwd=tmp_path)
            assert done.stdout + done.stderr == rest
            codes.append(done.returncode)
        elif (name := first.removeprefix("# ")) in WRITTEN_BY_HAND:
            (tmp_path / name).write_text(rest)
        else:
            assert (tmp_path / name).read_text() == rest
    assert codes == [2, 0, 0, 1]
    assert rest.count("::error file=net.claims.toml,line=") == 3
    assert [64 * 28 + 65 * 10, 65 * 28 + 66 * 10] == [2_442, 2_480]
