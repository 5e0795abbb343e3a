"""Figures that well-known networks are published with, beside what their layers come to, worked out from the published sizes.

`exact` is arithmetic from the sizes in the papers and configurations and never the program's output. Where a figure is of something else
than all trainable parameters, `explained` says what; None where nothing that the search tries comes to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from msgspec import Struct
from torch import nn

from capsaudit.published import Verdict
from tests.zoo.architectures import _configured


class Published(Struct, frozen=True, kw_only=True):
    """A network, what its layers come to, and a figure with its source. `explained`: in the words of the search."""

    name: str
    build: Callable[[], nn.Module]
    exact: int
    figure: str
    source: str
    verdict: Verdict = "agrees"
    explained: str | None = None


def _network(model: str, config: str, **settings: Any) -> Callable[[], nn.Module]:
    return partial(_configured, model, config, settings)


# What layers come to: `width` d, `layers` L, `inner` the width between the two matrices of an MLP, `vocabulary` and `positions` rows of tables.


def gpt(*, vocabulary: int, positions: int, width: int, layers: int) -> int:
    """Radford et al. 2019: attention 4d² + 4d, MLP 8d² + 5d, two norms 4d a layer; a norm at the end; the head is the table of tokens."""
    return (vocabulary + positions) * width + layers * (12 * width**2 + 13 * width) + 2 * width


def bert(*, width: int, layers: int, inner: int, vocabulary: int = 30_522, positions: int = 512, types: int = 2) -> int:
    """Devlin et al. 2019, with the pooler: every matrix has a bias; one norm after the embeddings, two a layer."""
    layer = 4 * (width + 1) * width + 2 * width * inner + inner + width + 4 * width
    return (vocabulary + positions + types) * width + 2 * width + layers * layer + (width + 1) * width


def bert_heads(*, width: int, vocabulary: int = 30_522) -> int:
    """Both pre-training heads: a transform with a norm, a bias for each token (the matrix is tied), two classes."""
    return (width + 1) * width + 2 * width + vocabulary + 2 * (width + 1)


def llama(
    *, vocabulary: int, width: int, layers: int, inner: int, heads: int, groups: int, size: int = 0, tied: bool = False, biases: bool = False,
) -> int:  # fmt: skip
    """Touvron et al. 2023: `groups` of keys and values (Ainslie et al. 2023), a gated MLP of three matrices, two norms a layer, one at the end."""
    size = size or width // heads
    attention = 2 * width * heads * size + 2 * width * groups * size + (heads + 2 * groups) * size * biases
    return (2 - tied) * vocabulary * width + layers * (attention + 3 * width * inner + 2 * width) + width


def mixture(
    *,
    experts: int,
    vocabulary: int,
    width: int,
    layers: int,
    inner: int,
    heads: int,
    groups: int,
    size: int,
    norms: int = 0,
) -> int:
    """As `llama`, with a router and `experts` MLPs a layer; `norms`: values in those of queries and keys."""
    one = llama(vocabulary=vocabulary, width=width, layers=layers, inner=0, heads=heads, groups=groups, size=size)
    return one + layers * (experts * 3 * width * inner + width * experts + norms)


def vit(*, width: int, layers: int, patch: int, classes: int = 1000, side: int = 224) -> int:
    """Dosovitskiy et al. 2021: patches, class token, positions, layers as in `gpt`, a norm, a linear layer."""
    places = (side // patch) ** 2 + 1
    return (
        (3 * patch**2 + 1) * width
        + (1 + places) * width
        + layers * (12 * width**2 + 13 * width)
        + 2 * width
        + (width + 1) * classes
    )


def resnet(*blocks: int, bottleneck: bool) -> int:
    """He et al. 2016: convolutions without biases, each with a batch normalisation of 2 values a channel; 1000 classes."""

    def convolution(kernel: int, before: int, after: int) -> int:
        return kernel**2 * before * after + 2 * after

    total, before = convolution(7, 3, 64), 64
    for stage, number in enumerate(blocks):
        width = 64 * 2**stage
        after = width * (4 if bottleneck else 1)
        for block in range(number):
            inside = (
                [(1, before, width), (3, width, width), (1, width, after)]
                if bottleneck
                else [(3, before, width), (3, width, width)]
            )
            shortcut = [(1, before, after)] if block == 0 and before != after else []
            total += sum(convolution(*each) for each in inside + shortcut)
            before = after
    return total + (before + 1) * 1000


def convnext(depths: tuple[int, ...], widths: tuple[int, ...]) -> int:
    """Liu et al. 2022: a depthwise 7×7, a norm, two matrices of 4d² and a scale a block; a norm and a 2×2 convolution between stages."""
    blocks = sum(depth * (50 * d + 2 * d + 8 * d**2 + 5 * d + d) for depth, d in zip(depths, widths, strict=True))
    between = sum(2 * a + (4 * a + 1) * b for a, b in pairwise(widths))
    return (3 * 16 + 1) * widths[0] + 2 * widths[0] + blocks + between + 2 * widths[-1] + (widths[-1] + 1) * 1000


def t5(*, width: int, inner: int, layers: int, heads: int, vocabulary: int = 32_128) -> int:
    """Raffel et al. 2020: no biases, norms of d; 8 d² or their like in attention and cross-attention, 32 relative positions in each half."""
    attention, mlp = 4 * width * heads * 64, 2 * width * inner
    encoder, decoder = attention + mlp + 2 * width, 2 * attention + mlp + 3 * width
    return vocabulary * width + layers * (encoder + decoder) + 2 * width + 2 * 32 * heads


def neox(*, width: int, layers: int, vocabulary: int = 50_304) -> int:
    """As `gpt`, with rotary positions and a head of its own."""
    return 2 * vocabulary * width + layers * (12 * width**2 + 13 * width) + 2 * width


def opt(*, width: int, layers: int, positions: int = 2_050, vocabulary: int = 50_272) -> int:
    """Zhang et al. 2022, MLPs of 4d; two rows of the table of positions are padding."""
    return gpt(vocabulary=vocabulary, positions=positions, width=width, layers=layers)


def clip() -> int:
    """Radford et al. 2021, ViT-B/32: a tower of images with a norm more and no bias for patches, one of texts; projections to 512; a scale."""
    images = gpt(vocabulary=3 * 32**2 + 1, positions=50, width=768, layers=12) + 2 * 768
    texts = gpt(vocabulary=49_408, positions=77, width=512, layers=12)
    return images + texts + (768 + 512) * 512 + 1


def _gpt2(width: int, layers: int, heads: int) -> Callable[[], nn.Module]:
    return _network("GPT2LMHeadModel", "GPT2Config", n_embd=width, n_layer=layers, n_head=heads)


def _bert(model: str, width: int, layers: int, heads: int) -> Callable[[], nn.Module]:
    return _network(
        model, "BertConfig",
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
    )  # fmt: skip


def _llama(
    model: str, vocabulary: int, width: int, layers: int, inner: int, heads: int, groups: int, **more: Any
) -> Callable[[], nn.Module]:
    return _network(
        f"{model}ForCausalLM", f"{model}Config", vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers,
        intermediate_size=inner, num_attention_heads=heads, num_key_value_heads=groups, **more,
    )  # fmt: skip


def _pythia(width: int, layers: int, heads: int) -> Callable[[], nn.Module]:
    return _network(
        "GPTNeoXForCausalLM", "GPTNeoXConfig", vocab_size=50_304, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=4 * width,
    )  # fmt: skip


def _t5(width: int, inner: int, layers: int, heads: int) -> Callable[[], nn.Module]:
    return _network(
        "T5ForConditionalGeneration", "T5Config",
        d_model=width, d_ff=inner, num_layers=layers, num_heads=heads, d_kv=64,
    )  # fmt: skip


def _vit(width: int, layers: int, heads: int, patch: int) -> Callable[[], nn.Module]:
    return _network(
        "ViTForImageClassification", "ViTConfig", hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=4 * width, patch_size=patch, num_labels=1000,
    )  # fmt: skip


def _resnet(depths: tuple[int, ...], kind: str) -> Callable[[], nn.Module]:
    widths = (256, 512, 1024, 2048) if kind == "bottleneck" else (64, 128, 256, 512)
    return _network(
        "ResNetForImageClassification", "ResNetConfig",
        depths=list(depths), hidden_sizes=list(widths), layer_type=kind, num_labels=1000,
    )  # fmt: skip


def _convnext(depths: tuple[int, ...], widths: tuple[int, ...]) -> Callable[[], nn.Module]:
    return _network(
        "ConvNextForImageClassification",
        "ConvNextConfig",
        depths=list(depths),
        hidden_sizes=list(widths),
        num_labels=1000,
    )


def _opt(width: int, layers: int, heads: int) -> Callable[[], nn.Module]:
    return _network(
        "OPTForCausalLM", "OPTConfig", hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        ffn_dim=4 * width, word_embed_proj_dim=width,
    )  # fmt: skip


_GPT2 = {
    "GPT-2": ((768, 12, 12), gpt(vocabulary=50_257, positions=1024, width=768, layers=12)),
    "GPT-2 medium": ((1024, 24, 16), gpt(vocabulary=50_257, positions=1024, width=1024, layers=24)),
    "GPT-2 large": ((1280, 36, 20), gpt(vocabulary=50_257, positions=1024, width=1280, layers=36)),
    "GPT-2 XL": ((1600, 48, 25), gpt(vocabulary=50_257, positions=1024, width=1600, layers=48)),
}
_PYTHIA = {
    "Pythia 70M": ((512, 6, 8), neox(width=512, layers=6)),
    "Pythia 160M": ((768, 12, 12), neox(width=768, layers=12)),
    "Pythia 410M": ((1024, 24, 16), neox(width=1024, layers=24)),
    "Pythia 1B": ((2048, 16, 8), neox(width=2048, layers=16)),
}
_CORE = "without token embeddings and the output head, exact"
_RADFORD, _BIDERMAN, _DEVLIN = "Radford et al. 2019, table 2", "Biderman et al. 2023, table 1", "Devlin et al. 2019"
_TURC, _GEMMA_REPORT, _QWEN2_CARD = "Turc et al. 2019, table 1", "Gemma Team 2024, table 2", "Qwen2 model cards"

_GEMMA = llama(vocabulary=256_000, width=3072, layers=28, inner=24_576, heads=16, groups=16, size=256, tied=True)
_GEMMA_2B = llama(vocabulary=256_000, width=2048, layers=18, inner=16_384, heads=8, groups=1, size=256, tied=True)
_MIXTRAL = {"vocabulary": 32_000, "width": 4096, "layers": 32, "inner": 14_336, "heads": 32, "groups": 8, "size": 128}
_QWEN3 = {
    "vocabulary": 151_936, "width": 2048, "layers": 48, "inner": 768, "heads": 32, "groups": 4, "size": 128, "norms": 256,
}  # fmt: skip
_OLMOE = {
    "vocabulary": 50_304, "width": 2048, "layers": 16, "inner": 1024, "heads": 16, "groups": 16, "size": 128, "norms": 4096,
}  # fmt: skip


def _gpt2_row(
    name: str, figure: str, source: str, verdict: Verdict = "agrees", explained: str | None = None
) -> Published:
    (sizes, exact) = _GPT2[name]
    return Published(
        name=name, build=_gpt2(*sizes), exact=exact, figure=figure, source=source, verdict=verdict, explained=explained
    )


def _pythia_row(name: str, figure: str) -> Published:
    (sizes, exact) = _PYTHIA[name]
    return Published(
        name=name,
        build=_pythia(*sizes),
        exact=exact,
        figure=figure,
        source=_BIDERMAN,
        verdict="disagrees",
        explained=_CORE,
    )


PUBLISHED: tuple[Published, ...] = (
    _gpt2_row("GPT-2", "124,439,808", "parameters of the released weights"),
    _gpt2_row("GPT-2", "124M", "the repository gpt-2, README, corrected"),
    _gpt2_row("GPT-2", "117M", _RADFORD, "disagrees"),
    _gpt2_row("GPT-2", "85,056,000", "the same body as Pythia 160M", "disagrees", "without token and position embeddings, exact"),
    _gpt2_row("GPT-2 medium", "355M", "the repository gpt-2, README, corrected"),
    _gpt2_row("GPT-2 medium", "345M", _RADFORD, "disagrees"),
    _gpt2_row("GPT-2 large", "774M", "the repository gpt-2, README, corrected"),
    _gpt2_row("GPT-2 large", "762M", _RADFORD, "disagrees"),
    _gpt2_row("GPT-2 XL", "1558M", "the repository gpt-2, README, corrected"),
    _gpt2_row("GPT-2 XL", "1542M", _RADFORD, "disagrees"),
    _pythia_row("Pythia 70M", "18,915,328"),
    _pythia_row("Pythia 160M", "85,056,000"),
    _pythia_row("Pythia 410M", "302,311,424"),
    _pythia_row("Pythia 1B", "805,736,448"),
    Published(
        name="BERT-base", build=_bert("BertModel", 768, 12, 12), exact=bert(width=768, layers=12, inner=3072),
        figure="110M", source=_DEVLIN, verdict="approximate",
    ),
    Published(
        name="BERT-base", build=_bert("BertModel", 768, 12, 12), exact=bert(width=768, layers=12, inner=3072),
        figure="110,106,428", source="the same with both pre-training heads", verdict="disagrees",
    ),
    Published(
        name="BERT-base with both heads", build=_bert("BertForPreTraining", 768, 12, 12),
        exact=bert(width=768, layers=12, inner=3072) + bert_heads(width=768), figure="110.1M", source=_TURC,
    ),
    Published(
        name="BERT-large", build=_bert("BertModel", 1024, 24, 16), exact=bert(width=1024, layers=24, inner=4096),
        figure="340M", source=_DEVLIN, verdict="approximate",
    ),
    Published(
        name="BERT-tiny", build=_bert("BertForPreTraining", 128, 2, 2),
        exact=bert(width=128, layers=2, inner=512) + bert_heads(width=128), figure="4.4M", source=_TURC,
    ),
    Published(
        name="BERT-mini", build=_bert("BertForPreTraining", 256, 4, 4),
        exact=bert(width=256, layers=4, inner=1024) + bert_heads(width=256), figure="11.3M", source=_TURC,
    ),
    Published(
        name="BERT-small", build=_bert("BertForPreTraining", 512, 4, 8),
        exact=bert(width=512, layers=4, inner=2048) + bert_heads(width=512), figure="29.1M", source=_TURC,
    ),
    Published(
        name="BERT-medium", build=_bert("BertForPreTraining", 512, 8, 8),
        exact=bert(width=512, layers=8, inner=2048) + bert_heads(width=512), figure="41.7M", source=_TURC,
    ),
    Published(
        name="DistilBERT", build=_network("DistilBertModel", "DistilBertConfig"),
        exact=bert(width=768, layers=6, inner=3072, types=0) - 769 * 768, figure="66M", source="Sanh et al. 2019, table 3",
    ),
    Published(
        name="RoBERTa-base",
        build=_network("RobertaModel", "RobertaConfig", vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1),
        exact=bert(width=768, layers=12, inner=3072, vocabulary=50_265, positions=514, types=1),
        figure="125M", source="fairseq, RoBERTa README",
    ),
    Published(
        name="gemma-7b", build=_network("GemmaForCausalLM", "GemmaConfig"), exact=_GEMMA,
        figure="8,537,680,896", source="parameters of the released weights",
    ),
    Published(
        name="gemma-7b", build=_network("GemmaForCausalLM", "GemmaConfig"), exact=_GEMMA, figure="7,751,248,896",
        source=_GEMMA_REPORT, verdict="disagrees", explained="without token embeddings, exact",
    ),
    Published(  # 256,128 rows: of the table in the report, not of the released one
        name="gemma-7b", build=_network("GemmaForCausalLM", "GemmaConfig"), exact=_GEMMA, figure="786,825,216",
        source=_GEMMA_REPORT, verdict="disagrees",
    ),
    Published(
        name="gemma-2b",
        build=_llama("Gemma", 256_000, 2048, 18, 16_384, 8, 1, head_dim=256), exact=_GEMMA_2B, figure="1,981,884,416",
        source=_GEMMA_REPORT, verdict="disagrees", explained="without token embeddings, exact",
    ),
    Published(
        name="Mixtral 8x7B", build=_network("MixtralForCausalLM", "MixtralConfig"), exact=mixture(experts=8, **_MIXTRAL),
        figure="46.7B", source="Mistral AI, Mixtral of experts",
    ),
    Published(
        name="Mixtral 8x7B", build=_network("MixtralForCausalLM", "MixtralConfig"), exact=mixture(experts=8, **_MIXTRAL),
        figure="12.9B", source="Mistral AI, Mixtral of experts", verdict="disagrees",
        explained="with 2 of 8 experts, 12,879,925,248",
    ),
    *(
        Published(
            name="Qwen3-30B-A3B",
            build=_network(
                "Qwen3MoeForCausalLM", "Qwen3MoeConfig", vocab_size=151_936, hidden_size=2048, num_hidden_layers=48,
                moe_intermediate_size=768, num_attention_heads=32, num_key_value_heads=4, head_dim=128, num_experts=128,
                num_experts_per_tok=8, tie_word_embeddings=False, mlp_only_layers=[], decoder_sparse_step=1,
            ),
            exact=mixture(experts=128, **_QWEN3), figure=figure, source="Qwen3-30B-A3B model card", verdict="disagrees" if explained else "agrees",
            explained=explained,
        )
        for figure, explained in (
            ("30.5B", None),
            ("29.9B", "only model.layers"),
            # 8 of 128 experts are 3.35 billion: the figure is cut, and others with as few changes round to it; chance would give two
            ("3.3B", "without token embeddings, with 9 of 128 experts"),
        )
    ),
    Published(
        name="OLMoE-1B-7B",
        build=_network(
            "OlmoeForCausalLM", "OlmoeConfig", vocab_size=50_304, hidden_size=2048, num_hidden_layers=16,
            intermediate_size=1024, num_attention_heads=16, num_key_value_heads=16, num_experts=64, num_experts_per_tok=8,
        ),
        exact=mixture(experts=64, **_OLMOE), figure="1.3B", source="Muennighoff et al. 2024, active", verdict="disagrees",
        explained="with 8 of 64 experts",
    ),
    Published(
        name="LLaMA-7B", build=_llama("Llama", 32_000, 4096, 32, 11_008, 32, 32),
        exact=llama(vocabulary=32_000, width=4096, layers=32, inner=11_008, heads=32, groups=32),
        figure="6.7B", source="Touvron et al. 2023, table 2",
    ),
    Published(
        name="LLaMA-13B", build=_llama("Llama", 32_000, 5120, 40, 13_824, 40, 40),
        exact=llama(vocabulary=32_000, width=5120, layers=40, inner=13_824, heads=40, groups=40),
        figure="13.0B", source="Touvron et al. 2023, table 2",
    ),
    Published(
        name="LLaMA-65B", build=_llama("Llama", 32_000, 8192, 80, 22_016, 64, 64),
        exact=llama(vocabulary=32_000, width=8192, layers=80, inner=22_016, heads=64, groups=64),
        figure="65.2B", source="Touvron et al. 2023, table 2", verdict="approximate",  # 65,285,660,672
    ),
    Published(
        name="Llama-2-70B", build=_llama("Llama", 32_000, 8192, 80, 28_672, 64, 8),
        exact=llama(vocabulary=32_000, width=8192, layers=80, inner=28_672, heads=64, groups=8),
        figure="70B", source="Touvron et al. 2023, Llama 2", verdict="disagrees",
    ),
    Published(
        name="Llama-3-8B", build=_llama("Llama", 128_256, 4096, 32, 14_336, 32, 8),
        exact=llama(vocabulary=128_256, width=4096, layers=32, inner=14_336, heads=32, groups=8),
        figure="8B", source="Meta Llama 3 model card",
    ),
    Published(
        name="TinyLlama", build=_llama("Llama", 32_000, 2048, 22, 5632, 32, 4),
        exact=llama(vocabulary=32_000, width=2048, layers=22, inner=5632, heads=32, groups=4),
        figure="1.1B", source="Zhang et al. 2024, TinyLlama",
    ),
    Published(
        name="Mistral-7B", build=_llama("Mistral", 32_000, 4096, 32, 14_336, 32, 8),
        exact=llama(vocabulary=32_000, width=4096, layers=32, inner=14_336, heads=32, groups=8),
        figure="7.3B", source="Mistral AI, announcing Mistral 7B", verdict="disagrees",
    ),
    *(
        Published(
            name=name, build=_llama("Qwen2", vocabulary, width, layers, inner, heads, groups, tie_word_embeddings=tied),
            exact=llama(
                vocabulary=vocabulary, width=width, layers=layers, inner=inner, heads=heads, groups=groups, tied=tied, biases=True,
            ),
            figure=figure, source=_QWEN2_CARD, verdict="disagrees" if explained else "agrees", explained=explained,
        )
        for name, vocabulary, width, layers, inner, heads, groups, tied, figures in (
            ("Qwen2-0.5B", 151_936, 896, 24, 4864, 14, 2, True, ("0.49B", "0.36B")),
            ("Qwen2-1.5B", 151_936, 1536, 28, 8960, 12, 2, True, ("1.54B", "1.31B")),
        )
        for figure, explained in ((figures[0], None), (figures[1], "without token embeddings"))
    ),
    Published(  # fewer changes than without both tables, which has the norm at the end too
        name="Qwen2-7B", build=_llama("Qwen2", 152_064, 3584, 28, 18_944, 28, 4, tie_word_embeddings=False),
        exact=llama(vocabulary=152_064, width=3584, layers=28, inner=18_944, heads=28, groups=4, biases=True),
        figure="6.53B", source=_QWEN2_CARD, verdict="disagrees", explained="only model.layers",
    ),
    Published(
        name="OPT-125M", build=_opt(768, 12, 12), exact=opt(width=768, layers=12), figure="125M", source="Zhang et al. 2022, table 1"
    ),
    Published(
        name="OPT-1.3B", build=_opt(2048, 24, 32), exact=opt(width=2048, layers=24), figure="1.3B", source="Zhang et al. 2022, table 1"
    ),
    Published(
        name="BLOOM-560M", build=_network("BloomForCausalLM", "BloomConfig", vocab_size=250_880, hidden_size=1024, n_layer=24, n_head=16),
        exact=gpt(vocabulary=250_880, positions=0, width=1024, layers=24) + 2 * 1024,  # a norm after the table of tokens
        figure="559M", source="BLOOM-560m model card",
    ),
    *(
        Published(
            name="CLIP ViT-B/32", build=_network("CLIPModel", "CLIPConfig"), exact=clip(), figure=figure, source=source,
            verdict="disagrees" if explained else "agrees", explained=explained,
        )
        for figure, source, explained in (
            ("151,277,313", "parameters of the released weights", None),
            ("87.85M", "OpenCLIP, docs/model_profile.csv, image tower", "only vision_model and visual_projection"),
            ("63.43M", "OpenCLIP, docs/model_profile.csv, text tower", "only text_model and text_projection"),
        )
    ),
    Published(
        name="T5-small", build=_t5(512, 2048, 6, 8), exact=t5(width=512, inner=2048, layers=6, heads=8),
        figure="60M", source="Raffel et al. 2020", verdict="approximate",  # 60,506,624 is 61M
    ),
    Published(
        name="T5-base", build=_t5(768, 3072, 12, 12), exact=t5(width=768, inner=3072, layers=12, heads=12),
        figure="220M", source="Raffel et al. 2020", verdict="approximate",
    ),
    Published(
        name="T5-large", build=_t5(1024, 4096, 24, 16), exact=t5(width=1024, inner=4096, layers=24, heads=16),
        figure="770M", source="Raffel et al. 2020", verdict="disagrees",
    ),
    Published(
        name="ViT-B/16", build=_vit(768, 12, 12, 16), exact=vit(width=768, layers=12, patch=16),
        figure="86.6M", source="torchvision, vit_b_16",
    ),
    Published(
        name="ViT-B/16", build=_vit(768, 12, 12, 16), exact=vit(width=768, layers=12, patch=16), figure="85.8M",
        source="the same without its head, as a backbone", verdict="disagrees", explained="without the last linear layer",
    ),
    Published(
        name="ViT-L/16", build=_vit(1024, 24, 16, 16), exact=vit(width=1024, layers=24, patch=16),
        figure="307M", source="Dosovitskiy et al. 2021, table 1", verdict="disagrees",
    ),
    Published(
        name="ViT-H/14", build=_vit(1280, 32, 16, 14), exact=vit(width=1280, layers=32, patch=14),
        figure="632M", source="Dosovitskiy et al. 2021, table 1",
    ),
    Published(
        name="DeiT-tiny", build=_vit(192, 12, 3, 16), exact=vit(width=192, layers=12, patch=16),
        figure="5M", source="Touvron et al. 2021, table 1", verdict="approximate",  # 5,717,416 is 6M
    ),
    Published(
        name="DeiT-small", build=_vit(384, 12, 6, 16), exact=vit(width=384, layers=12, patch=16),
        figure="22M", source="Touvron et al. 2021, table 1",
    ),
    *(
        Published(
            name=name, build=_resnet(depths, kind), exact=resnet(*depths, bottleneck=kind == "bottleneck"), figure=figure,
            source="torchvision",
        )
        for name, depths, kind, figure in (
            ("ResNet-18", (2, 2, 2, 2), "basic", "11,689,512"),
            ("ResNet-34", (3, 4, 6, 3), "basic", "21.8M"),
            ("ResNet-50", (3, 4, 6, 3), "bottleneck", "25,557,032"),
            ("ResNet-101", (3, 4, 23, 3), "bottleneck", "44.5M"),
            ("ResNet-152", (3, 8, 36, 3), "bottleneck", "60.2M"),
        )
    ),
    Published(
        name="ResNet-50", build=_resnet((3, 4, 6, 3), "bottleneck"), exact=resnet(3, 4, 6, 3, bottleneck=True), figure="23.5M",
        source="the same without its head, as a backbone", verdict="disagrees", explained="without the last linear layer",
    ),
    *(
        Published(
            name=name, build=_convnext(depths, widths), exact=convnext(depths, widths), figure=figure,
            source="Liu et al. 2022, table 1",
        )
        for name, depths, widths, figure in (
            ("ConvNeXt-T", (3, 3, 9, 3), (96, 192, 384, 768), "29M"),
            ("ConvNeXt-S", (3, 3, 27, 3), (96, 192, 384, 768), "50M"),
            ("ConvNeXt-B", (3, 3, 27, 3), (128, 256, 512, 1024), "89M"),
            ("ConvNeXt-L", (3, 3, 27, 3), (192, 384, 768, 1536), "198M"),
        )
    ),
)  # fmt: skip
