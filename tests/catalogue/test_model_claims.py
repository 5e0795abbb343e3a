"""Claims about somebody's model as a file: parsed once, with their lines, and every fault at once."""

from pathlib import Path

import pytest

from capsaudit.catalogue.model_claims import ModelClaims, claims_from, load_model_claims, load_models
from capsaudit.errors import CapsauditError, FileError
from capsaudit.published import judge
from capsaudit.selection import Selection

HEAD = 'source = "a readme"\ntarget = "models.py:Net"\n'


def loaded(tmp_path: Path, text: str) -> ModelClaims:
    path = tmp_path / "net.claims.toml"
    path.write_text(text)
    return load_model_claims(path)


def claim(text: str = 'stated = "8.2M"') -> str:
    return f"[[claims]]\n{text}\n"


def test_what_a_claim_does_not_say_is_as_the_file_says(tmp_path: Path) -> None:
    text = (
        HEAD
        + 'policy = "effective"\n'
        + claim()
        + claim('stated = "1"\nlayer = "fc.*"\npolicy = "stored"\nsource = "a figure"\ncount = "buffers"')
    )
    one, two = loaded(tmp_path, text).claims
    assert (one.selection, one.source) == (Selection(policy="effective"), "a readme")
    assert (two.selection, two.source) == (Selection(layers=("fc.*",), count="buffers"), "a figure")


def test_a_claim_about_several_layers(tmp_path: Path) -> None:
    text = HEAD + claim('stated = "1"\nlayers = ["fc1", "fc2"]\nexcept = ["*.bias"]\nexperts = "2 of 8"')
    (found,) = loaded(tmp_path, text).claims
    assert found.selection == Selection(layers=("fc1", "fc2"), excluded=("*.bias",), experts="2 of 8")
    assert found.about == "fc1, fc2 except *.bias, 2 of 8 experts"


def test_the_line_of_each_claim(tmp_path: Path) -> None:
    """Three lines of heading and policy, then claims of two lines each with an empty line between them."""
    text = HEAD + "\n" + claim() + "\n" + claim() + " [[ claims ]]\nstated = '1'\n"
    found = loaded(tmp_path, text)
    assert [each.line for each in found.claims] == [4, 7, 9]
    assert {each.file for each in found.claims} == {str(tmp_path / "net.claims.toml")}


def test_claims_written_as_a_list_are_all_at_the_first_line(tmp_path: Path) -> None:
    found = loaded(tmp_path, HEAD + 'claims = [{ stated = "1" }, { stated = "2" }]\n')
    assert [each.line for each in found.claims] == [1, 1]


