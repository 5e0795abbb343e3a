"""evaluate: errors counted by hand, a run and its files, and somebody's weights in other layouts."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit import api
from capsaudit.data.digits import load_digits
from capsaudit.errors import CapsauditError
from tests.data.idx_files import small_mnist
from tests.processes import invoke
from tests.train import foreign, foreign_efficient
from tests.train.runs import rows

TEST = load_digits().test
IMAGES = TEST.images.unsqueeze(1).float() / 255


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    return foreign.train_net(folder, foreign.write_net(folder))


@pytest.fixture(scope="module")
def own(run: Path) -> foreign.State:
    return {name: tensor.detach() for name, tensor in api.load(run).state_dict().items()}


def test_a_run_by_its_last_and_its_chosen_weights(run: Path) -> None:
    """Digits, confusion and reconstruction are counted here from what the module of the files gives."""
    done = invoke("evaluate", str(run), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    for place, file in enumerate(("last.safetensors", "best.safetensors")):
        output = api.load(run / file).eval()(IMAGES, TEST.labels)
        predicted = output.scores.argmax(1).tolist()
        wrong = sum(one != other for one, other in zip(predicted, TEST.labels.tolist(), strict=True))
        weights = found["weights"][place]
        assert weights["file"] == file
        assert weights["test_error"] == wrong / 360
        assert weights["standard_error"] == pytest.approx((wrong / 360 * (1 - wrong / 360) / 360) ** 0.5)
        squares = [
            float(((one - other) ** 2).sum()) for one, other in zip(output.reconstruction.detach(), IMAGES, strict=True)
        ]
        assert weights["reconstruction_error"] == pytest.approx(sum(squares) / 360, rel=1e-4)
    counted = [[0] * 10 for _ in range(10)]
    for digit, predicted_digit in zip(TEST.labels.tolist(), predicted, strict=True):
        counted[digit][predicted_digit] += 1
    assert found["confusion"] == counted
    assert found["test_error"] == {
        name: each["test_error"] for name, each in zip(("last", "chosen"), found["weights"], strict=True)
    }


def test_the_errors_are_those_that_training_has_logged(run: Path) -> None:
    epochs = rows(run)["epochs.jsonl"]
    best = min(epochs, key=lambda row: row["validation_error"])
    found = api.evaluate(run)
    assert (found.test_error.last, found.test_error.chosen) == (epochs[-1]["test_error"], best["test_error"])
    assert [weights.epoch for weights in found.weights] == [5, best["epoch"]]
    assert found.notes == ()


def test_a_file_of_capsaudit_says_which_network_it_is_of(run: Path) -> None:
    found = api.evaluate(run / "best.safetensors", data="digits")
    assert found.test_error == api.TestError(last=api.evaluate(run).weights[1].test_error, chosen=None)
    assert (found.foreign, found.readings, found.epochs) == (False, (), None)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("name", foreign.LAYOUTS)
def test_other_layouts_of_the_same_weights_give_the_same_error(
    name: str, suffix: str, run: Path, own: foreign.State, tmp_path: Path
) -> None:
    """The order of channels, that of capsules and the axes of W are found on training images."""
    path, state = tmp_path / f"theirs{suffix}", foreign.LAYOUTS[name](own)
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state, "epoch": 3}, path)
    found = api.evaluate(path, data="digits")
    assert found.test_error.last == api.evaluate(run).test_error.last
    assert found.weights[0].reconstruction_error == pytest.approx(api.evaluate(run).weights[0].reconstruction_error)
    used = [reading.used for reading in found.readings]
    errors = [reading.error for reading in found.readings]
    assert used.count(True) == 1
    assert min(errors) < 0.2 < sorted(errors)[1]
    assert errors[used.index(True)] == min(errors)
    assert found.foreign
    assert found.reading_images == 1000


def test_one_of_several_networks_in_a_checkpoint(run: Path, own: foreign.State, tmp_path: Path) -> None:
    """The average has the trained weights; the network beside it has weights of zero, so that all its capsules have length 0."""
    path = tmp_path / "theirs.pt"
    state = foreign.one_convolution(own)
    zero = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save({"model": zero, "model_ema": state, "critic": {"w": torch.ones(3)}}, path)
    with pytest.raises(api.CapsauditError) as caught:
        api.evaluate(path, data="digits")
    assert "choose one with --part" in str(caught.value)
    trained = api.evaluate(path, part="model_ema", data="digits").test_error.last
    assert trained == api.evaluate(run).test_error.last
    assert api.evaluate(path, part="model", data="digits").test_error.last > 0.8


def test_part_is_for_somebody_elses_files(run: Path) -> None:
    for target in (run, run / "last.safetensors"):
        with pytest.raises(api.CapsauditError, match=r"has weights that capsaudit has trained, .*; --part is for"):
            api.evaluate(target, part="model", data="digits")


def test_the_figure_is_that_of_the_program_with_these_weights(own: foreign.State, tmp_path: Path) -> None:
    """A forward pass that shares nothing with capsaudit finds the same digits."""
    state = foreign.convolution_a_dimension(own)
    save_file(state, tmp_path / "theirs.safetensors")
    wrong = int((foreign.found_by_another_program(state, IMAGES) != TEST.labels).sum())
    found = api.evaluate(tmp_path / "theirs.safetensors", data="digits")
    assert 0 < wrong < 72
    assert found.test_error.last == wrong / 360
    (used,) = (reading for reading in found.readings if reading.used)
    assert (used.channels, used.capsules) == ("channels at equal distances", "type, then place")
    assert used.axes == "class, capsule, input dimension, output dimension"


@pytest.fixture(scope="module")
def efficient_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("efficient")
    return foreign.train_net(folder, foreign_efficient.write_net(folder))


@pytest.fixture(scope="module")
def efficient(efficient_run: Path) -> foreign.State:
    return {name: tensor.detach() for name, tensor in api.load(efficient_run).state_dict().items()}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(foreign_efficient.CODE)
    return path


@pytest.mark.parametrize("name", foreign_efficient.LAYOUTS)
def test_somebody_s_efficient_capsnet(name: str, efficient_run: Path, efficient: foreign.State, tmp_path: Path) -> None:
    save_file(foreign_efficient.LAYOUTS[name](efficient), tmp_path / "theirs.safetensors")
    found = api.evaluate(tmp_path / "theirs.safetensors", data="digits")
    assert found.test_error.last == api.evaluate(efficient_run).test_error.last
    assert (found.foreign, found.variant) == (True, "efficient-capsnet")
    (used,) = (reading for reading in found.readings if reading.used)
    others = [each.error for each in found.readings if _meaning(each) != _meaning(used)]
    assert used.error < 0.1 < min(others)
    assert (used.channels == "channels at equal distances") == (name == "at_equal_distances")
    assert (used.capsules == "type, then place") == (name == "by_type")


def _meaning(reading: api.WeightReading) -> tuple[str, str, str]:
    return reading.channels, reading.capsules, reading.axes


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_an_efficient_capsnet_s_error_is_that_of_another_program(
    epsilon: float, efficient: foreign.State, tmp_path: Path
) -> None:
    """Where variances are small, ε decides, which no file has."""
    state = foreign_efficient.with_small_features(efficient, epsilon)
    save_file(state, tmp_path / "theirs.safetensors")
    wrong = int((foreign_efficient.found_by_another_program(state, IMAGES, epsilon) != TEST.labels).sum())
    found = api.evaluate(tmp_path / "theirs.safetensors", data="digits")
    assert 0 < wrong < 72
    assert found.test_error.last == wrong / 360
    (used,) = (reading for reading in found.readings if reading.used)
    assert used.epsilon == epsilon


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (
            "body.bn1.running_var",
            r"features\.bn1\.running_var of the recognised network has shape \(8,\); the file has none",
        ),
        (
            "body.bn2.weight",
            r"body\.bn2\.scale: belongs to a batch normalisation, but its name does not say what it is",
        ),
    ],
)
def test_a_batch_normalisation_that_cannot_be_read(
    lost: str, message: str, efficient: foreign.State, tmp_path: Path
) -> None:
    state = foreign_efficient.as_others_name_it(efficient)
    tensor = state.pop(lost)
    if lost.endswith("weight"):
        state["body.bn2.scale"] = tensor
    save_file(state, tmp_path / "theirs.safetensors")
    with pytest.raises(CapsauditError, match=message):
        api.evaluate(tmp_path / "theirs.safetensors", data="digits")


@pytest.mark.parametrize(
    ("name", "verdict", "sentence"),
    [
        ("Net", "agrees", "net.py:Net computes the same as this network; every stage agrees."),
        (
            "OverInputs",
            "differs",
            "OverInputs, which computes something else: softmax is the first stage that differs: “over the inputs” in the model",
        ),
    ],
)
def test_the_code_that_the_weights_belong_to(
    name: str, verdict: str, sentence: str, efficient: foreign.State, code: Path, tmp_path: Path
) -> None:
    """The error is the same: that of the network, whatever the code computes."""
    save_file(foreign_efficient.as_others_name_it(efficient), tmp_path / "theirs.safetensors")
    found = api.evaluate(tmp_path / "theirs.safetensors", data="digits", model=f"{code}:{name}")
    assert found.model is not None
    assert found.model.behaviour is not None
    assert found.model.behaviour.verdict == verdict
    assert sentence in " ".join(str(found).split())
    assert found.test_error == api.evaluate(tmp_path / "theirs.safetensors", data="digits").test_error


def test_code_that_the_weights_do_not_belong_to(efficient_run: Path, efficient: foreign.State, code: Path) -> None:
    theirs = code.with_name("theirs.safetensors")
    save_file(foreign_efficient.as_others_name_it(efficient), theirs)
    with pytest.raises(CapsauditError, match=r"Wider: has parameters of other shapes than .*theirs\.safetensors"):
        api.evaluate(theirs, data="digits", model=f"{code}:Wider")
    for own in (efficient_run, efficient_run / "last.safetensors"):
        with pytest.raises(CapsauditError, match=r"has weights that capsaudit has trained, in its own module"):
            api.evaluate(own, data="digits", model=f"{code}:Net")


def test_the_audit_of_what_is_evaluated(run: Path, own: foreign.State, tmp_path: Path) -> None:
    """(3²·1 + 1)·16, (3²·16 + 1)·12, 12·10·4·8, (80 + 1)·16 and (16 + 1)·64 are 8,124."""
    save_file(foreign.one_convolution(own) | {"extra.scale": torch.ones(3)}, tmp_path / "theirs.safetensors")
    found = [api.evaluate(run), api.evaluate(run / "last.safetensors", data="digits")]
    theirs = api.evaluate(tmp_path / "theirs.safetensors", data="digits")
    assert [each.audit.trainable for each in found] == [8124, 8124]
    assert theirs.audit.trainable == 8127
    for each in (*found, theirs):
        named = api.audit_target(each.audit.target)
        assert each.audit == named
        assert each.audit.closest is not None
        assert f"closest to {each.audit.closest} (" in " ".join(str(each).split())
    assert "extra +3" in " ".join(str(theirs).split())


def test_two_axes_of_one_size_are_told_apart(tmp_path: Path) -> None:
    """Dimensions of 4 before W and behind it: the file exchanges them, which nothing but the error shows."""
    net = foreign.write_net(tmp_path)
    net.write_text(net.read_text().replace(f"dimension = {foreign.OUT}", "dimension = 4"))
    run = foreign.train_net(tmp_path, net)
    own = api.load(run).state_dict()
    for name, w in (("exchanged", own["digit_caps.weight"].transpose(2, 3)), ("as is", own["digit_caps.weight"])):
        state = {key: tensor.detach().contiguous() for key, tensor in (own | {"digit_caps.weight": w}).items()}
        save_file(state, tmp_path / f"{name}.safetensors")
        found = api.evaluate(tmp_path / f"{name}.safetensors", data="digits")
        assert found.test_error.last == api.evaluate(run).test_error.last
        (used,) = (reading.axes for reading in found.readings if reading.used)
        last = ["input dimension", "output dimension"]
        assert used.split(", ") == ["capsule", "class", *(reversed(last) if name == "exchanged" else last)]


def test_the_output_says_of_what_the_figure_is(own: foreign.State, tmp_path: Path) -> None:
    state = foreign.one_convolution(own) | {"extra.scale": torch.ones(3), "extra.shift": torch.ones(3)}
    save_file(state, tmp_path / "theirs.safetensors")
    done = invoke("evaluate", str(tmp_path / "theirs.safetensors"), "--data", "digits", columns=200)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "The code that they were trained with was not run and may compute something else" in text
    assert "The reading with the lowest error on the first 1,000 training images was used" in text
    assert "Left out, because the network has no such tensors: extra.scale, extra.shift." in text
    assert re.search(r"Assumed as in .+, because a file does not show it: .*digit_caps\.iterations", text)


def test_nothing_is_written_where_a_run_is_evaluated(run: Path, tmp_path: Path) -> None:
    """A last file that is being replaced belongs to no checkpoint: the one before is evaluated, and the folder stays as it is."""
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    (folder / "last.safetensors").write_bytes(b"half")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    found = api.evaluate(folder)
    assert any("last.safetensors: is damaged" in note for note in found.notes)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_damaged_log_of_a_run(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    log = tmp_path / "copy" / "epochs.jsonl"
    log.write_bytes(b"{" + log.read_bytes())
    with pytest.raises(CapsauditError, match=r"epochs\.jsonl: its first .* bytes are not those of the last checkpoint"):
        api.evaluate(tmp_path / "copy")


def test_other_images_than_those_of_the_run(run: Path, tmp_path: Path) -> None:
    small_mnist(tmp_path / "mnist")
    found = api.evaluate(run, data_dir=tmp_path / "mnist")
    assert found.test_images == 20
    assert "it was trained with others" in found.notes[0]


def test_a_run_of_a_folder_needs_the_folder_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache has another checksum."""
    trained = small_mnist(tmp_path / "trained", train=48)
    run = foreign.train_net(tmp_path, foreign.write_net(tmp_path), data="mnist", data_dir=trained, epochs=1)
    monkeypatch.setattr("capsaudit.commands.train_smoke.fetch_mnist", lambda _: small_mnist(tmp_path / "cache"))
    with pytest.raises(CapsauditError, match=r"was trained on other images .* expected their folder: --data-dir DIR"):
        api.evaluate(run)
    assert api.evaluate(run, data_dir=trained).notes == ()


