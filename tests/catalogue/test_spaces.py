"""A space of interpretations as a file: every fault is reported, with its place and what would have worked."""

from pathlib import Path

import pytest

from capsaudit.catalogue import load_variant, shipped
from capsaudit.catalogue.spaces import Space, load_space, load_spaces, space_around
from capsaudit.errors import CapsauditError, FileError
from capsaudit.interpretations.axes import axes

SPACE = 'family = "capsnet"\nsummary = "mine"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def knob(name: str, *values: str) -> str:
    alternatives = ", ".join(f'{{ value = {value}, assumption_cost = 1, source = "me" }}' for value in values)
    return f'[[knobs]]\nknob = "{name}"\nalternatives = [{alternatives}]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "family is missing", id="empty file"),
        pytest.param(SPACE, "knobs is missing", id="no knobs"),
        pytest.param(SPACE + "knobs = []\n", "knobs is empty; expected at least one", id="empty knobs"),
        pytest.param(SPACE + knob("image.size"), "image.size.alternatives is empty; expected at least one", id="empty list"),
        pytest.param(SPACE + knob("image.sise", "36"), "there is no knob 'image.sise' in paper; did you mean 'image.size'?", id="unknown knob"),
        pytest.param(SPACE + knob("image.size", '"big"'), 'image.height is "big"; expected a positive integer', id="wrong value"),
        pytest.param(SPACE + knob("digit_caps.logits", '"learned"'), 'digit_caps.logits is "learned"; expected "zero"', id="unknown word"),
        pytest.param(SPACE + knob("counting.nothing", '"counted"'), "counting.nothing is unknown", id="unknown convention"),
        pytest.param(SPACE + knob("counting.frozen", '"maybe"'), 'has the value "maybe"; expected "left out"', id="convention"),
        pytest.param(SPACE + knob("image.size", "36", "36"), "image.size lists 36 twice", id="value twice"),
        pytest.param(SPACE + knob("image.size", "36") * 2, "image.size is listed twice", id="knob twice"),
        pytest.param(SPACE + knob("image.size", "36") + knob("image.height", "36"), "image.height and image.size set the same", id="sides"),
        pytest.param(SPACE + knob("image.size", "36").replace("= 1", "= -1"), "assumption_cost is -1; expected an integer from 0", id="cost"),
        pytest.param(SPACE.replace("capsnet", "capsent") + knob("image.size", "36"), "did you mean 'capsnet'?", id="family"),
        pytest.param('extends = "nothing"\n' + SPACE + knob("image.size", "36"), 'extends is "nothing"', id="extends"),
        pytest.param(SPACE.replace("capsnet", "baseline") + knob("image.size", "36"), "is a space of the family 'baseline'", id="another family"),
        pytest.param(SPACE + "knobs = [[[", "is not TOML", id="not TOML"),
    ],
)  # fmt: skip
def test_faulty_spaces(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        axes(load_space(written(tmp_path, text)), load_variant("paper"))
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_all_faults_of_a_space_are_reported_at_once(tmp_path: Path) -> None:
    text = SPACE + knob("image.sise", "36") + knob("conv1.kernel", "0") + knob("digit_caps.logits", '"x"')
    with pytest.raises(FileError) as caught:
        axes(load_space(written(tmp_path, text)), load_variant("paper"))
    assert len(caught.value.faults) == 3


def test_a_space_can_extend_a_shipped_one(tmp_path: Path) -> None:
    space = load_space(written(tmp_path, 'extends = "capsnet"\n' + SPACE + knob("conv1.kernel", "5")))
    assert {knob.knob for knob in space.knobs} == {knob.knob for knob in load_space("capsnet").knobs} | {"conv1.kernel"}


def test_only_open_questions_are_asked_of_all_networks() -> None:
    space = load_space("capsnet")
    questions = space.open_questions()
    assert {knob.knob for knob in questions.knobs} == {knob.knob for knob in space.knobs if knob.open}
    assert 0 < len(questions.knobs) < len(space.knobs)
    assert (questions.label, questions.family) == (space.label, space.family)


def test_a_space_of_your_own_takes_the_place_of_its_family_s(tmp_path: Path) -> None:
    path = written(tmp_path, SPACE + knob("image.size", "36"))
    spaces: dict[str, Space] = load_spaces(path)
    assert spaces.keys() == shipped("spaces").keys()
    assert [knob.knob for knob in spaces["capsnet"].knobs] == ["image.size"]
    assert spaces["baseline"] == load_spaces()["baseline"]


def test_the_space_around_a_variant_is_that_of_its_family() -> None:
    assert space_around(load_variant("paper")).family == "capsnet"
    assert space_around(load_variant("baseline-mnist")).label == "variants/spaces/baseline.toml"


def test_no_such_space() -> None:
    with pytest.raises(CapsauditError, match=r"no space 'nowhere'; shipped: baseline, capsnet"):
        load_space("nowhere")


@pytest.mark.parametrize("name", shipped("spaces"))
def test_every_alternative_has_a_source(name: str) -> None:
    assert all(alternative.source for knob in load_space(name).knobs for alternative in knob.alternatives)