def test_figures_are_read_as_their_source_prints_them(tmp_path: Path) -> None:
    cut, filled = loaded(
        tmp_path, HEAD + claim('stated = "161K"\nrounding = "cut"') + claim('stated = "6800K"\ndigits = 2')
    ).claims
    assert judge(cut.figure, 161_824) == "agrees"
    assert judge(filled.figure, 6_804_224) == "agrees"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("claims = []\n" + HEAD, "claims is missing or empty; expected at least one"),
        (HEAD, "claims is missing or empty"),
        (HEAD + claim('stated = "lots"'), "claims.1.stated: 'lots' is not a figure"),
        (HEAD + claim("stated = 8"), "claims.1.stated is 8; expected a string"),
        (HEAD + claim('stated = "6804K"\ndigits = 2'), "claims.1.stated: '6804K' has more than 2 significant digits"),
        (HEAD + claim() + claim('stated = "1"\nrounding = "up"'), 'claims.2.rounding is "up"; expected "half up" or "cut"'),
        (HEAD + claim('stated = "1"\npolicy = "efective"'), "claims.1.policy is 'efective'; did you mean 'effective'?"),
        (HEAD + 'policy = "x"\n' + claim(), "policy is 'x'; expected one of: effective"),
        (HEAD + claim('stated = "1"\ncount = "some"'), 'claims.1.count is "some"'),
        (HEAD + claim('stated = "1"\nlayr = "fc"'), "claims.1.layr is unknown; did you mean 'layer'?"),
        (HEAD + claim('stated = "1"\nexcluded = ["fc"]'), "claims.1.excluded is unknown"),
        (HEAD + claim('stated = "1"\nexcept = "fc"'), 'claims.1.except is "fc"; expected a list'),
        (HEAD + claim('stated = "1"\nexperts = "9 of 8"'), "claims.1.experts is '9 of 8'; expected how many of how many"),
        (HEAD + claim('stated = "1"\nexperts = "two"'), "claims.1.experts is 'two'; expected how many of how many"),
        (HEAD + claim('stated = "1"\nlayer = "a"\nlayers = ["b"]'), "claims.1 has layer and layers; expected one of them"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(FileError) as caught:
        loaded(tmp_path, text)
    assert any(each.startswith(f"{tmp_path}/net.claims.toml: {fault}") for each in caught.value.faults)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        loaded(tmp_path, HEAD + 'policy = "x"\n' + claim('stated = "lots"') + claim('stated = "?"\npolicy = "y"'))
    assert len(caught.value.faults) == 4


def test_a_file_without_a_target_says_so_when_it_is_needed(tmp_path: Path) -> None:
    named, unnamed = loaded(tmp_path, HEAD + claim()), loaded(tmp_path, 'source = "x"\n' + claim())
    assert named.target == "models.py:Net"
    with pytest.raises(CapsauditError, match="target is missing; say which model the claims are about"):
        _ = unnamed.target


def test_figures_of_an_assertion_become_claims() -> None:
    total, layer = claims_from({"total": "8.2M", "conv1": 20_992}, "stored")
    assert (total.selection, total.figure.text) == (Selection(), "8.2M")
    assert (layer.selection, layer.figure.value) == (Selection(layers=("conv1",)), 20_992)
    with pytest.raises(CapsauditError, match="nothing is stated"):
        claims_from({}, "stored")


def test_an_assertion_may_have_the_keys_of_a_claim() -> None:
    total, layer = claims_from(
        {
            "total": {"stated": "85.1M", "except": ["wte"], "count": "parameters"},
            "body": {"stated": "161K", "rounding": "cut", "policy": "per name"},
        },
        "stored",
    )
    assert total.selection == Selection(excluded=("wte",), count="parameters")
    assert layer.selection == Selection(layers=("body",), policy="per name")
    assert judge(layer.figure, 161_824) == "agrees"
    with pytest.raises(CapsauditError) as caught:
        claims_from({"total": {"stated": "lots", "experts": "?"}, "body": 1}, "stored")
    assert [fault.partition(";")[0] for fault in caught.value.faults] == [
        "total.stated: 'lots' is not a figure",
        "total.experts is '?'",
    ]
    with pytest.raises(CapsauditError, match=r"total: excluded is unknown"):
        claims_from({"total": {"stated": "1", "excluded": ["wte"]}}, "stored")


MODELS = """
source = "a readme"
policy = "per name"
[[models]]
target = "models.py:Small"
input = ["3"]
source = "a paper"
[[models.claims]]
stated = "16"
[[models]]
target = "models.py:Large"
policy = "stored"
part = "ema"
[models.inputs]
ids = "4:int64"
[[models.claims]]
stated = "1.6K"
[[models.claims]]
layer = "head"
stated = "40"
source = "an issue"
"""


def test_a_file_about_several_models(tmp_path: Path) -> None:
    """What a model's table does not say, the file says."""
    (tmp_path / "zoo.claims.toml").write_text(MODELS)
    small, large = load_models(tmp_path / "zoo.claims.toml")
    assert (small.target, small.inputs, small.policy) == ("models.py:Small", ("3",), "per name")
    assert (large.target, large.inputs, large.policy) == ("models.py:Large", ("ids=4:int64",), "stored")
    assert (small.model.part, large.model.part) == (None, "ema")
    assert [claim.source for each in (small, large) for claim in each.claims] == ["a paper", "a readme", "an issue"]
    lines = [claim.line for each in (small, large) for claim in each.claims]
    assert [MODELS.splitlines()[line - 1] for line in lines] == ["[[models.claims]]"] * 3
    assert [claim.selection.policy for each in (small, large) for claim in each.claims] == [
        "per name",
        "stored",
        "stored",
    ]
    with pytest.raises(FileError, match="is about 2 models, which are audited together"):
        load_model_claims(tmp_path / "zoo.claims.toml")


def test_faults_of_several_models_are_reported_together(tmp_path: Path) -> None:
    text = HEAD + 'part = "ema"\n[[models]]\n[[models.claims]]\nstated = "lots"\n[[models]]\ntarget = "a.py:A"\n'
    with pytest.raises(FileError) as caught:
        loaded(tmp_path, text)
    label = f"{tmp_path}/net.claims.toml"
    expected = [
        "has target, part beside models; each of the models has its own",
        "models.1.target is missing; expected the model that its claims are about",
        "models.1.claims.1.stated: 'lots' is not a figure",
        "models.2.claims is missing or empty; expected at least one",
    ]
    found = zip(caught.value.faults, expected, strict=True)
    assert all(fault.startswith(f"{label}: {beginning}") for fault, beginning in found)
