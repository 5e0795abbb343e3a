"""Short runs: verdicts that can fail, the same numbers from the same seed, real interrupts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from capsaudit import api
from capsaudit.catalogue import load_variant, shipped
from capsaudit.data.digits import load_digits
from capsaudit.models import build
from capsaudit.results import Runs
from capsaudit.train.losses import Objective
from capsaudit.train.smoke import Plan, smoke
from tests.data.idx_files import small_mnist
from tests.processes import run

TINY = """
extends = "{parent}"
summary = "a network small enough to train in a second"
[image]
height = 16
width = 16
[conv1]
channels = 32
kernel = 5
[primary_caps]
types = 8
kernel = 3
[digit_caps]
dimension = 8
[decoder]
hidden = [32]
[sources]
image = "a test"
conv1 = "a test"
primary_caps = "a test"
digit_caps = "a test"
decoder = "a test"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(parent="article"))
    return path


def runs(path: Path, *settings: str, **plan: object) -> Runs:
    return api.train_smoke(load_variant(path, settings=settings), plan=Plan(**{"steps": 60, **plan}))  # type: ignore[arg-type]


def test_a_small_article_learns_and_everything_moves(tiny: Path) -> None:
    result = runs(tiny, steps=150, rate=0.003)
    (done,) = result.runs
    assert done.verdict == "learns", done.because
    assert done.accuracy.after > 0.5
    assert done.counted == done.updated == api.count(tiny).trainable == sum(p.count for p in done.parameters)
    assert result.agrees


def test_one_iteration_leaves_the_articles_logits_unreachable(tiny: Path) -> None:
    """c is the coupling of the first iteration, b the prior of the later ones; with one there are none."""
    (done,) = runs(tiny, "digit_caps.iterations=1").runs
    assert done.verdict == "unreachable"
    assert [p.name for p in done.parameters if not p.reached] == ["digit_caps.logits"]
    assert done.counted - done.updated == next(p.count for p in done.parameters if p.name == "digit_caps.logits")


def test_the_last_iteration_alone_leaves_the_first_coupling_unreachable(tiny: Path) -> None:
    (done,) = runs(tiny, "digit_caps.gradient=last").runs
    assert done.verdict == "unreachable"
    assert [p.name for p in done.parameters if not p.reached] == ["digit_caps.coupling"]


def test_a_rate_of_zero_does_not_learn(tiny: Path) -> None:
    (done,) = runs(tiny, rate=0.0).runs
    assert (done.verdict, done.updated) == ("does not learn", 0)


def test_without_any_loss_nothing_is_reached(tiny: Path) -> None:
    (done,) = runs(tiny, objective=Objective(margin=False, reconstruction=False)).runs
    assert done.verdict == "unreachable"
    (without,) = runs(tiny, objective=Objective(reconstruction=False)).runs
    assert {p.name for p in without.parameters if not p.reached} == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


def test_a_loss_that_is_not_finite_stops_the_run(tiny: Path) -> None:
    (done,) = runs(tiny, rate=1e30).runs
    assert done.verdict == "does not learn"
    assert "not finite" in done.because
    assert done.steps < 60
    assert done.loss.last is None


def test_frozen_logits_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(parent="frozen-logits"))
    (done,) = runs(path).runs
    assert "digit_caps.logits" not in {p.name for p in done.parameters}
    assert done.counted == done.updated