def test_two_overlaid_digits_by_both_metrics(tmp_path: Path) -> None:
    """The exact share from the run's log; each digit by itself is missed less often, but at least half as often."""
    net = foreign.write_net(tmp_path)
    net.write_text(
        'data = "multimnist"\n'
        + net.read_text().replace("height = 8", "height = 12").replace("width = 8", "width = 12")
    )
    run = foreign.train_net(tmp_path, net, epochs=2, shift=2)
    (last, _) = api.evaluate(run).weights
    assert last.test_error == rows(run)["epochs.jsonl"][-1]["test_error"]
    assert last.test_error / 2 <= last.digit_error < last.test_error
    assert api.evaluate(run).confusion is None
    assert "digits missed" in str(api.evaluate(run))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("none.pt", None, "file not found"),
        ("none.safetensors", None, "file not found"),
        ("run", None, "expected the folder of a run, or a file of weights: .safetensors, .pt, .pth, .bin"),
        ("net.py:Net", None, "expected the folder of a run, or a file of weights: .safetensors, .pt, .pth, .bin"),
        ("empty.pt", b"", "is empty"),
        ("half.safetensors", b"\x10\x27\0\0\0\0\0\0{", "declares a header of 10,000 bytes; only 1 follow"),
        ("noise.pt", b"PK\3\4 and nothing more", "is not a torch checkpoint, or is damaged"),
    ],
)
def test_what_cannot_be_evaluated(file: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    done = invoke("evaluate", str(tmp_path / file), "--data", "digits")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_was_cut_off(own: foreign.State, tmp_path: Path) -> None:
    for path in (tmp_path / "cut.safetensors", tmp_path / "cut.pt"):
        state = foreign.one_convolution(own)
        save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(CapsauditError, match=path.name):
            api.evaluate(path, data="digits")


def test_a_network_of_another_image_size(own: foreign.State, tmp_path: Path) -> None:
    save_file(foreign.one_convolution(own), tmp_path / "theirs.safetensors")
    small_mnist(tmp_path / "mnist")
    with pytest.raises(CapsauditError, match=r"takes images of 1×8×8; the data has 1×28×28"):
        api.evaluate(tmp_path / "theirs.safetensors", data_dir=tmp_path / "mnist")


def test_what_is_no_capsule_network(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 4).state_dict(), tmp_path / "linear.pt")
    with pytest.raises(CapsauditError, match="is not recognised as a capsule network: it has no convolution"):
        api.evaluate(tmp_path / "linear.pt", data="digits")


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(CapsauditError, match=r"has no settings\.toml; expected the folder of a run"):
        api.evaluate(tmp_path)


