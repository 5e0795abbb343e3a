"""Networks in torch share no counting code with the arithmetic: of the families they take the settings alone."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

import capsaudit
from capsaudit.catalogue import load_variant, shipped
from capsaudit.families import FAMILIES, family_of
from capsaudit.models import MODELS, build
from capsaudit.models.network import Network
from capsaudit.spec import Settings

FILES = sorted((Path(capsaudit.__file__).parent / "models").rglob("*.py"))


def taken_from_families(source: str) -> Iterator[tuple[str, object]]:
    """Every name that this source takes from `capsaudit.families`, straight or as an attribute of an imported module, and what it is."""
    tree = ast.parse(source)
    modules: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("capsaudit.families"):
            for alias in node.names:
                found = getattr(import_module(str(node.module)), alias.name)
                if isinstance(found, ModuleType):
                    modules[alias.asname or alias.name] = found
                else:
                    yield alias.name, found
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("capsaudit.families"), "import the names that are used"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{node.value.id}.{node.attr}", getattr(modules[node.value.id], node.attr)


def no_settings(source: str) -> list[str]:
    """What it takes beside classes of settings."""
    return [
        name
        for name, found in taken_from_families(source)
        if not (isinstance(found, type) and issubclass(found, Settings))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.stem}/{path.stem}")
def test_models_take_only_settings_from_the_families(path: Path) -> None:
    """`family_of` is taken once, to find the module of a family by its name."""
    source = path.read_text()
    expected = []
    if path == FILES[0].parent / "__init__.py":
        assert source.count("family_of(") == source.count("family_of(spec).name") == 1
        expected = ["family_of"]
    assert no_settings(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "from capsaudit.families.capsnet import digit_caps_formula",
        "from capsaudit.families.capsnet import CAPSNET",
        "from capsaudit.families import layers",
        "from capsaudit.families import capsnet\ncapsnet.conv_output(28, conv)",
        "from capsaudit.families import baseline as b\ndef f():\n    return b.BASELINE.sides",
        "from capsaudit.families.base import Family",
    ],
)
def test_arithmetic_taken_from_a_family_would_be_noticed(source: str) -> None:
    assert no_settings(source)
    assert not no_settings("from capsaudit.families import capsnet\nx: capsnet.DigitCaps")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.stem}/{path.stem}")
def test_models_import_neither_the_arithmetic_nor_formulas(path: Path) -> None:
    imported = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"capsaudit.arithmetic", "capsaudit.formula", "capsaudit.conventions"}


def test_every_family_has_a_module() -> None:
    assert MODELS.keys() == FAMILIES.keys()
    assert all(issubclass(model, Network) for model in MODELS.values())


@pytest.mark.parametrize("variant", shipped())
def test_a_network_on_device_meta_has_shapes_and_no_values(variant: str) -> None:
    spec = load_variant(variant).spec
    model = build(spec, device="meta")
    assert type(model) is MODELS[family_of(spec).name]
    assert all(parameter.is_meta for parameter in model.parameters())


def test_the_same_seed_builds_the_same_network() -> None:
    spec = load_variant("paper", settings=["conv1.channels=4", "primary_caps.types=2", "decoder.hidden=[3]"]).spec
    torch.manual_seed(1)
    first = build(spec)
    torch.manual_seed(1)
    again = build(spec)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
