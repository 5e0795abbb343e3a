"""The mutants of small sources, and what is said of those that no test notices."""

from pathlib import Path

import pytest

from tests.mutation import Outcome, equivalents, main, mirror_of, mutants_of, sources


def changes(text: str) -> list[tuple[str, str]]:
    return [(mutant.before, mutant.after) for mutant in mutants_of("x.py", text)]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("x = a + b\n", ["x = (a - b)"]),
        ("x = a * b // c\n", ["x = (a * b * c)", "x = (a // b) // c"]),
        ("x = a < b <= c\n", ["x = (a <= b <= c)", "x = (a < b < c)"]),
        ("x = a is None or not b\n", ["x = (a is None and (not b))", "x = (a is not None) or not b", "x = a is None or (b)"]),
        ("x += y\n", ["x = y", "x -= y"]),
        ("x |= y\n", ["x = y"]),
        ("x = f(1, keep=True)\n", ["x = f(2, keep=True)", "x = f(0, keep=True)", "x = f(1, keep=False)"]),
        ("x = -0.5\n", ["x = (0.5)", "x = -1.5", "x = -(-0.5)"]),
        ("x = 'é', a == b\n", ["x = 'é', (a != b)"]),
        ("x = (a +\n     b)\n", ["x = ((a - b))"]),
    ],
)  # fmt: skip
def test_one_change_at_a_time(text: str, after: list[str]) -> None:
    assert [changed for _, changed in changes(text)] == after
    assert {before for before, _ in changes(text)} == {" ".join(text.split())}


@pytest.mark.parametrize(
    "text",
    ["def f(x: int | Literal[1]) -> Literal[2]: ...\n", "class A(B, frozen=True): ...\n", "x = f'{1}'\n", "x = 'a'\n"],
)
def test_what_is_no_code_is_not_changed(text: str) -> None:
    assert changes(text) == []


def test_the_rest_of_the_file_stays_as_it_is() -> None:
    (mutant,) = mutants_of("x.py", "# é\nif a > b:  # ü\n    pass\n")
    assert (mutant.line, mutant.text) == (2, "# é\nif (a >= b):  # ü\n    pass\n")


def test_mirrored_tests() -> None:
    assert mirror_of("capsaudit/arithmetic.py") == Path("tests/test_arithmetic.py")
    assert mirror_of("capsaudit/families/__init__.py") == Path("tests/families/test_init.py")
    assert sources(["capsaudit/models/kernels"]) == [
        f"capsaudit/models/kernels/{name}.py" for name in ("convolution", "routing", "scratch", "votes")
    ]


def test_each_equivalent_mutant_exists_and_has_a_reason() -> None:
    root = Path(__file__).parents[1]
    for (path, before, after), reason in equivalents().items():
        made = [(each.before, each.after) for each in mutants_of(path, (root / path).read_text(encoding="utf-8"))]
        assert (before, after) in made
        assert reason


@pytest.mark.parametrize(
    ("outcome", "known", "code"),
    [(Outcome.FAILED, False, 0), (Outcome.PASSED, False, 1), (Outcome.PASSED, True, 0), (Outcome.LATE, False, 0)],
)
def test_a_survivor_without_a_reason_fails(
    outcome: Outcome, known: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mutant of a file, and tests that are not run."""
    seen: list[str] = []

    def tried(copy: Path, *_: Path) -> Outcome:
        seen.append((copy / "capsaudit/models/network.py").read_text(encoding="utf-8"))
        return Outcome.PASSED if len(seen) == 1 else outcome

    monkeypatch.setattr("tests.mutation._outcome", tried)
    path = "capsaudit/models/network.py"
    original = (Path(__file__).parents[1] / path).read_text(encoding="utf-8")
    reasons = {(path, each.before, each.after): "known" for each in mutants_of(path, original)}
    monkeypatch.setattr("tests.mutation.equivalents", lambda: reasons if known else {})
    assert main(["--count", "1", path]) == code
    assert seen[0] == original
    assert seen[1] != original
    assert f"1 of {len(reasons)} mutants" in capsys.readouterr().out
    assert (Path(__file__).parents[1] / path).read_text(encoding="utf-8") == original
