"""Building a user's model: what a target may name, and what is reported when it cannot be built."""

import sys
from pathlib import Path

import pytest
import torch

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.build import Loaded, load_python
from capsaudit.inspection.targets import parse_target
from tests.inspection.python.user_code import line, write


def load(text: str, **kwargs: object) -> Loaded:
    return load_python(parse_target(text), kwargs)


def values(loaded: Loaded) -> int:
    return sum(parameter.numel() for parameter in loaded.module.parameters())


def refusal(text: str, **kwargs: object) -> str:
    with pytest.raises(CapsauditError) as caught:
        load(text, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Net", 9),  # a class with its defaults: (2 + 1)·3
        ("built", 12),  # an instance as it is: (2 + 1)·4
        ("factory", 18),  # a function: (2 + 1)·6
        ("Plain.make", 15),  # a dotted name: (2 + 1)·5
        ("Plain.small", 3),  # (2 + 1)·1
        ("built.fc", 12),  # a part of an instance
        ("greedy", 9),
    ],
)
def test_a_target_may_be_a_class_a_function_or_an_instance(name: str, count: int) -> None:
    write("zoo/net.py")
    assert values(load(f"zoo/net.py:{name}")) == count
    assert values(load(f"zoo.net:{name}")) == count


def test_only_what_a_module_defines_itself_is_suggested() -> None:
    write("mine.py", "from collections import OrderedDict as Nets\nNetts = 'text'\nclass Network: ...\n")
    assert refusal("mine.py:Net").endswith("module has no attribute 'Net'; did you mean 'Network'?")


def test_keyword_arguments_are_passed_on() -> None:
    write("net.py")
    assert values(load("net.py:Net", hidden=5)) == 15  # (2 + 1)·5
    assert values(load("net.py:Net", hidden=5, bias=False)) == 10  # 2·5
    assert values(load("net.py:greedy", hidden=5)) == 15


def test_notes_say_how_the_model_was_made() -> None:
    write("net.py")
    assert load("net.py:Net", hidden=5).notes == ("Net(hidden=5) was called",)
    assert load("net.py:built").notes == ("built is an instance and was used as it is",)
    assert load("net.py:with_tensor").notes == ("with_tensor() was called", "it returned the inputs too")


def test_a_factory_may_return_example_inputs() -> None:
    write("net.py")
    assert described(load("net.py:with_inputs")) == (((7, 2), 3), {})
    assert described(load("net.py:with_tensor")) == (((7, 2),), {})
    assert described(load("net.py:with_dict")) == ((), {"x": (7, 2)})
    assert load("net.py:with_nothing").example is None
    assert load("net.py:Net").example is None


def described(loaded: Loaded) -> tuple[tuple[object, ...], dict[str, object]]:
    """The arguments, with shapes instead of tensors."""
    assert loaded.example is not None
    positional, keywords = loaded.example
    return tuple(map(shape_or_value, positional)), {name: shape_or_value(value) for name, value in keywords.items()}


def shape_or_value(value: object) -> object:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else value


def test_helper_modules_are_found_by_a_forward_pass_too() -> None:
    write("zoo/late.py", "def half(x): return x / 2")
    write(
        "zoo/model.py",
        """
        from torch import nn
        class Net(nn.Linear):
            def __init__(self): super().__init__(2, 5)
            def forward(self, x):
                from late import half
                return half(super().forward(x))
        """,
    )
    assert load("zoo/model.py:Net").module(torch.zeros(1, 2)).shape == (1, 5)


