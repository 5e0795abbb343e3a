"""train-smoke as users run it: the same numbers from the same seed, pictures, real interrupts."""

import json
import signal
import sys
from pathlib import Path

import pytest

from capsaudit.catalogue import Variant, load_variant
from capsaudit.commands.train_smoke import prepare, train_smoke
from capsaudit.data.digits import load_digits
from capsaudit.errors import CapsauditError
from capsaudit.results import FirstLast, Runs, Unfinished
from capsaudit.train.loop import Progress
from capsaudit.train.plan import Plan
from tests.data.idx_files import small_mnist
from tests.processes import invoke, lines, run, start
from tests.train.tiny import write_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path, "article")


def test_the_same_seed_prints_the_same_losses(tiny: Path) -> None:
    """In two processes; another seed gives others."""
    arguments = ("train-smoke", "--variant", str(tiny), "--steps", "12", "--format", "json")
    first = json.loads(run(*arguments).stdout)["runs"][0]
    again = json.loads(invoke(*arguments).stdout)["runs"][0]
    other = json.loads(invoke(*arguments, "--seed", "1").stdout)["runs"][0]
    assert first["losses"] == again["losses"]
    assert first["losses"] != other["losses"]


def test_json_of_the_contract(tiny: Path) -> None:
    done = invoke("train-smoke", "--variant", str(tiny), "--steps", "80", "--seed", "0", "--format", "json")
    found = json.loads(done.stdout)["runs"][0]
    assert done.returncode == (0 if found["verdict"] == "learns" else 1)
    assert done.stderr == ""
    assert set(found) >= {"variant", "data", "seed", "steps", "batch_size", "loss", "accuracy", "images_per_second"}
    assert set(found) >= {"peak_memory_bytes", "parameters", "counted", "updated", "verdict"}
    assert set(found["loss"]) == {"first", "last"}
    assert set(found["accuracy"]) == {"before", "after"}
    assert set(found["parameters"][0]) >= {"name", "count", "updated"}
    assert found["peak_memory_bytes"] > 10_000_000


def test_variants_are_named_as_arguments_or_options(tiny: Path, tmp_path: Path) -> None:
    """In order: arguments, then options."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = write_tiny(folder, "paper").rename(folder / "other.toml")
    done = invoke("train-smoke", str(tiny), "--variant", str(other), "--steps", "1", "--format", "json")
    assert [found["variant"] for found in json.loads(done.stdout)["runs"]] == ["tiny", "other"]


def test_pictures_are_written_or_the_output_says_what_would_make_them_worth_it(tiny: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        done = invoke("train-smoke", "--variant", str(tiny), "--steps", "5", "--pictures", str(folder), columns=300)
        assert done.returncode in (0, 1), done.stderr
        assert f"Pictures: {folder / 'tiny-loss.svg'}." in done.stdout
        assert "tiny, reconstructions: not drawn, because after 5 steps" in done.stdout
        assert "tiny, dimensions: not drawn, because after 5 steps" in done.stdout
        assert "more steps would train the decoder further" in done.stdout
        assert [path.name for path in folder.iterdir()] == ["tiny-loss.svg"]
    one, two = (folder / "tiny-loss.svg" for folder in folders)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_a_longer_run_has_all_pictures(tiny: Path, tmp_path: Path) -> None:
    """The embedded digits, ten times the default's steps at three times its rate."""
    arguments = ("--steps", "600", "--learning-rate", "0.003", "--pictures", str(tmp_path / "pictures"))
    done = invoke("train-smoke", str(tiny), *arguments)
    assert "not drawn" not in done.stdout
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {"tiny-loss.svg", "tiny-reconstructions.png", "tiny-dimensions.png"}


