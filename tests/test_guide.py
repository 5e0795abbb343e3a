"""Guides that are run as they stand in a folder: files are written or compared, commands must print what the guide shows."""

import json
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest

from capsaudit import api
from tests.processes import invoke

GUIDES = Path(__file__).parents[1] / "docs" / "guides"
WRITTEN_BY_HAND = ("models.py", "pyproject.toml", "bert-tiny.claims.toml", "gpt2.claims.toml")

HIDDEN, INNER, VOCABULARY, POSITIONS = 128, 512, 30_522, 512
"""Of the BERT with two layers of 128 (Turc et al. 2019, table 1)."""


def blocks(guide: str) -> Iterator[tuple[str, str]]:
    """The language of each block of a guide, and its text."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    for match in re.finditer(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        yield match[1], match[2]


def without_trailing_spaces(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def run(guide: str, folder: Path) -> list[int]:
    """The exit codes of a guide's commands."""
    codes = []
    for language, text in blocks(guide):
        first, _, rest = text.partition("\n")
        if language == "console":
            done = invoke(*first.removeprefix("$ capsaudit ").split(), cwd=folder)
            assert without_trailing_spaces(done.stdout + done.stderr) == rest
            codes.append(done.returncode)
        elif (name := first.removeprefix("# ")) in WRITTEN_BY_HAND:
            (folder / name).write_text(rest)
        else:
            assert (folder / name).read_text() == rest
    return codes


def test_guarding(tmp_path: Path) -> None:
    """2,442 = (27 + 1)·64 + (64 + 1)·10; one channel more is 28 + 10 more."""
    assert run("guarding.md", tmp_path) == [2, 0, 0, 1]
    assert [*blocks("guarding.md")][-1][1].count("::error file=net.claims.toml,line=") == 3
    assert [64 * 28 + 65 * 10, 65 * 28 + 66 * 10] == [2_442, 2_480]


def test_a_model_card(tmp_path: Path) -> None:
    """Embeddings, two layers and the pooler; every matrix has a bias, and every norm a scale and a shift."""
    write_bert(tmp_path / "bert-tiny")
    attention, norm = 4 * (HIDDEN + 1) * HIDDEN, 2 * HIDDEN
    layer = attention + norm + (HIDDEN + 1) * INNER + (INNER + 1) * HIDDEN + norm
    embeddings = (VOCABULARY + POSITIONS + 2) * HIDDEN + norm
    outside = 2 * layer + (HIDDEN + 1) * HIDDEN
    assert (layer, outside, embeddings + outside) == (198_272, 413_056, 4_385_920)
    assert run("model-card.md", tmp_path) == [0, 0, 1, 1]
    shown = "".join(text for _, text in blocks("model-card.md"))
    assert all(f"{count:,}" in shown for count in (layer, embeddings + outside))


def test_conventions(tmp_path: Path) -> None:
    """12·(12·768² + 13·768) + 2·768 outside of the embeddings, whose table of tokens is the output head too."""
    assert run("conventions.md", tmp_path) == [0, 0, 1, 1]
    body, tokens, positions = 12 * (12 * 768**2 + 13 * 768) + 2 * 768, 50_257 * 768, 1024 * 768
    assert (body, body + tokens + positions) == (85_056_000, 124_439_808)
    shown = "".join(text for _, text in blocks("conventions.md"))
    assert all(f"{count:,}" in shown for count in (body, body + tokens + positions, body + 2 * tokens + positions))


def test_a_model_of_transformers(tmp_path: Path) -> None:
    """GPT-2: embeddings of 50,257 tokens and 1,024 positions, 12 blocks, a norm; the head is the first table."""
    pytest.importorskip("transformers")
    code = next(text for _, text in blocks("maintainer.md") if text.startswith("# models.py\n"))
    (tmp_path / "models.py").write_text(code)
    result = api.audit_target(str(tmp_path / "models.py:gpt2"))
    width, norm = 768, 2 * 768
    block = (width + 1) * 3 * width + (width + 1) * width + (width + 1) * 4 * width + (4 * width + 1) * width + 2 * norm
    assert result.trainable == (50_257 + 1_024) * width + 12 * block + norm == 124_439_808
    assert f"{result.trainable:,}" in (GUIDES / "maintainer.md").read_text(encoding="utf-8")
    assert "not probed" not in [finding.kind for finding in result.warnings]


def test_an_encoder_on_device_meta() -> None:
    """A block: projections in and out, two layers 3,072 wide between, two norms."""
    result = api.audit_target(f"{GUIDES.parents[1]}/examples/encoder.py:encoder")
    block = 769 * 3 * 768 + 769 * 768 + 769 * 3_072 + 3_073 * 768 + 2 * 2 * 768
    assert (result.trainable, result.warnings) == (12 * block, ())


def write_bert(folder: Path) -> None:
    """A folder as model hubs have it. Only the header of its weights is written: the values are a hole in the file."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"], "model_type": "bert"}))
    header, end = {}, 0
    for name, shape in bert().items():
        begin, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def bert() -> dict[str, list[int]]:
    shapes = {
        "embeddings.word_embeddings.weight": [VOCABULARY, HIDDEN],
        "embeddings.position_embeddings.weight": [POSITIONS, HIDDEN],
        "embeddings.token_type_embeddings.weight": [2, HIDDEN],
        **_norm("embeddings.LayerNorm"),
    }
    for at in ("encoder.layer.0", "encoder.layer.1"):
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{at}.attention.{name}", HIDDEN, HIDDEN)
        shapes |= _norm(f"{at}.attention.output.LayerNorm") | _linear(f"{at}.intermediate.dense", HIDDEN, INNER)
        shapes |= _linear(f"{at}.output.dense", INNER, HIDDEN) | _norm(f"{at}.output.LayerNorm")
    return shapes | _linear("pooler.dense", HIDDEN, HIDDEN)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [outputs, inputs], f"{name}.bias": [outputs]}


def _norm(name: str) -> dict[str, list[int]]:
    return {f"{name}.weight": [HIDDEN], f"{name}.bias": [HIDDEN]}
