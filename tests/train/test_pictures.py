"""Pictures of a run: what is drawn, under which names, and the same bytes again."""

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib.image
import msgspec
import pytest

from capsaudit.catalogue import load_variant
from capsaudit.data.digits import load_digits
from capsaudit.errors import CapsauditError
from capsaudit.text import escaped
from capsaudit.train.pictures import _dimensions, _loss_curve, _reconstructions, draw
from capsaudit.train.plan import Plan
from capsaudit.train.smoke import Trained, smoke
from tests.names import unsafe
from tests.train.tiny import write_tiny

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    path = write_tiny(tmp_path_factory.mktemp("tiny"), "paper")
    return smoke(load_variant(path), load_digits(), Plan(steps=3))


def test_a_curve_reconstructions_and_dimensions(trained: Trained, tmp_path: Path) -> None:
    paths = draw(trained, tmp_path / "deep" / "folder")
    assert [path.name for path in paths] == ["tiny-loss.svg", "tiny-reconstructions.png", "tiny-dimensions.png"]
    assert sorted(path.name for path in (tmp_path / "deep" / "folder").iterdir()) == sorted(path.name for path in paths)
    for path in paths[1:]:
        pixels = matplotlib.image.imread(path)
        assert pixels.std() > 0.05, "nothing is drawn"
    assert ET.parse(paths[0]).getroot().tag == f"{SVG}svg"


def test_the_same_run_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    one, two = (draw(trained, tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_network_without_a_decoder_has_a_curve_only(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, "paper")
    without = load_variant(path, settings=["decoder=none"])
    drawn = draw(smoke(without, load_digits(), Plan(steps=2)), tmp_path / "pictures")
    assert [path.suffix for path in drawn] == [".svg"]


def test_a_run_whose_loss_was_never_finite_has_a_curve_as_well(trained: Trained, tmp_path: Path) -> None:
    run = msgspec.structs.replace(trained.run, losses=(None, None), variant="a/b")
    (curve, *_) = draw(msgspec.structs.replace(trained, run=run), tmp_path)
    assert curve.name == "a_b-loss.svg"
    assert curve.stat().st_size > 1000


def test_a_name_is_text_in_every_picture(trained: Trained, tmp_path: Path) -> None:
    r"""matplotlib would read `$\frac` as mathematics that does not end. Beside the shapes of its letters it writes each text as a comment."""
    name = "$\\frac{$a\n::error::\x1b\u202e"
    run = msgspec.structs.replace(trained.run, variant=name)
    curve, *others = draw(msgspec.structs.replace(trained, run=run), tmp_path)
    assert len(others) == 2
    assert f"<!-- {escaped(name)}: " in curve.read_text()
    assert not unsafe(curve.read_text())


def test_a_folder_that_cannot_be_written_is_one_message(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CapsauditError, match="pictures could not be written"):
        draw(trained, tmp_path / "file")


@pytest.mark.parametrize("name", ["a$b$", "$", r"$\\frac{", "a\x1b\x00b"])
def test_a_name_is_no_mathematics_and_no_control_sequence(trained: Trained, tmp_path: Path, name: str) -> None:
    titled = msgspec.structs.replace(trained, run=msgspec.structs.replace(trained.run, variant=name))
    figures = [_loss_curve(titled.run), _reconstructions(titled), _dimensions(titled)]
    titles = [figures[0].axes[0].title, *(figure._suptitle for figure in figures[1:])]  # type: ignore[attr-defined]
    assert all(title.get_text().startswith(name.replace("\x1b\x00", "\ufffd\ufffd")) for title in titles)
    assert not any(title.get_parse_math() for title in titles)
    curve, *others = draw(titled, tmp_path) if "\x00" not in name else [tmp_path / "x.svg"]
    if others:
        assert ET.parse(curve).getroot().tag == f"{SVG}svg"


def test_pictures_are_written_to_pipes_and_through_links(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "tiny-loss.svg").symlink_to("elsewhere.svg")
    draw(trained, tmp_path)
    assert (tmp_path / "tiny-loss.svg").is_symlink()
    assert ET.parse(tmp_path / "elsewhere.svg").getroot().tag == f"{SVG}svg"


def test_losses_of_a_run_are_finite_numbers_or_nothing(trained: Trained) -> None:
    """What the curve is drawn from."""
    assert len(trained.run.losses) == 3
    assert all(loss is not None and math.isfinite(loss) for loss in trained.run.losses)
