"""Which network of a file is counted, and what is said about the others."""

from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.parts import Contents, choose, joined
from capsaudit.inspection.files.rows import file_row

PATH = Path("net.pt")


def network(*names: str, size: int = 3) -> Contents:
    return Contents(tuple(file_row(name, (size,), "float32", 4 * size) for name in names), ("read",))


def test_the_only_network_is_counted_without_a_note() -> None:
    found = network("a")
    assert choose({"": found}, None, PATH) is found
    assert choose({"model": found}, None, PATH) is found


def test_of_several_one_has_to_be_chosen() -> None:
    with pytest.raises(CapsauditError) as caught:
        choose({"generator": network("a", "b"), "discriminator": network("a")}, None, PATH)
    assert str(caught.value).splitlines() == [
        "net.pt: contains 2 networks; choose one with --part",
        "--part generator (6 values)",
        "--part discriminator (3 values)",
    ]


def test_the_chosen_one_is_counted_and_the_others_are_named() -> None:
    chosen = choose({"generator": network("a", "b"), "discriminator": network("c")}, "discriminator", PATH)
    assert [tensor.name for tensor in chosen.tensors] == ["c"]
    note = 'counted is the network "discriminator"; --part chooses another one: "generator" (6 values)'
    assert chosen.notes == (note, "read")


def test_of_copies_the_first_is_counted() -> None:
    """An average of weights has the tensors of its model, so the count is the same."""
    chosen = choose({"model": network("a"), "model_ema": network("a")}, None, PATH)
    assert chosen.notes[0] == 'counted is the network "model"; --part chooses another one: "model_ema" (3 values)'


@pytest.mark.parametrize("other", [network("b"), network("a", size=4), network("a", "b"), network()])
def test_no_copies_are_networks_with_other_names_or_shapes(other: Contents) -> None:
    with pytest.raises(CapsauditError, match="choose one with --part"):
        choose({"model": network("a"), "model_ema": other}, None, PATH)


def test_a_part_may_be_the_beginning_of_names() -> None:
    chosen = choose({"": network("encoder.a", "encoder.b.c", "encoders.d", "e")}, "encoder", PATH)
    assert [tensor.name for tensor in chosen.tensors] == ["encoder.a", "encoder.b.c"]
    assert chosen.notes[0] == 'counted are the tensors in "encoder"; 6 values outside it are not counted'  # 2·3


@pytest.mark.parametrize(
    ("names", "hint"),
    [(("", ), "did you mean 'encoder'?"), (("generator", "critic"), "expected one of: critic, generator")],
)  # fmt: skip
def test_an_absent_part_is_refused(names: tuple[str, ...], hint: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        choose(dict.fromkeys(names, network("encoder.a")), "encodr", PATH)
    assert str(caught.value) == f"net.pt: has no part 'encodr'; {hint}"


def test_a_tensor_of_two_files_is_refused() -> None:
    with pytest.raises(CapsauditError, match=r'net\.pt: "a" is in two too'):
        joined(PATH, [("one", network("a", "b")), ("two", network("c", "a"))])
    assert [row.name for row in joined(PATH, [("one", network("a")), ("two", network("b"))]).tensors] == ["a", "b"]