def test_real_mnist_with_an_untrained_network(mnist_folder: Path, tmp_path: Path) -> None:
    """One class of ten is right by chance."""
    torch.manual_seed(0)
    net = foreign.write_net(tmp_path)
    net.write_text(net.read_text().replace("height = 8", "height = 28").replace("width = 8", "width = 28"))
    torch.save({"model": api.build(net).state_dict()}, tmp_path / "untrained.pt")
    found = api.evaluate(tmp_path / "untrained.pt", data_dir=mnist_folder)
    assert found.test_images == 10_000
    assert found.test_error.last == pytest.approx(0.9, abs=0.06)
    assert sum(map(sum, found.confusion or ())) == 10_000


@pytest.mark.slow
def test_two_hundred_steps_on_real_mnist(mnist_folder: Path, tmp_path: Path) -> None:
    """(60,000 − 10,000) / 250 steps. Nine of ten images are wrong by chance; the run, the same run again and evaluate agree."""
    net = foreign.write_net(tmp_path)
    net.write_text(net.read_text().replace("height = 8", "height = 28").replace("width = 8", "width = 28"))
    settings = {"data_dir": mnist_folder, "data": "mnist", "epochs": 1, "batch_size": 250, "validation": 10_000}
    run = foreign.train_net(tmp_path, net, **settings)
    (epoch,) = rows(run)["epochs.jsonl"]
    assert epoch["step"] == 200
    assert epoch["test_error"] < 0.3
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    foreign.train_net(tmp_path, net, **settings)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    found = [api.evaluate(target, data_dir=mnist_folder) for target in (run, run / "last.safetensors")]
    assert [each.test_error.last for each in found] == [epoch["test_error"]] * 2
    assert [each.test_images for each in found] == [10_000] * 2
