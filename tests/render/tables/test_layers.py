"""The layers of large models in few rows. Totals are worked out by hand."""

from pathlib import Path

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from capsaudit import api
from capsaudit.render.formats import as_text
from capsaudit.render.tables.audit import audit
from capsaudit.render.tables.layers import MANY, SCREEN, folded
from capsaudit.results import Audit, AuditedLayer
from tests.processes import invoke
from tests.render.grids import raw, rows


def layer(name: str, trainable: int, kind: str = "") -> AuditedLayer:
    return AuditedLayer(
        name=name,
        kind=kind,
        tensors=(f"{name}.weight",),
        trainable=trainable,
        frozen=0,
        buffers=0,
        expected=None,
        difference=None,
    )


def names(layers: list[AuditedLayer], depth: int | None = None) -> list[str]:
    return [group.name for group in folded(layers, depth)]


def block(number: int, *, width: int = 1) -> list[AuditedLayer]:
    return [layer(f"net.{number}.{name}", width) for name in ("a", "b.c", "b.d")]


BLOCKS = [each for number in range(10) for each in block(number, width=2 if number == 3 else 1)]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.add_module(name, nn.Linear(4096, 4096, bias=False))


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(4096, 11008, bias=False)
        self.up_proj = nn.Linear(4096, 11008, bias=False)
        self.down_proj = nn.Linear(11008, 4096, bias=False)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn = Attention()
        self.mlp = FeedForward()
        self.input_layernorm = nn.RMSNorm(4096)
        self.post_attention_layernorm = nn.RMSNorm(4096)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(32000, 4096)
        self.layers = nn.ModuleList(Block() for _ in range(32))
        self.norm = nn.RMSNorm(4096)


