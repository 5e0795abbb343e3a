"""train as users run it: its JSON, real signals, a full disk, several processes, and everything that can be wrong with a folder."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.train.session import RunProgress
from tests.data.idx_files import small_mnist
from tests.processes import ignoring, invoke, run, start
from tests.train.runs import BATCH, EPOCHS, STEPS, command, rows, train, write_small
from tests.train.tiny import write_tiny

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are those of POSIX systems")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("variant"))


@pytest.fixture(scope="module")
def undisturbed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    train(small, folder)
    return folder


@pytest.fixture
def stopped(small: Path, tmp_path: Path) -> Path:
    """A run that was interrupted after step 50."""
    folder = tmp_path / "stopped"

    def watch(at: RunProgress) -> None:
        if at.step == 50:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(small, folder, watch=watch)
    return folder


def test_json_of_the_contract(small: Path, tmp_path: Path) -> None:
    """10 % of 360 test images wrong has a standard error of √(0.1 · 0.9 / 360); the logs have the same errors."""
    done = invoke(*command(small, tmp_path / "run", "--format", "json"))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    epochs = rows(tmp_path / "run")["epochs.jsonl"]
    best = min(epochs, key=lambda row: row["validation_error"])
    error = best["test_error"]
    assert found["test_error"] == {"last": epochs[-1]["test_error"], "chosen": error}
    assert (found["run"], found["variant"], found["epochs"]) == (str(tmp_path / "run"), "small", EPOCHS)
    assert found["chosen_epoch"] == best["epoch"]
    assert found["standard_error"] == pytest.approx((error * (1 - error) / 360) ** 0.5)
    assert (found["steps"], found["validation_images"]) == (EPOCHS * STEPS, 119)


def test_the_error_is_that_of_the_weights_in_the_files(undisturbed: Path) -> None:
    """Counted here: images of the test set, as they are, whose longest capsule is another digit."""
    from torch.nn import functional as F

    from capsaudit.data.digits import load_digits

    test = load_digits().test
    images = F.interpolate(test.images.unsqueeze(1).float(), (10, 10), mode="bilinear").round() / 255
    epochs = rows(undisturbed)["epochs.jsonl"]
    best = min(epochs, key=lambda row: row["validation_error"])
    for name, row in (("last", epochs[-1]), ("best", best)):
        model = api.load(undisturbed / f"{name}.safetensors").eval()
        wrong = (model(images).scores.argmax(1) != test.labels).float().mean()
        assert row["test_error"] == pytest.approx(float(wrong))
    assert api.load(undisturbed).state_dict().keys() == model.state_dict().keys()


def test_audit_names_the_trained_variant(tmp_path: Path) -> None:
    """The file has the model's tensors alone: 10 steps of the smallest shipped variant."""
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        api.train(
            "efficient-capsnet",
            output=folder,
            epochs=1,
            batch_size=4,
            data="digits",
            threads=1,
            watch=lambda _: signal.raise_signal(signal.SIGINT),
        )
    found = json.loads(invoke("audit", str(folder / "last.safetensors"), "--format", "json").stdout)
    assert (found["closest"], found["difference"]) == ("efficient-capsnet", 0)


def test_an_interrupt_saves_the_step_that_was_taken(stopped: Path, undisturbed: Path, small: Path) -> None:
    assert json.loads((stopped / "manifest.json").read_text())["step"] == 50
    assert len(rows(stopped)["steps.jsonl"]) == 50
    train(small, stopped)
    assert rows(stopped) == rows(undisturbed)


