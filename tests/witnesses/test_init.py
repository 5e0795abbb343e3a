"""Witnesses by name."""

import subprocess
import sys

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.errors import CapsauditError
from capsaudit.witnesses import WITNESSES, expect_witnesses, formula, torch, torchinfo, witness


def test_each_name_leads_to_a_module_of_its_own() -> None:
    assert [witness(name) for name in WITNESSES] == [formula.count, torch.count, torchinfo.count]


def test_unknown_names_are_refused() -> None:
    expect_witnesses(WITNESSES)
    for ask in (lambda: witness("troch"), lambda: expect_witnesses(["formula", "troch"])):
        with pytest.raises(CapsauditError, match=r"no witness 'troch'; did you mean 'torch'\?"):
            ask()


@pytest.mark.parametrize(("name", "imported"), [("formula", False), ("torch", True)])
def test_the_formula_alone_imports_no_torch(name: str, imported: bool) -> None:
    """The other witness shows that this test can fail."""
    code = (
        "import sys; from capsaudit.catalogue import load_variant; from capsaudit.witnesses import witness; "
        f"witness({name!r})(load_variant('paper').spec); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(imported)


def test_what_the_formula_says_does_not_depend_on_what_was_counted_before() -> None:
    spec = load_variant("paper").spec
    assert witness("formula")(spec) == witness("formula")(spec)