class Llama2(nn.Module):
    """The tree of Llama-2-7B, by hand: 32 layers, hidden 4096, intermediate 11008, vocabulary 32000, an output head of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Decoder()
        self.lm_head = nn.Linear(4096, 32000, bias=False)


@pytest.fixture(scope="module")
def llama() -> Audit:
    with torch.device("meta"):
        return api.audit(Llama2())


def test_llama_2_7b_fits_on_one_screen(llama: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """2·32000·4096 + 32·(4·4096² + 3·4096·11008 + 2·4096) + 4096, of 9 tensors in each layer."""
    assert llama.trainable == 6_738_415_616
    each = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    found = {row[0]: row[1:] for row in rows(audit(llama).table("layers"))}
    assert found["model.layers.0 … 31"] == [f"{32 * each:,}", f"32 × {each:,}, 9 tensors each"]
    assert each == 202_383_360
    assert list(found) == ["model.embed_tokens", "model.layers.0 … 31", "model.norm", "lm_head", "total"]
    monkeypatch.setenv("COLUMNS", "80")
    lines = as_text(llama, "rich").splitlines()
    assert len(lines) <= 24
    table = lines[: lines.index(next(line for line in lines if "in total" in line))]
    assert max(map(len, table)) <= 82  # the sentence below the table is not wrapped


def test_blocks_are_opened_by_depth() -> None:
    assert names(BLOCKS, 1) == ["net"]
    assert names(BLOCKS, 2) == ["net.0 … 2", "net.3", "net.4 … 9"]
    assert names(BLOCKS, 3) == [f"net.{of}.{part}" for of in ("0 … 2", "3", "4 … 9") for part in ("a", "b")]
    assert names(BLOCKS, 99) == [f"net.{of}.{part}" for of in ("0 … 2", "3", "4 … 9") for part in ("a", "b.c", "b.d")]


@pytest.mark.parametrize("depth", [None, 1, 2, 3, 99])
def test_no_layer_is_lost_or_shown_twice(depth: int | None) -> None:
    shown = [each for group in folded(BLOCKS, depth) for each in group.layers]
    assert sorted(shown, key=lambda each: each.name) == sorted(BLOCKS, key=lambda each: each.name)


def test_what_differs_is_not_folded() -> None:
    """By its count, its class, its names, or because a number is left out."""
    alike = [layer(f"a.{number}", 1) for number in range(30)]
    assert names(alike) == ["a.0 … 29"]
    for number, other in ((15, layer("a.15", 2)), (15, layer("a.15", 1, "Conv2d")), (15, layer("a.15.b", 1))):
        changed = [*alike[:number], other, *alike[number + 1 :]]
        assert names(changed) == ["a.0 … 14", other.name, "a.16 … 29"]
    assert names([*alike[:15], *alike[16:]]) == ["a.0 … 14", "a.16 … 29"]


def test_a_model_of_few_layers_is_shown_layer_by_layer() -> None:
    few = [layer(f"a.{number}", 1) for number in range(SCREEN)]
    assert names(few) == [each.name for each in few]
    assert names([*few, layer(f"a.{SCREEN}", 1)]) == [f"a.0 … {SCREEN}"]


def test_the_largest_groups_are_opened_as_far_as_there_is_room() -> None:
    """30 layers of 5 groups: the larger two are opened, 2·6 + 3 rows; a third would need 20 + 0."""
    layers = [layer(f"g{group}.{part}", 10 - group) for group in range(5) for part in "abcdef"]
    assert names(layers) == [*(f"g{group}.{part}" for group in range(3) for part in "abcdef"), "g3", "g4"]


def test_a_group_that_holds_most_of_the_model_is_opened_even_if_it_does_not_fit() -> None:
    """One row would hide 900 tensors."""
    layers = [layer("head", 1), *(layer(f"model.m{number}", number) for number in range(1, 901))]
    shown = folded(layers)
    assert len(shown) == MANY + 1
    assert shown[-1].name == "841 smaller layers"  # 901 - 60
    assert sum(each.trainable for group in shown for each in group.layers) == 1 + 900 * 901 // 2


def test_a_large_model_says_how_its_layers_are_opened(llama: Audit) -> None:
    """32·9 + 3 layers; their longest names have five parts, model.layers.0.mlp.up_proj."""
    assert "291 layers in 4 rows; --depth 5 opens them, --tensors lists the tensors." in audit(llama).sentences


def test_the_rows_of_any_depth_add_up(llama: Audit) -> None:
    for depth in (1, 2, 3, 4, 5, 6):
        shown = audit(msgspec.structs.replace(llama, depth=depth))
        *layers, total = raw(shown.table("layers"))
        assert sum(int(str(row[1])) for row in layers) == total[1]
        assert any("opens them" in sentence for sentence in shown.sentences) == (depth < 5)


@pytest.mark.parametrize(
    ("depth", "shown"), [([], "0 … 24"), (["--depth", "1"], "0 … 24"), (["--depth", "2"], "0 … 24.b")]
)
def test_depth_is_an_option_of_the_command_line(tmp_path: Path, depth: list[str], shown: str) -> None:
    """25 blocks of two layers of 2 values: 100 in all, 50 in the layers b."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\nnet = nn.Sequential(*(nn.ModuleDict({'a': nn.Linear(1, 1), 'b': nn.Linear(1, 1)}) for _ in range(25)))\n"
    )
    done = invoke("audit", "net.py:net", *depth, cwd=tmp_path)
    found = [line.split()[:4] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [*shown.split(), "50" if ".b" in shown else "100"] in found


@pytest.mark.parametrize("depth", [None, 1, 2, 3])
def test_tensors_of_the_model_itself_are_one_row(depth: int | None) -> None:
    """As the class token of a vision transformer; 25 layers of 3 values. There is nothing below it to open."""
    layers = [layer("", 5), *(layer(f"blocks.{number}.linear", 3) for number in range(24))]
    shown = folded(layers, depth)
    assert shown[0].name == ""
    assert [each.name for each in shown[0].layers] == [""]
    assert sum(each.trainable for group in shown for each in group.layers) == 5 + 24 * 3


@given(st.lists(st.text("ab1.", max_size=5), min_size=SCREEN + 1, max_size=40, unique=True), st.integers(0, 4))
def test_any_names_are_folded(names: list[str], depth: int) -> None:
    """A file may have any, such as `a..b` and `.`."""
    shown = folded([layer(name, number) for number, name in enumerate(names)], depth or None)
    assert sorted(each.name for group in shown for each in group.layers) == sorted(names)


def test_blocks_in_the_order_of_their_names_are_one_row() -> None:
    """A file of weights has its tensors so: 0, 1, 10, 11, 2, …"""
    ordered = sorted(f"blocks.{number}.linear" for number in range(24))
    assert ordered[2] == "blocks.10.linear"
    layers = [layer("first", 1), *(layer(name, 3) for name in ordered), layer("last", 1)]
    assert names(layers) == ["first", "blocks.0 … 23", "last"]