@POSIX
@pytest.mark.parametrize(("name", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_a_signal_saves_first(name: str, code: int, word: str, small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [*command(small, folder), "--epochs", "100000"]
    with start(*arguments) as (process, terminal):
        terminal.wait_for("images/s", process)
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=60) == code
        shown = " ".join(terminal.text().split())
    saved = json.loads((folder / "manifest.json").read_text())["step"]
    assert len(rows(folder)["steps.jsonl"]) == saved
    assert f"saved at step {saved:,} of 4,100,000; the same command goes on from there" in shown
    assert f"capsaudit: train {word}" in shown


@POSIX
def test_a_process_that_was_killed_goes_on_with_the_same_command(
    small: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "capsaudit", *command(small, folder, "--checkpoint-seconds", "0")]
    )
    while process.poll() is None and not (folder / "previous").exists():
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = run(*command(small, folder, "--format", "csv"))
    assert done.returncode == 0, done.stderr
    assert rows(folder) == rows(undisturbed)


@POSIX
def test_on_a_full_disk_nothing_is_lost(stopped: Path, undisturbed: Path, small: Path) -> None:
    """No file may grow beyond 40 kB: the log fits, the optimiser's state does not."""
    import resource

    before = {path: path.read_bytes() for path in stopped.glob("*.safetensors")}
    done = subprocess.run(
        [sys.executable, "-m", "capsaudit", *command(small, stopped)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert done.returncode == 2
    assert done.stderr == f"capsaudit: {stopped / 'state.safetensors'}: cannot be written: File too large\n"
    assert {path: path.read_bytes() for path in stopped.glob("*.safetensors")} == before
    train(small, stopped)
    assert rows(stopped) == rows(undisturbed)


@POSIX
def test_two_processes_of_torchrun_train_as_one_does(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The same batches, half of each in either process: the same losses but for the rounding of sums, and the same files."""
    folder = tmp_path / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "capsaudit", *command(small, folder, "--format", "json")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=ignoring(),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["processes"] == 2
    ours, theirs = rows(folder)["steps.jsonl"], rows(undisturbed)["steps.jsonl"]
    assert len(ours) == len(theirs) == EPOCHS * STEPS
    assert [row["loss"] for row in ours[:20]] == pytest.approx([row["loss"] for row in theirs[:20]], rel=1e-5)
    assert {path.name for path in folder.iterdir()} == {path.name for path in undisturbed.iterdir()}
    with pytest.raises(CapsauditError, match="processes of this run is 2, not 1"):
        train(small, folder)


def refused(small: Path, folder: Path, *more: str) -> str:
    done = invoke(*command(small, folder, *more))
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "tpu"), "device 'tpu' cannot be used"),
        (("--device", "meta"), "device 'meta' cannot be used"),
        (("--device", "cuda:99"), "device 'cuda:99' cannot be used"),
        (("--batch-size", "1319"), "batch_size is 1,319; expected at most the 1,318 training images"),
        (("--validation", "1437"), "validation is 1,437; expected fewer than the 1,437 training images"),
        (("--decay", "1.5"), "decay is 1.5; expected a number above 0, at most 1"),
        (("--no-margin", "--no-reconstruction"), "expected at least one loss to train with"),
        (("--decay-to-floor", "--rate-floor", "0"), "rate_floor is 0.0; expected a number above 0"),
        (("--learning-rate", "inf"), "learning_rate is inf; expected at least 0"),
    ],
)
def test_settings_that_cannot_be_leave_no_run(
    options: tuple[str, ...], message: str, small: Path, tmp_path: Path
) -> None:
    assert message in refused(small, tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_files_is_refused(small: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert "has thesis.tex and no settings.toml; expected a new folder, or that of a run" in refused(small, tmp_path)


def test_a_file_is_no_folder(small: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    assert f"{tmp_path / 'run'}: cannot be written: File exists" in refused(small, tmp_path / "run")


def test_a_folder_of_another_network_is_refused(undisturbed: Path, small: Path) -> None:
    """It is named by the settings that differ, and `--fork` does not help."""
    message = refused(small, undisturbed, "--set", "conv1.channels=5", "--fork")
    assert "network.conv1.channels of this run is 4, not 5; expected the same, or another --output" in message


def test_settings_that_cannot_be_read(undisturbed: Path, small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    text = (undisturbed / "settings.toml").read_text()
    for wrong, message in (
        ("epochs = []", "is not TOML"),
        (text.replace("batch_size = 32", 'batch_size = "x"'), 'protocol.batch_size is "x"; expected an integer'),
        (text.replace('family = "capsnet"', 'family = "capsnets"'), "did you mean 'capsnet'?"),
        (text.replace("epochs = 3", "epochs = 0"), "epochs is 0; expected at least 1"),
    ):
        (folder / "settings.toml").write_text(wrong if "TOML" not in message else "epochs = [")
        assert message in refused(small, folder)


def test_images_that_have_changed_are_refused(small: Path, tmp_path: Path) -> None:
    images, folder = small_mnist(tmp_path / "mnist"), tmp_path / "run"
    more = ("--data-dir", str(images), "--batch-size", "10", "--epochs", "1")
    assert invoke(*command(small, folder, *more)).returncode == 0
    path = images / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    message = refused(small, folder, *more)
    assert "the images or labels are not those that this run was trained on (data_sha256)" in message
    moved = images.rename(tmp_path / "elsewhere")
    path = moved / path.name
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert invoke(*command(small, folder, *more, "--data-dir", str(moved))).returncode == 0


@POSIX
def test_two_processes_do_not_train_one_run(small: Path, tmp_path: Path) -> None:
    messages: list[str] = []

    def watch(at: RunProgress) -> None:
        if at.step == 1:
            messages.append(refused(small, tmp_path / "run"))

    train(small, tmp_path / "run", watch=watch)
    assert "another process is training this run" in messages[0]


def test_a_loss_that_is_not_finite_ends_the_run(small: Path, tmp_path: Path) -> None:
    message = refused(small, tmp_path / "run", "--learning-rate", "1e30")
    assert "is not finite; the checkpoint before stays" in message
    assert json.loads((tmp_path / "run/manifest.json").read_text())["step"] == 0


def test_every_file_of_a_run_is_documented(undisturbed: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/files.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(.+?)` \|", page.partition("## Runs")[2], re.MULTILINE))
    assert {path.name + "/" * path.is_dir() for path in undisturbed.iterdir()} == named


def test_without_validation_there_is_no_best(small: Path, tmp_path: Path) -> None:
    """⌊1437 / 32⌋ = 44 steps."""
    result = train(small, tmp_path / "run", validation=0, epochs=1)
    assert (result.steps, result.chosen_epoch, result.test_error.chosen) == (44, None, None)
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_a_dry_run_writes_nothing(small: Path, tmp_path: Path, stopped: Path) -> None:
    done = invoke(*command(small, tmp_path / "run", "--dry-run", "--format", "json"))
    found = json.loads(done.stdout)
    assert (found["steps"], found["steps_done"], found["training_images"]) == (EPOCHS * STEPS, 0, 1318)
    assert found["training_seconds"] == pytest.approx(EPOCHS * STEPS * BATCH / found["images_per_second"])
    assert not (tmp_path / "run").exists()
    before = {path: path.stat().st_mtime_ns for path in stopped.rglob("*")}
    again = json.loads(invoke(*command(small, stopped, "--dry-run", "--format", "json")).stdout)
    assert again["steps_done"] == 50
    assert {path: path.stat().st_mtime_ns for path in stopped.rglob("*")} == before


def test_the_disk_that_is_announced_is_the_disk_that_is_used(small: Path, undisturbed: Path) -> None:
    done = invoke(*command(small, undisturbed, "--dry-run", "--format", "json"))
    used = sum(path.stat().st_size for path in undisturbed.rglob("*.safetensors"))
    assert json.loads(done.stdout)["disk_bytes"] == pytest.approx(used, rel=0.2)


def test_pictures_are_those_of_the_last_epoch(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    result = train(small, undisturbed, pictures=tmp_path)
    assert [picture.kind for picture in result.pictures] == ["loss", "reconstructions", "dimensions"]
    assert (tmp_path / "small-loss.svg").exists()


def test_training_in_a_thread_holds_no_signal_back(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(small, tmp_path / "run"))
    thread.start()
    thread.join()
    assert rows(tmp_path / "run") == rows(undisturbed)


def test_arguments_of_the_function(small: Path, tmp_path: Path) -> None:
    with pytest.raises(CapsauditError, match="expected either a protocol or its settings"):
        api.train(small, output=tmp_path)
    with pytest.raises(CapsauditError, match="no setting 'sede'; did you mean 'seed'"):
        api.train(small, output=tmp_path, epochs=1, sede=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_real_mnist_is_learnt(mnist_folder: Path, tmp_path: Path) -> None:
    """55,000 / 275 = 200 steps; 10,000 test images, of which chance would find a tenth."""
    variant = write_tiny(tmp_path, "paper")
    settings = ("--epochs", "1", "--batch-size", "275", "--learning-rate", "0.003", "--format", "json")
    done = run("train", str(variant), *settings, "--output", str(tmp_path / "run"), "--data-dir", str(mnist_folder))
    found = json.loads(done.stdout)
    assert (found["steps"], found["validation_images"], found["test_images"]) == (200, 5000, 10_000)
    assert found["test_error"]["last"] < 0.2