def test_a_variant_with_a_dollar_in_its_name_has_pictures(tiny: Path, tmp_path: Path) -> None:
    """matplotlib reads what is between two of them as mathematics."""
    tiny.rename(tmp_path / "a$b_{$.toml")
    done = invoke("train-smoke", "a$b_{$.toml", "--steps", "1", "--pictures", "pictures", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["a$b_{$-loss.svg"]


def test_a_folder_of_idx_files(tiny: Path, tmp_path: Path) -> None:
    folder = small_mnist(tmp_path / "idx", packed=True)
    done = invoke("train-smoke", "--variant", str(tiny), "--steps", "3", "--data-dir", str(folder), "--format", "json")
    assert "IDX images of 28×28" in json.loads(done.stdout)["runs"][0]["data"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data-dir", "absent"], "absent: is no folder"),
        (["--device", "tpu"], "device 'tpu' cannot be used"),
        (["--steps", "0"], "--steps"),
        (["--batch-size", "0"], "--batch-size"),
        (["--learning-rate", "-1"], "--learning-rate"),
        (["--learning-rate", "nan"], "the learning rate is nan"),
        (["--learning-rate", "inf"], "the learning rate is inf"),
        (["--variant", "papr"], "did you mean 'paper'"),
    ],
)
def test_bad_usage_is_one_message(arguments: list[str], message: str) -> None:
    done = invoke("train-smoke", *arguments, columns=200)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("threads", [0, -1])
def test_there_is_at_least_one_thread(threads: int) -> None:
    with pytest.raises(CapsauditError, match=f"threads is {threads}; expected at least 1"):
        prepare("cpu", threads=threads)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX systems")
@pytest.mark.parametrize(
    ("name", "code", "word"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")],
)
def test_an_interrupt_reports_what_was_finished(tiny: Path, name: str, code: int, word: str) -> None:
    """The first run ends at once, the second is interrupted when its bar is shown, the third never starts."""
    arguments = ("train-smoke", str(tiny), "paper", "article", "--steps", "60", "--format", "json")
    with start(*arguments) as (process, terminal):
        terminal.wait_for("paper", process)
        process.send_signal(getattr(signal, name))
        printed, _ = process.communicate(timeout=60)
        assert f"capsaudit: train-smoke {word}" in terminal.text()
    assert process.returncode == code
    found = json.loads(printed)
    assert [done["variant"] for done in found["runs"]] == ["tiny"]
    assert found["interrupted"] is True
    left = found["unfinished"]
    assert (left["variant"], left["planned"]) == ("paper", 60)
    assert 0 <= left["steps"] < 60
    assert (left["loss"]["first"] is None) == (left["steps"] == 0)
    assert found["not_started"] == ["article"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is a terminal on POSIX systems")
def test_the_first_sign_of_life_needs_no_torch(tiny: Path) -> None:
    """Importing torch takes seconds: a bar is shown before that, and another one while the accuracy before training is measured."""
    with start("train-smoke", str(tiny), "--steps", "1") as (process, terminal):
        process.wait(timeout=60)
        shown = lines(terminal.text())
    assert shown.index("preparing") < shown.index("tiny") < shown.index("accuracy before training")


def test_what_was_interrupted_is_reported(tiny: Path) -> None:
    """While the accuracy before training is measured, in the second step, and after the last run."""
    variant = load_variant(tiny)

    def interrupted_at(step: int, *variants: Variant) -> Runs:
        def watch(_name: str, progress: Progress) -> None:
            if progress.step == step:
                raise KeyboardInterrupt

        return train_smoke(variants, load_digits(), Plan(steps=3, batch_size=2), watch=watch)

    early = interrupted_at(0, variant, variant)
    assert early == Runs(
        runs=(),
        interrupted=True,
        unfinished=Unfinished(variant="tiny", steps=0, planned=3, loss=FirstLast(first=None, last=None)),
        not_started=("tiny",),
    )
    late = interrupted_at(2, variant)
    assert late.unfinished is not None
    assert late.unfinished.steps == 2
    whole = train_smoke([variant], load_digits(), Plan(steps=3, batch_size=2)).runs[0]
    assert late.unfinished.loss == FirstLast(first=whole.losses[0], last=whole.losses[1])


def test_an_interrupt_while_pictures_are_drawn_loses_no_run(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("capsaudit.commands.train_smoke.draw", interrupt)
    result = train_smoke([load_variant(tiny)], load_digits(), Plan(steps=1), pictures=tmp_path)
    assert ([run.variant for run in result.runs], result.interrupted) == (["tiny"], True)
    assert (result.unfinished, result.not_started) == (None, ())


@pytest.mark.slow
def test_real_mnist_is_learnt(mnist_folder: Path, tiny: Path) -> None:
    steps = ("--steps", "150", "--learning-rate", "0.003")
    done = run("train-smoke", str(tiny), *steps, "--data-dir", str(mnist_folder), "--format", "json")
    found = json.loads(done.stdout)["runs"][0]
    assert found["verdict"] == "learns", found["because"]
