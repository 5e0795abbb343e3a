"""Claims as a file: every fault is reported, with its place and what would have worked."""

from pathlib import Path

import pytest

from capsaudit.catalogue import load_variant, shipped
from capsaudit.catalogue.claims import claims_of, joint_claims, load_claims, parse_shape
from capsaudit.errors import CapsauditError

ROW = 'layer = "fc1"\nstated = "1"\ninput = "1"'
MINUS = '{ kind = "arithmetic", formula = "1 - 1", result = 0, of = "x" }'
CLAIMS = 'source = "me"\ntitle = "mine"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def claim(text: str = 'stated = "8.2M"', name: str = "one", about: str = "paper") -> str:
    return f'[[claims]]\nid = "{name}"\nplace = "here"\nabout = "{about}"\n{text}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "source is missing", id="empty file"),
        pytest.param(CLAIMS + "claims = []", "claims is empty; expected at least one", id="no claims"),
        pytest.param(CLAIMS + claim('stated = "many"'), "one: stated: 'many' is not a figure", id="figure"),
        pytest.param(CLAIMS + claim(about="papr"), "one: about: no variant 'papr'; did you mean 'paper'?", id="about"),
        pytest.param(CLAIMS + claim('stated = "1"\nlayer = "conv9"'), "layer 'conv9' is not a layer of paper; did you mean 'conv1'?", id="layer"),
        pytest.param(CLAIMS + claim('layer = "conv1"\ntensor = "wieght"\nshape = "1"'), "did you mean 'weight'?", id="tensor"),
        pytest.param(CLAIMS + claim(""), "one: claims nothing", id="nothing"),
        pytest.param(CLAIMS + claim('output = "20×20"'), "output is that of a layer; say which", id="no layer"),
        pytest.param(CLAIMS + claim('layer = "conv1"\noutput = "wide"'), 'output is "wide"; expected sizes', id="shape"),
        pytest.param(CLAIMS + claim('statement = "it is large"'), "a statement needs a check that judges it", id="no check"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "knobs" }'), "needs knobs", id="check without knobs"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "loss", loss = "margin" }'), "needs m_plus", id="loss without numbers"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "loss" }'), "needs loss", id="no loss"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "loss", loss = "reconstruction" }'), "needs form", id="no form"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "values" }'), "needs values", id="no values"),
        pytest.param(CLAIMS + claim(f'statement = "x"\ncheck = {MINUS}'), "'1 - 1' is not a formula; expected", id="formula"),
        pytest.param(CLAIMS + claim('stated = "8.2M"\nsettings = ["conv1.kernal=5"]'), "did you mean 'conv1.kernel'?", id="settings"),
        pytest.param(CLAIMS + claim('stated = "8.2M"\ngrade = "guessed"'), 'grade is "guessed"', id="grade"),
        pytest.param(CLAIMS + claim(ROW) + claim(name="one-input"), "there are several claims 'one-input'", id="the id of a part"),
        pytest.param(CLAIMS + claim('statement = "x"\ncheck = { kind = "guess" }'), 'check.kind is "guess"', id="unknown check"),
        pytest.param(CLAIMS + claim() * 2, "there are several claims 'one'", id="twice"),
        pytest.param(CLAIMS + claim('stated = "1"\nrounding = "floor"'), 'claims.1.rounding is "floor"; expected "half up" or "cut"', id="cut"),
        pytest.param(CLAIMS + claim('stated = "8.2M"\ndigits = 0'), "claims.1.digits is 0; expected an integer from 1 to 40", id="digits"),
        pytest.param(CLAIMS + claim('stated = "6804K"\ndigits = 2'), "'6804K' has more than 2 significant digits", id="more digits"),
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


