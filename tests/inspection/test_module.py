"""The inventory of a live module: with inputs it includes findings, and lazy modules are materialised in a copy."""

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.module import inspect_module
from tests.inspection.odd_modules import Model, OddCalls, linear


def test_without_inputs_a_module_is_counted_but_not_run() -> None:
    found = inspect_module(Model(lambda _, x: [x][1], layer=linear()), "net")
    assert (found.target, found.trainable(), found.examples) == ("net", 9, ())  # 3·3
    assert [finding.kind for finding in found.findings] == ["not probed"]
    assert "was not run" in found.findings[0].message


def test_with_inputs_the_findings_of_a_forward_pass_are_included() -> None:
    model = Model(lambda m, x: m.a(x), a=linear(), b=linear())
    found = inspect_module(model, "net", inputs=(torch.ones(2, 3),))
    assert [(finding.kind, finding.path) for finding in found.findings] == [("unused", "b.weight")]
    assert found.examples == ((3,),)  # without the batch


def test_keyword_arguments_alone_run_the_module_too() -> None:
    found = inspect_module(OddCalls(), "net", kwargs={"x": torch.ones(1, 2)})
    assert [finding.path for finding in found.findings] == ["never"]


def test_a_forward_pass_that_fails_does_not_cost_the_counts() -> None:
    found = inspect_module(Model(lambda _, x: [x][1], layer=linear()), "net", inputs=(torch.ones(2, 3),))
    assert found.trainable() == 9  # 3·3
    assert [finding.kind for finding in found.findings] == ["not probed"]
    message = found.findings[0].message
    assert message.startswith("forward raised IndexError: list index out of range (test_module.py, line ")
    assert message.endswith("; pass another --input, or name a function that returns the model and its example inputs")


def test_geometry_and_notes_are_included() -> None:
    found = inspect_module(nn.Sequential(nn.Conv2d(1, 2, 3, stride=2)), "net", notes=("a note",))
    assert (found.geometry, found.notes) == ({"0": (2, 0)}, ("a note",))


def test_a_lazy_module_is_materialised_in_a_copy() -> None:
    model = nn.Sequential(nn.LazyLinear(4))
    found = inspect_module(model, "net", inputs=(torch.ones(2, 3),))
    assert found.trainable() == 16  # (3 + 1)·4
    assert found.notes == ("lazy modules were materialised in a copy by one forward pass",)
    assert is_lazy(model.get_parameter("0.weight"))


def test_a_lazy_module_without_inputs_is_refused() -> None:
    with pytest.raises(CapsauditError, match=r"^0\.weight has no shape .*pass an input \(--input\)$"):
        inspect_module(nn.Sequential(nn.LazyLinear(4)), "net")


def test_other_objects_are_refused() -> None:
    with pytest.raises(CapsauditError, match=r"^net: is a list; expected an nn\.Module$"):
        inspect_module([linear()], "net")  # type: ignore[arg-type]
