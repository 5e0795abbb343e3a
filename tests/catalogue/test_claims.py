"""Spaces and claims that cannot be used: every fault is told, with its place and what would have worked."""

from pathlib import Path

import pytest

from capsaudit.catalogue import load_variant, shipped
from capsaudit.catalogue.claims import load_claims
from capsaudit.catalogue.spaces import load_space
from capsaudit.errors import CapsauditError, FileError
from capsaudit.interpretations.axes import axes

SPACE = 'family = "capsnet"\nsummary = "mine"\n'
CLAIMS = 'source = "me"\ntitle = "mine"\n'


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
        pytest.param(SPACE + knob("image.size", "36") * 2, "image.size stands there twice", id="knob twice"),
        pytest.param(SPACE + knob("image.size", "36") + knob("image.height", "36"), "turn the same thing", id="sides twice"),
        pytest.param(SPACE + knob("image.size", "36").replace("= 1", "= -1"), "assumption_cost is -1; expected an integer from 0", id="far-fetched"),
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


def test_all_faults_of_a_space_are_told_at_once(tmp_path: Path) -> None:
    text = SPACE + knob("image.sise", "36") + knob("conv1.kernel", "0") + knob("digit_caps.logits", '"x"')
    with pytest.raises(FileError) as caught:
        axes(load_space(written(tmp_path, text)), load_variant("paper"))
    assert len(caught.value.faults) == 3


def test_a_space_can_extend_a_shipped_one(tmp_path: Path) -> None:
    space = load_space(written(tmp_path, 'extends = "capsnet"\n' + SPACE + knob("conv1.kernel", "5")))
    assert {knob.knob for knob in space.knobs} == {knob.knob for knob in load_space("capsnet").knobs} | {"conv1.kernel"}


def claim(text: str = 'stated = "8.2M"', name: str = "one", about: str = "paper") -> str:
    return f'[[claims]]\nid = "{name}"\nplace = "here"\nabout = "{about}"\n{text}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "source is missing", id="empty file"),
        pytest.param(CLAIMS + "claims = []", "claims is empty; expected at least one", id="no claims"),
        pytest.param(CLAIMS + claim('stated = "many"'), "one: stated: 'many' is no figure", id="figure"),
        pytest.param(CLAIMS + claim(about="papr"), "one: about: no variant 'papr'; did you mean 'paper'?", id="about"),
        pytest.param(CLAIMS + claim('stated = "1"\nlayer = "conv9"'), "layer 'conv9' is none of paper; did you mean 'conv1'?", id="layer"),
        pytest.param(CLAIMS + claim('layer = "conv1"\ntensor = "wieght"\nshape = "1"'), "did you mean 'weight'?", id="tensor"),
        pytest.param(CLAIMS + claim(""), "one: claims nothing", id="nothing"),
        pytest.param(CLAIMS + claim('output = "20×20"'), "output is that of a layer; say which", id="no layer"),
        pytest.param(CLAIMS + claim('layer = "conv1"\noutput = "wide"'), 'output is "wide"; expected sizes', id="shape"),
        pytest.param(CLAIMS + claim('statement = "it is large"'), "a statement and the check that judges it go together", id="no check"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "knobs" }'), "needs knobs", id="check without knobs"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "guess" }'), 'check.kind is "guess"', id="unknown check"),
        pytest.param(CLAIMS + claim() * 2, "there are several claims 'one'", id="twice"),
        pytest.param(CLAIMS + claim('stated = "8.2M"\nverdict = "agrees"'), "claims.1.verdict is unknown", id="typed-in verdict"),
    ],
)  # fmt: skip
def test_faulty_claims(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        load_claims(written(tmp_path, text))
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_claims_about_a_file_beside_them(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'extends = "paper"\nsummary = "own"\n[image]\nheight = 36\nwidth = 36\n[sources]\nimage = "me"\n'
    )
    source = load_claims(written(tmp_path, CLAIMS + claim('stated = "11.36M"', about="own.toml")))
    assert source.variants["own.toml"].spec == load_variant("multimnist").spec


def test_no_such_files() -> None:
    with pytest.raises(CapsauditError, match=r"no space 'nowhere'; shipped: baseline, capsnet"):
        load_space("nowhere")
    with pytest.raises(CapsauditError, match=r"no claims 'nowhere'; shipped: article, paper"):
        load_claims("nowhere")
    with pytest.raises(CapsauditError, match="cannot be read"):
        load_claims("nowhere.toml")


@pytest.mark.parametrize("name", shipped("spaces"))
def test_every_alternative_has_a_source(name: str) -> None:
    assert all(alternative.source for knob in load_space(name).knobs for alternative in knob.alternatives)