def test_a_figure_is_parsed_as_the_source_prints_it(tmp_path: Path) -> None:
    """6800K with two digits of it significant: 6.75 to 6.85 million. 161K cut: 161,000 to 161,999."""
    text = CLAIMS + claim('stated = "6800K"\ndigits = 2') + claim('stated = "161K"\nrounding = "cut"', name="two")
    one, two = load_claims(written(tmp_path, text)).claims
    assert one.figure is not None
    assert two.figure is not None
    assert (one.figure.low, one.figure.high) == (6_750_000, 6_849_999)
    assert (two.figure.low, two.figure.high) == (161_000, 161_999)
    assert (one.source, two.source) == ("me", "me")


def test_a_row_is_a_claim_for_each_thing_that_it_states(tmp_path: Path) -> None:
    row = 'layer = "digit_caps"\nstated = "1474560"\ninput = "1152×8"\noutput = "10×16"\ntensor = "weight"\nshape = "1152×10×8×16"'
    parts = load_claims(written(tmp_path, CLAIMS + claim(row))).claims
    assert [each.id for each in parts] == ["one", "one-input", "one-output", "one-shape"]
    assert [each.figure is not None for each in parts] == [True, False, False, False]
    assert [each.tensor for each in parts] == [None, None, None, "weight"]
    (alone,) = load_claims(written(tmp_path, CLAIMS + claim('layer = "fc1"\ninput = "160"'))).claims
    assert alone.id == "one"


def test_version_and_grade_are_those_of_the_file_unless_a_claim_has_its_own(tmp_path: Path) -> None:
    head = CLAIMS + 'version = "first"\ngrade = "seen"\n'
    text = head + claim() + claim('stated = "8.2M"\nversion = "second"\ngrade = "recalled"', name="two")
    found = [(each.version, each.grade) for each in load_claims(written(tmp_path, text)).claims]
    assert found == [("first", "seen"), ("second", "recalled")]


def test_a_claim_about_a_variant_with_settings(tmp_path: Path) -> None:
    source = load_claims(
        written(tmp_path, CLAIMS + claim('stated = "6.8M"\nsettings = ["decoder=none"]') + claim(name="two"))
    )
    one, two = source.claims
    assert (one.about, two.about) == ("paper with decoder = none", "paper")
    assert source.variants[one.about].spec == load_variant("paper-no-decoder").spec
    assert source.variants[two.about].spec == load_variant("paper").spec


def test_a_statement_has_no_figure(tmp_path: Path) -> None:
    check = '{ kind = "source", source = "the released code", used = false }'
    (only,) = load_claims(written(tmp_path, CLAIMS + claim(f'statement = "none"\ncheck = {check}'))).claims
    assert (only.figure, only.stated) == (None, None)


def test_all_shipped_sources_unless_some_are_named(tmp_path: Path) -> None:
    assert list(claims_of(())) == [load_claims(name) for name in shipped("claims")]
    own = written(tmp_path, CLAIMS + claim())
    assert [source.name for source in claims_of(["article", own])] == ["article", "me"]


def test_joint_claims_are_the_figures_that_are_marked(tmp_path: Path) -> None:
    text = (
        CLAIMS
        + claim('stated = "8.2M"\njoint = true')
        + claim(name="two")
        + claim('layer = "conv1"\noutput = "1"\njoint = true', name="three")
    )
    found = list(joint_claims([load_claims(written(tmp_path, text))]))
    assert [(each.id, figure.text, variant.id) for each, figure, variant in found] == [("one", "8.2M", "paper")]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("20×20×256", (20, 20, 256)),
        ("1152 x 8", (1152, 8)),
        ("10·16", (10, 16)),
        ("512", (512,)),
        ("wide", ()),
        ("", ()),
        ("20×", ()),
        ("²×2", ()),
    ],
)
def test_shapes_as_people_write_them(text: str, shape: tuple[int, ...]) -> None:
    assert parse_shape(text) == shape


def test_no_such_claims() -> None:
    with pytest.raises(CapsauditError, match=r"no source of claims 'nowhere'; shipped: article, "):
        load_claims("nowhere")
    with pytest.raises(CapsauditError, match="cannot be read"):
        load_claims("nowhere.toml")
