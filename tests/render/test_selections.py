"""Ways to count a model in words."""

import pytest

from capsaudit.knobs import KnobChange
from capsaudit.render.selections import chance, counted_as


def changes(*named: tuple[str, str]) -> list[KnobChange]:
    return [KnobChange(knob=f"counting.{name}", before="", after=after) for name, after in named]


OUT = "left out"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ((), "as it is"),
        ((("token_embeddings", OUT),), "without token embeddings"),
        ((("token_embeddings", OUT), ("position_embeddings", OUT)), "without token and position embeddings"),
        ((("token_embeddings", OUT), ("biases", OUT)), "without token embeddings and biases"),
        ((("output_head", OUT), ("unused", OUT)), "without the output head and what a forward pass does not use"),
        ((("submodule", "a"), ("submodule", "b")), "only a and b"),
        ((("frozen", "counted"), ("buffers", "counted")), "with frozen parameters and buffers"),
        ((("frozen", OUT),), "without frozen parameters"),
        ((("biases", OUT), ("submodule", "encoder")), "only encoder, without biases"),
        ((("experts", "2 of 8"), ("rounding", "cut")), "with 2 of 8 experts, cut instead of rounded"),
        ((("tied", "under each name"), ("thousands", "1024")), "with tied tensors under each name, in thousands of 1024"),
        ((("trailing_zeros", "not significant"),), "if trailing zeros are not significant"),
    ],
)  # fmt: skip
def test_conventions_in_words(made: tuple[tuple[str, str], ...], words: str) -> None:
    assert counted_as(changes(*made)) == words


@pytest.mark.parametrize(
    ("expected", "words"),
    [(0.0, "less than 0.001"), (0.001, "0.001"), (0.25, "0.25"), (1.0, "1.0"), (1234.5, "1,234.5")],
)
def test_small_numbers_are_all_alike(expected: float, words: str) -> None:
    assert chance(expected) == words
