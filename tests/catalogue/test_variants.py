"""Whatever a variant file holds, it loads or is refused with everything that is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsaudit.catalogue.toml_files import shipped
from capsaudit.catalogue.variants import load_all, load_variant
from capsaudit.errors import CapsauditError, FileError, UnknownVariantError
from capsaudit.families import FAMILIES, family_of

CHILD = 'extends = "paper"\nsummary = "mine"\n'


def faults_in(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError) as caught:
        load_variant(path)
    assert all(str(path) in fault for fault in caught.value.faults)
    return str(caught.value).replace(str(path), "mine.toml")


def knob(table: str, name: str, value: str) -> str:
    return f'{CHILD}[{table}]\n{name} = {value}\n[sources]\n"{table}.{name}" = "me"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(knob("conv1", "kernel", '"9"'), 'conv1.kernel is "9"; expected a positive integer', id="text"),
        pytest.param(knob("conv1", "kernel", "9.5"), "conv1.kernel is 9.5; expected a positive integer", id="fraction"),
        pytest.param(knob("conv1", "kernel", "9.0"), "conv1.kernel is 9.0; expected a positive integer", id="float"),
        pytest.param(knob("conv1", "kernel", "true"), "conv1.kernel is true; expected a positive integer", id="true"),
        pytest.param(knob("conv1", "kernel", "0"), "conv1.kernel is 0; expected a positive integer", id="zero"),
        pytest.param(knob("conv1", "kernel", "-9"), "conv1.kernel is -9; expected a positive integer", id="negative"),
        pytest.param(knob("conv1", "kernel", "[9]"), "conv1.kernel is [9]; expected a positive integer", id="list"),
        pytest.param(
            knob("conv1", "channels", str(10**30)), "expected a positive integer below 2^63", id="absurdly large"
        ),
        pytest.param(knob("conv1", "bias", "1"), "conv1.bias is 1; expected true or false", id="not a flag"),
        pytest.param(
            knob("conv1", "padding", '"full"'), 'expected "valid", "same" or a number of pixels', id="padding"
        ),
        pytest.param(knob("conv1", "padding", "-1"), 'expected "valid", "same" or a number of pixels', id="-1 pixels"),
        pytest.param(
            knob("digit_caps", "shared_w", '"gird"'), 'expected "none", "grid" or "all"', id="no such alternative"
        ),
        pytest.param(
            knob("digit_caps", "iterations", "101"), "iterations is 101; expected an integer from 1 to 100", id="range"
        ),
        pytest.param(
            knob("decoder", "hidden", "[512, 0]"), "decoder.hidden.2 is 0; expected a positive integer", id="in a list"
        ),
        pytest.param(
            knob("digit_caps", "iteration", "3"),
            "digit_caps.iteration is unknown; did you mean 'iterations'?",
            id="unknown knob",
        ),
        pytest.param(
            f'{CHILD}[digt_caps]\nbias = true\n[sources]\ndigt_caps = "me"\n',
            "digt_caps is unknown; did you mean 'digit_caps'?",
            id="unknown table",
        ),
        pytest.param(
            knob("image", "height", "8"), "conv1.kernel (=9) is larger than its input (=8×28)", id="impossible shape"
        ),
        pytest.param('summary = "mine"\n', "family is missing", id="no family"),
        pytest.param('extends = "paper"\n', "summary is missing; expected a string", id="no summary"),
        pytest.param(CHILD.replace("paper", "papr"), "extends is 'papr'", id="missing parent"),
        pytest.param(CHILD.replace("paper", "papr"), "did you mean 'paper'?", id="missing parent, nearest name"),
        pytest.param(CHILD.replace("paper", "mine.toml"), "extends goes in a circle: mine → mine", id="its own parent"),
        pytest.param(f"{CHILD}[conv1", "is not TOML", id="broken TOML"),
        pytest.param(f"{CHILD}a = {'[' * 20_000}", "is nested too deeply", id="nested too deeply"),
        pytest.param(f"{CHILD}a = {'9' * 5000}", "is not TOML", id="more digits than Python reads"),
        pytest.param(b"\xff\xfe", "is not UTF-8 (byte 0", id="not UTF-8"),
        pytest.param(CHILD + "#" * 1_000_001, "is larger than 1,000,000 bytes", id="huge"),
        pytest.param(
            f'{CHILD}[stated]\nsource = "me"\ntotal = "lots"\n', "stated.total: 'lots' is not a figure", id="stated"
        ),
        pytest.param(
            f'{CHILD}[stated]\nsource = "me"\ntotal = 8215568\n',
            "stated.total is 8215568; expected a string",
            id="number",
        ),
        pytest.param(
            f'{CHILD}[stated]\nsource = "me"\ntotal = "6804K"\ndigits = 2\n',
            "stated.total: '6804K' has more than 2 significant digits",
            id="digits",
        ),
        pytest.param(
            f'{CHILD}[stated]\nsource = "me"\ntotal = "8.2M"\nrounding = "down"\n',
            'stated.rounding is "down"; expected "half up" or "cut"',
            id="rounding",
        ),
        pytest.param(
            f'{CHILD}[stated]\nsource = "me"\nlayers.conv2 = "8M"\n',
            "stated.layers.conv2 is not a layer of this network; did you mean 'conv1'?",
            id="stated of no layer",
        ),
        pytest.param(
            f'{CHILD}[expected]\ninput = [1]\ntotal = 8\nknobs."digit_caps.iteration" = 3\n',
            "expected.knobs.digit_caps.iteration is unknown",
            id="expected of no knob",
        ),
        pytest.param(f"{CHILD}[conv1]\nkernel = 7\n", "conv1.kernel has no source", id="no source"),
        pytest.param(
            f'{CHILD}[sources]\n"conv1.kernel" = "me"\n', "sources.conv1.kernel is not set in this file", id="no value"
        ),
        pytest.param(
            f'{CHILD}family = "baseline"\n', "family differs from that of the variant it extends", id="family"
        ),
        pytest.param(
            'family = "tree"\nsummary = "mine"\n',
            'family is "tree"; expected one of: baseline, capsnet',
            id="no such family",
        ),
        pytest.param("", "summary is missing", id="empty"),
        pytest.param(f'{CHILD}decoder = "nothing"\n[sources]\ndecoder = "me"', 'decoder is "nothing"', id="no table"),
    ],
)
def test_one_fault(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert message in faults_in(tmp_path, text)


def test_all_faults_of_a_file_are_reported_together(tmp_path: Path) -> None:
    text = faults_in(
        tmp_path,
        'extends = "paper"\n[conv1]\nkernel = "nine"\nstrides = 1\n[primary_caps]\ntypes = 0\n'
        '[stated]\ntotal = "8.2M"\n[sources]\nconv1 = "me"\n',
    )
    for part in (
        "summary is missing",
        'conv1.kernel is "nine"',
        "conv1.strides is unknown; did you mean 'stride'?",
        "primary_caps.types is 0",
        "stated.source is missing",
    ):
        assert part in text


def test_a_fault_is_reported_for_the_file_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(knob("conv1", "kernel", "0"))
    child = tmp_path / "child.toml"
    child.write_text('extends = "parent.toml"\nsummary = "child"\n')
    with pytest.raises(FileError) as caught:
        load_variant(child)
    assert caught.value.faults == (
        f"{tmp_path}/parent.toml: conv1.kernel is 0; expected a positive integer below 2^63",
    )


def test_a_circle_of_files_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\nsummary = "a"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\nsummary = "b"\n')
    with pytest.raises(FileError, match="a → b → a"):
        load_variant(tmp_path / "a.toml")


def test_unknown_names_get_the_nearest_and_the_list() -> None:
    with pytest.raises(
        UnknownVariantError, match=r"no variant 'papr'; did you mean 'paper'\? shipped: affnist, article"
    ):
        load_variant("papr")


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a directory"):
        load_variant(tmp_path)
    with pytest.raises(FileError, match="not a regular file"):
        load_variant("/dev/zero")
    with pytest.raises(FileError, match="cannot be read"):
        load_variant(tmp_path / "absent.toml")
    with pytest.raises(CapsauditError):
        load_variant("a\0b.toml")
    with pytest.raises(CapsauditError):
        load_variant("a" * 5000)


def test_a_child_takes_from_its_parents_what_it_does_not_set(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(f'data = "multimnist"\n{knob("image", "height", "36")}image = "its own"\n')
    child = tmp_path / "child.toml"
    child.write_text(
        'extends = "parent.toml"\nsummary = "child"\n[image]\nwidth = 40\n[sources]\n"image.width" = "the child"\n'
    )
    variant, paper = load_variant(child), load_variant("paper")
    assert (variant.id, variant.parent, variant.depth, variant.data) == (
        "child",
        "parent",
        paper.depth + 2,
        "multimnist",
    )
    assert (variant.spec.image.channels, variant.spec.image.height, variant.spec.image.width) == (1, 36, 40)
    assert (variant.source("image.height"), variant.source("image.width")) == ("me", "the child")
    assert variant.source("conv1.kernel") == paper.source("conv1.kernel")
    assert (variant.stated, variant.expected) == (None, None)


def test_a_file_of_your_own_that_has_a_shipped_name_keeps_its_path(tmp_path: Path) -> None:
    path = tmp_path / "paper.toml"
    path.write_text(CHILD)
    assert load_variant(path).id == str(path)
    assert load_variant("paper").id == "paper"


def test_shipped_variants_are_read_once_and_files_of_your_own_each_time(tmp_path: Path) -> None:
    assert load_variant("paper") is load_variant("paper")
    path = tmp_path / "mine.toml"
    path.write_text(CHILD)
    before = load_variant(path)
    path.write_text(knob("conv1", "kernel", "7"))
    assert load_variant(path).spec != before.spec


def test_settings_are_applied_to_any_variant(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CHILD)
    assert load_variant(path, settings=["image.size=36"]).spec == load_variant("multimnist").spec


def test_all_variants_family_by_family() -> None:
    variants = load_all()
    families = [family_of(variant.spec).name for variant in variants]
    assert list(dict.fromkeys(families)) == list(FAMILIES)
    assert families == sorted(families, key=list(FAMILIES).index)
    assert {variant.id for variant in variants} == shipped().keys()


TOML_LIKE = st.lists(
    st.sampled_from(
        [
            'extends = "paper"',
            'summary = "s"',
            "[conv1]",
            "[sources]",
            "[stated]",
            "[expected]",
            "kernel = 3",
            "total = 1",
        ]
        + [
            'conv1 = "me"',
            'family = "capsnet"',
            "[[layers]]",
            "x = 1e400",
            "layers = 5",
            'source = ""',
            "[",
            "a.b = nan",
        ]
    ),
    max_size=8,
).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=400)
@given(
    st.binary(max_size=200)
    | TOML_LIKE
    | st.text(max_size=100).map(lambda text: (CHILD + text).encode(errors="replace"))
)
def test_any_bytes_load_or_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(content)
    try:
        load_variant(path)
    except CapsauditError as error:
        assert str(error)