def test_two_digits_are_learnt_apart(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text('data = "multimnist"\n' + TINY.format(parent="paper").replace("= 16", "= 20"))
    trained = smoke(load_variant(path), load_digits(), Plan(steps=20))
    assert "two of different classes overlaid" in trained.run.data
    assert trained.run.counted == trained.run.updated
    assert trained.run.loss.last < trained.run.loss.first  # type: ignore[operator]


@pytest.mark.parametrize("variant", sorted(shipped()))
def test_blank_images_and_zero_vectors_give_no_nan(variant: str) -> None:
    spec = load_variant(variant).spec
    if spec.image.height * spec.image.width > 800 and variant.startswith("baseline"):
        pytest.skip("a baseline has neither capsules nor squash; its size would only cost time")
    model = build(spec)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.zero_()  # so that blank images make zero vectors everywhere
    output = model(torch.zeros(2, spec.image.channels, spec.image.height, spec.image.width), torch.tensor([0, 1]))
    loss = output.scores.square().sum() + (0 if output.reconstruction is None else output.reconstruction.sum())
    loss.backward()
    assert output.scores.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_the_same_seed_prints_the_same_losses(tiny: Path) -> None:
    arguments = ("train-smoke", "--variant", str(tiny), "--steps", "12", "--format", "json")
    first, again = (json.loads(run(*arguments).stdout)["runs"][0] for _ in range(2))
    other = json.loads(run(*arguments, "--seed", "1").stdout)["runs"][0]
    assert first["losses"] == again["losses"]
    assert first["losses"] != other["losses"]


def test_json_of_the_contract(tiny: Path) -> None:
    done = run("train-smoke", "--variant", str(tiny), "--steps", "80", "--seed", "0", "--format", "json")
    told = json.loads(done.stdout)["runs"][0]
    assert done.returncode == (0 if told["verdict"] == "learns" else 1)
    assert done.stderr == ""
    assert set(told) >= {"variant", "data", "seed", "steps", "batch_size", "loss", "accuracy", "images_per_second"}
    assert set(told) >= {"peak_memory_bytes", "parameters", "counted", "updated", "verdict"}
    assert set(told["loss"]) == {"first", "last"}
    assert set(told["accuracy"]) == {"before", "after"}
    assert set(told["parameters"][0]) >= {"name", "count", "updated"}
    assert told["peak_memory_bytes"] > 10_000_000


def test_pictures_are_written_and_the_curve_is_the_same_again(tiny: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        done = run("train-smoke", "--variant", str(tiny), "--steps", "5", "--pictures", str(folder))
        assert done.returncode in (0, 1), done.stderr
    names = {path.name for path in folders[0].iterdir()}
    assert names == {"tiny-loss.svg", "tiny-reconstructions.png", "tiny-dimensions.png"}
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "tiny-dimensions.png").read_bytes()[:4] == b"\x89PNG"


def test_a_folder_of_idx_files(tiny: Path, tmp_path: Path) -> None:
    folder = small_mnist(tmp_path / "idx", packed=True)
    done = run("train-smoke", "--variant", str(tiny), "--steps", "3", "--data-dir", str(folder), "--format", "json")
    assert "IDX images of 28×28" in json.loads(done.stdout)["runs"][0]["data"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data-dir", "absent"], "absent: is no folder"),
        (["--device", "tpu"], "device 'tpu' cannot be used"),
        (["--steps", "0"], "--steps"),
        (["--batch-size", "0"], "--batch-size"),
        (["--learning-rate", "-1"], "--learning-rate"),
        (["--variant", "papr"], "did you mean 'paper'"),
    ],
)
def test_bad_usage_is_one_message(arguments: list[str], message: str) -> None:
    done = run("train-smoke", *arguments, columns=200)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_reports_what_was_finished(tiny: Path, tmp_path: Path) -> None:
    """The first run ends at once, the second is interrupted in the middle of its steps."""
    report = tmp_path / "report.json"
    arguments = [
        "train-smoke",
        "--variant",
        str(tiny),
        "--variant",
        "paper",
        "--steps",
        "400",
        "--pictures",
        str(tmp_path),
    ]
    with report.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "capsaudit", *arguments, "--format", "json"],
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"COLUMNS": "80"},
        )
        deadline = time.monotonic() + 90
        while not (tmp_path / "tiny-dimensions.png").exists():  # the first run is finished
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        process.wait(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - start < 20  # a second on an idle machine; this one may be busy
    told = json.loads(report.read_text())
    assert [done["variant"] for done in told["runs"]] == ["tiny"]
    assert told["interrupted"] is True


def test_real_mnist_is_learnt(mnist_folder: Path, tiny: Path) -> None:
    done = run(
        "train-smoke",
        "--variant",
        str(tiny),
        "--steps",
        "150",
        "--learning-rate",
        "0.003",
        "--data-dir",
        str(mnist_folder),
        "--format",
        "json",
    )
    told = json.loads(done.stdout)["runs"][0]
    assert told["verdict"] == "learns", told["because"]
