"""Pictures of a run: what is drawn, under which names, and the same bytes again."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib.image
import msgspec
import pytest
import torch
from matplotlib.figure import Figure

from capsaudit.catalogue import load_variant
from capsaudit.data.batches import Batch
from capsaudit.data.digits import load_digits
from capsaudit.errors import CapsauditError
from capsaudit.models.fully_connected import Decoder
from capsaudit.results import Reason, RunPicture
from capsaudit.text import escaped
from capsaudit.train import pictures
from capsaudit.train.pictures import _Decoded, _decoded, _dimensions, _loss_curve, _reconstructions, draw
from capsaudit.train.plan import Plan
from capsaudit.train.smoke import Trained, smoke
from tests.names import unsafe
from tests.train.tiny import write_tiny

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pictures are drawn, however short the run."""
    monkeypatch.setattr(pictures, "LEAST_EXPLAINED", 0.0)
    monkeypatch.setattr(pictures, "LEAST_CHANGE", 0.0)


def files(drawn: tuple[RunPicture, ...]) -> list[Path]:
    assert all(bool(picture.file) != bool(picture.reasons) for picture in drawn)
    return [Path(picture.file) for picture in drawn if picture.file]


def decoded(trained: Trained) -> _Decoded:
    seen = _decoded(trained)
    assert seen is not None
    return seen


