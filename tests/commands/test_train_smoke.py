"""train-smoke as users run it: the same numbers from the same seed, pictures, real interrupts."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.data.idx_files import small_mnist
from tests.processes import invoke, run, start
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


def test_pictures_are_written_and_the_curve_is_the_same_again(tiny: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        done = invoke("train-smoke", "--variant", str(tiny), "--steps", "5", "--pictures", str(folder))
        assert done.returncode in (0, 1), done.stderr
    names = {path.name for path in folders[0].iterdir()}
    assert names == {"tiny-loss.svg", "tiny-reconstructions.png", "tiny-dimensions.png"}
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "tiny-dimensions.png").read_bytes()[:4] == b"\x89PNG"


def test_a_variant_with_a_dollar_in_its_name_has_pictures(tiny: Path, tmp_path: Path) -> None:
    """matplotlib reads what is between two of them as mathematics."""
    tiny.rename(tmp_path / "a$b_{$.toml")
    done = invoke("train-smoke", "a$b_{$.toml", "--steps", "1", "--pictures", "pictures", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"a$b_{{$-{name}" for name in ("loss.svg", "reconstructions.png", "dimensions.png")
    }


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


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX systems")
@pytest.mark.parametrize(("name", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_an_interrupt_reports_what_was_finished(tiny: Path, name: str, code: int, word: str) -> None:
    """The first run ends at once, the second is interrupted when its bar shows that it has taken a step."""
    arguments = ("train-smoke", "--variant", str(tiny), "--variant", "paper", "--steps", "20", "--format", "json")
    with start(*arguments) as (process, terminal):
        terminal.wait_for("paper", process)
        process.send_signal(getattr(signal, name))
        printed, _ = process.communicate(timeout=60)
        assert f"capsaudit: train-smoke {word}" in terminal.text()
    assert process.returncode == code
    found = json.loads(printed)
    assert [done["variant"] for done in found["runs"]] == ["tiny"]
    assert found["interrupted"] is True


@pytest.mark.slow
def test_real_mnist_is_learnt(mnist_folder: Path, tiny: Path) -> None:
    steps = ("--steps", "150", "--learning-rate", "0.003")
    done = run("train-smoke", str(tiny), *steps, "--data-dir", str(mnist_folder), "--format", "json")
    found = json.loads(done.stdout)["runs"][0]
    assert found["verdict"] == "learns", found["because"]