def test_a_script_that_parses_its_arguments_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["capsaudit", "audit", "net.py:Net", "--against", "paper"])
    write(
        "net.py",
        """
        import argparse
        from torch import nn
        parser = argparse.ArgumentParser()
        parser.add_argument("--hidden", type=int, default=4)
        options = parser.parse_args()
        class Net(nn.Linear):
            def __init__(self): super().__init__(2, options.hidden)
        """,
    )
    assert values(load("net.py:Net")) == 12  # (2 + 1)·4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("net.py:Nett", "net.py:Nett: module has no attribute 'Nett'; did you mean 'Net'?", id="name"),
        pytest.param("net.py:Plain.maek", "class has no attribute 'maek'; did you mean 'make'?", id="dotted name"),
        pytest.param("net.py:built.cf", "object has no attribute 'cf'; ", id="part of an instance"),
        pytest.param("net.py:number.x", "object has no attribute 'x'; it defines no class or function", id="part of a number"),
        pytest.param("net.py:zzzzz", "module has no attribute 'zzzzz'; expected one of: Descriptor, Guarded, Net, Plain,", id="nothing near"),
        pytest.param("zoo/empty.py:Net", "module has no attribute 'Net'; it defines no class or function", id="empty module"),
        pytest.param("net.py:Guarded.net", f"reading net failed: ValueError: not readable (net.py, line {line('not readable')})", id="descriptor"),
        pytest.param("net.py:number", "net.py:number: is a value of type int; expected an nn.Module, or a class or function", id="number"),
        pytest.param("net.py:Plain", "net.py:Plain: returns a value of type Plain; expected an nn.Module", id="another class"),
        pytest.param("net.py:nothing", "net.py:nothing: returns None; expected an nn.Module", id="None"),
        pytest.param("net.py:three", "returns a tuple of Net, int, int; expected an nn.Module, or a tuple of one and its", id="three"),
        pytest.param("net.py:with_text", "returns a value of type str as example inputs; expected a tensor, a tuple of arguments", id="inputs"),
        pytest.param("net.py:leaving", f"building the model failed: SystemExit: 3 (net.py, line {line('SystemExit')})", id="exit"),
        pytest.param("net.py:long_winded", f"ValueError: first line (net.py, line {line('first line')})", id="long error"),
    ],
)  # fmt: skip
def test_faults_are_reported_in_one_line(text: str, message: str) -> None:
    write("net.py")
    write("zoo/empty.py", "import os")
    reported = refusal(text)
    assert message in reported
    assert len(reported.splitlines()) == 1


def test_an_error_within_torch_is_located_in_the_users_line() -> None:
    write("net.py")
    reported = refusal("net.py:broken")
    assert "net.py:broken: building the model failed: TypeError: " in reported
    assert reported.endswith(f"(net.py, line {line('broken') + 1})")


def test_arguments_are_compared_before_the_call() -> None:
    write("net.py")
    assert refusal("net.py:Net", hiden=3) == "net.py:Net: has no argument 'hiden'; did you mean 'hidden'?"
    assert refusal("net.py:nothing", a=3) == "net.py:nothing: has no argument 'a'; it takes no arguments"
    instance = "net.py:built: is already an instance; --kwarg applies only to classes and functions"
    assert refusal("net.py:built", hidden=3) == instance
    remedy = "name a function without arguments that builds the model"
    assert refusal("net.py:needy", dept=3).splitlines() == [
        "net.py:needy: has no argument 'dept'; did you mean 'depth'?",
        f"net.py:needy: requires depth; pass --kwarg depth=…, or {remedy}",
        f"net.py:needy: requires positional arguments: hidden, classes; {remedy}",
    ]


def test_required_arguments_of_a_class_are_named() -> None:
    write("net.py", "from torch.nn import Linear as Net")
    options = "--kwarg in_features=… --kwarg out_features=…"
    assert f"requires in_features, out_features; pass {options}" in refusal("net.py:Net", bias=False)
    assert values(load("net.py:Net", in_features=2, out_features=3)) == 9  # (2 + 1)·3


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    assert refusal("absent.py:Net") == f"absent.py: file not found (current directory: {tmp_path})"


def test_an_interrupt_that_the_target_raises_is_an_error_like_any_other() -> None:
    write("net.py", "def Net(): raise KeyboardInterrupt")
    assert refusal("net.py:Net") == "net.py:Net: building the model failed: KeyboardInterrupt (net.py, line 1)"