def figures(trained: Trained) -> list[Figure]:
    made = [
        _loss_curve(trained.run),
        *(draw(trained.run, decoded(trained)) for draw in (_reconstructions, _dimensions)),
    ]
    return [figure for figure in made if not isinstance(figure, Reason)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    path = write_tiny(tmp_path_factory.mktemp("tiny"), "paper")
    return smoke(load_variant(path), load_digits(), Plan(steps=3))


@pytest.mark.usefixtures("anything")
def test_a_curve_reconstructions_and_dimensions(trained: Trained, tmp_path: Path) -> None:
    drawn = draw(trained, tmp_path / "deep" / "folder")
    assert [picture.kind for picture in drawn] == ["loss", "reconstructions", "dimensions"]
    paths = files(drawn)
    assert [path.name for path in paths] == ["tiny-loss.svg", "tiny-reconstructions.png", "tiny-dimensions.png"]
    assert sorted(path.name for path in (tmp_path / "deep" / "folder").iterdir()) == sorted(path.name for path in paths)
    for path in paths[1:]:
        pixels = matplotlib.image.imread(path)
        assert pixels.std() > 0.05, "nothing is drawn"
    assert ET.parse(paths[0]).getroot().tag == f"{SVG}svg"


@pytest.mark.usefixtures("anything")
def test_rows_and_columns_are_labelled(trained: Trained) -> None:
    """Eleven steps from −0.25 to 0.25; the small network has capsules of 8 dimensions. Ten held-out images are shown."""
    _, reconstructions, dimensions = figures(trained)
    above, below = reconstructions.axes[:10], reconstructions.axes[10:]
    labels = decoded(trained).batch.targets[:10, 0].tolist()
    assert [axes.get_title() for axes in above] == [f"label {label}" for label in labels]
    assert all(re.fullmatch(r"found \d", axes.get_title()) for axes in below)
    assert [axes.get_ylabel() for axes in (above[0], below[0])] == ["held-out image", "reconstruction"]
    assert [axes.get_ylabel() for axes in dimensions.axes[::11]] == [f"dimension {number}" for number in range(1, 9)]
    titles = [axes.get_title() for axes in dimensions.axes]
    assert titles[:11] == [f"{step / 100:+.2f}" for step in range(-25, 26, 5)]
    assert not any(titles[11:])


def test_a_decoder_that_has_learnt_too_little_is_not_drawn(trained: Trained, tmp_path: Path) -> None:
    """After three steps. Each is left out by itself."""
    curve, *others = draw(trained, tmp_path)
    assert files((curve, *others)) == [tmp_path / "tiny-loss.svg"] == [*tmp_path.iterdir()]
    assert [(picture.kind, *(why.code for why in picture.reasons)) for picture in others] == [
        ("reconstructions", "explained too little"),
        ("dimensions", "changed too little"),
    ]
    assert others[0].reasons[0].values["steps"] == 3


class Shades(Decoder):
    """A decoder whose images have one pixel, the class times `slope`, and the second dimension of its capsule times `effect`."""

    def __init__(self, slope: float, effect: float = 0.0) -> None:
        torch.nn.Module.__init__(self)
        self.slope, self.effect = slope, effect

    def reconstruct(self, capsules: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        second = capsules[torch.arange(len(capsules)), targets, 1]
        return (self.slope * targets + self.effect * second).view(-1, 1, 1, 1)


def seen(decoder: Shades) -> _Decoded:
    """Two images of a pixel each, black of class 0 and white of class 1, both recognised."""
    targets = torch.tensor([[0], [1]])
    images = targets.float().view(-1, 1, 1, 1)
    capsules = torch.zeros(2, 2, 3)
    scores = torch.eye(2)
    return _Decoded(decoder, Batch(images, targets, images.unsqueeze(1)), scores, capsules, images)


@pytest.mark.parametrize(
    ("slope", "explained"),
    [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (float("nan"), 0.0)],
)
def test_the_share_of_the_variance_that_is_explained(slope: float, explained: float) -> None:
    """Around their mean, 0.5, the two pixels have 0.25 + 0.25; a slope of 0.5 leaves 0.5² of it; of 0 leaves 1, more than all."""
    assert seen(Shades(slope)).explained == pytest.approx(explained)


def test_reconstructions_are_drawn_from_a_fifth_of_the_variance_on(trained: Trained) -> None:
    """A slope of s leaves (1 − s)² of 0.5: 0.38 leaves 0.3844, explained 0.231; 0.36 leaves 0.4096, explained 0.181."""
    assert isinstance(_reconstructions(trained.run, seen(Shades(0.38))), Figure)
    assert isinstance(_reconstructions(trained.run, seen(Shades(0.36))), Reason)


def test_dimensions_are_drawn_from_three_tenths_of_the_range_on(trained: Trained) -> None:
    """From −0.25 to 0.25 a dimension changes a pixel by half its effect."""
    assert isinstance(_dimensions(trained.run, seen(Shades(0.5, 0.61))), Figure)
    why = _dimensions(trained.run, seen(Shades(0.5, 0.59)))
    assert isinstance(why, Reason)
    assert why.values["change"] == pytest.approx(0.295)


@pytest.mark.usefixtures("anything")
def test_the_same_run_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    one, two = (files(draw(trained, tmp_path / name)) for name in ("one", "two"))
    assert len(one) == 3
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_network_without_a_decoder_has_a_curve_only(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, "paper")
    without = load_variant(path, settings=["decoder=none"])
    drawn = draw(smoke(without, load_digits(), Plan(steps=2)), tmp_path / "pictures")
    assert [picture.kind for picture in drawn] == ["loss"]


def test_a_run_whose_loss_was_never_finite_has_a_curve_as_well(trained: Trained, tmp_path: Path) -> None:
    run = msgspec.structs.replace(trained.run, losses=(None, None), variant="a/b")
    (curve,) = files(draw(msgspec.structs.replace(trained, run=run), tmp_path))
    assert curve.name == "a_b-loss.svg"
    assert curve.stat().st_size > 1000


@pytest.mark.usefixtures("anything")
def test_a_name_is_text_in_every_picture(trained: Trained, tmp_path: Path) -> None:
    r"""matplotlib would read `$\frac` as mathematics that does not end. Beside the shapes of its letters it writes each text as a comment."""
    name = "$\\frac{$a\n::error::\x1b\u202e"
    run = msgspec.structs.replace(trained.run, variant=name)
    curve, *others = files(draw(msgspec.structs.replace(trained, run=run), tmp_path))
    assert len(others) == 2
    assert f"<!-- {escaped(name)}: " in curve.read_text()
    assert not unsafe(curve.read_text())


def test_a_folder_that_cannot_be_written_is_one_message(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CapsauditError, match="pictures could not be written"):
        draw(trained, tmp_path / "file")


@pytest.mark.usefixtures("anything")
@pytest.mark.parametrize("name", ["a$b$", "$", r"$\\frac{", "a\x1b\x00b"])
def test_a_name_is_no_mathematics_and_no_control_sequence(trained: Trained, tmp_path: Path, name: str) -> None:
    titled = msgspec.structs.replace(trained, run=msgspec.structs.replace(trained.run, variant=name))
    curve, *others = figures(titled)
    titles = [curve.axes[0].title, *(figure._suptitle for figure in others)]  # type: ignore[attr-defined]
    assert len(titles) == 3
    assert all(title.get_text().startswith(escaped(name)) for title in titles)
    assert not any(title.get_parse_math() for title in titles)
    if "\x00" not in name:
        assert ET.parse(files(draw(titled, tmp_path))[0]).getroot().tag == f"{SVG}svg"


def test_pictures_are_written_to_pipes_and_through_links(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "tiny-loss.svg").symlink_to("elsewhere.svg")
    draw(trained, tmp_path)
    assert (tmp_path / "tiny-loss.svg").is_symlink()
    assert ET.parse(tmp_path / "elsewhere.svg").getroot().tag == f"{SVG}svg"


def test_losses_of_a_run_are_finite_numbers_or_nothing(trained: Trained) -> None:
    """What the curve is drawn from."""
    assert len(trained.run.losses) == 3
    assert all(loss is not None and math.isfinite(loss) for loss in trained.run.losses)
