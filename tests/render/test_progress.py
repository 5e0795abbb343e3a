"""Progress bars: in a terminal, and nothing in a pipe."""

import io
import time
from collections.abc import Callable
from typing import get_args

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from capsaudit.inspection.process import Stage
from capsaudit.render import progress
from capsaudit.render.progress import Bars, bars, stages


def shown(move: Callable[[Bars], None]) -> str:
    """What a terminal of 100 columns shows after some moves."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TextColumn("{task.fields[status]}"))
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system=None)
    with Progress(*columns, console=console, auto_refresh=False) as live:
        move(Bars(live))
        live.refresh()
    return stream.getvalue()


def test_a_bar_for_each_variant_with_its_last_state() -> None:
    def move(found: Bars) -> None:
        found.training("paper", 1, 80, 0.5, 0.1, 100)
        found.training("paper", 40, 80, 0.25, 0.75, 1234)
        found.training("article", 1, 80, 0.5, 0.1, 100)

    last = shown(move).split("\x1b[1A")[-1]
    assert "40/80 loss 0.250 · accuracy 75% · 1,234 images/s" in last
    assert last.count("paper") == 1
    assert "article" in last


def test_the_first_bar_is_there_before_any_run_and_gives_way_to_it() -> None:
    assert "preparing" in shown(lambda found: found.preparing())

    def move(found: Bars) -> None:
        found.preparing()
        found.training("paper", 0, 80, None, None, None)

    last = shown(move).split("\x1b[1A")[-1]
    assert "preparing" not in last.splitlines()[-1]
    assert "0/80 accuracy before training" in last


def test_a_full_run_has_its_epoch_and_the_error_of_the_one_before() -> None:
    def move(found: Bars) -> None:
        found.epochs("paper", 1, 10, 300, 4290, 0.0125, None, 210.4)
        found.epochs("paper", 2, 10, 430, 4290, 0.0125, 0.0061, 210.4)

    first, last = shown(lambda found: found.epochs("paper", 1, 10, 300, 4290, 0.0125, None, 210.4)), shown(move)
    assert "300/4290 epoch 1/10 · loss 0.0125 · 210 images/s" in " ".join(first.split())
    assert "430/4290 epoch 2/10 · loss 0.0125 · error 0.61% · 210 images/s" in " ".join(
        last.split("\x1b[1A")[-1].split()
    )


def test_steps_of_an_earlier_process_are_no_measure_of_the_time_left() -> None:
    """The first step that is seen is where a run goes on."""
    with Progress() as live:
        Bars(live).epochs("paper", 1, 10, 4000, 4290, 0.0125, None, 210.4)
        assert live.tasks[0].speed is None


def test_names_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither markup of rich nor control characters."""
    stream = io.StringIO()

    def terminal(file: object) -> Console:  # noqa: ARG001
        return Console(file=stream, width=200, force_terminal=True, color_system=None)

    monkeypatch.setattr(progress, "Console", terminal)
    with bars() as found:
        found.training("[bold]a[/bold]\n::error::\x1b]0;x\x07", 1, 80, 0.5, 0.1, 100)
    assert r"[bold]a[/bold]\n:\x3aerror:\x3a\x1b]0;x\x07" in stream.getvalue()


def test_a_file_of_unknown_size_grows_with_what_has_come() -> None:
    text = shown(lambda found: found.fetching("images", 3 * 2**20, 0))
    assert "3.0 MiB" in text
    assert f"{3 * 2**20}/{3 * 2**20}" in text.replace(" ", "")


def test_a_small_space_has_no_bar() -> None:
    assert "searching" not in shown(lambda found: found.searching(0, 1))
    assert "searching" in shown(lambda found: found.searching(1, 40))


def test_nothing_is_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as found:
        found.searching(1, 40)
        found.training("paper", 1, 80, 0.5, 0.1, 100)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_bars_are_on_standard_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def terminal(file: io.TextIOBase) -> Console:
        return Console(file=file, width=100, force_terminal=True, color_system=None)  # type: ignore[arg-type]

    monkeypatch.setattr(progress, "Console", terminal)
    with bars() as found:
        found.searching(1, 40)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "searching" in captured.err


@pytest.mark.parametrize(("is_terminal", "patience"), [(True, 0.01), (True, 60.0), (False, 0.01)])
def test_a_line_says_what_takes_long(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, patience: float) -> None:
    """In a terminal, and not before some seconds have passed. The target's name is text."""
    stream = io.StringIO()
    made = Console(file=stream, width=100, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda file: made)  # noqa: ARG005
    monkeypatch.setattr(progress, "_PATIENCE", patience)
    with stages() as found:
        found("net.py:[bold]Net\x1b[31m", "imported")
        time.sleep(0.3)
        found("net.py:[bold]Net\x1b[31m", "run")
    said = is_terminal and patience < 1
    assert (r"importing net.py:[bold]Net\x1b[31m …" in stream.getvalue()) == said
    assert stream.getvalue() == "" or said


def test_every_stage_has_its_words() -> None:
    assert set(progress._DOING) == set(get_args(Stage))
