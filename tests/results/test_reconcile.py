"""What explains a figure."""

from typing import get_args

import msgspec

from capsaudit.results.reconcile import Evidence
from tests.render.samples import reconciliation


def test_a_figure_is_agreed_with_where_something_explains_it() -> None:
    assert reconciliation().agrees
    assert not reconciliation("9999999").agrees
    assert msgspec.structs.replace(reconciliation(), found=0).agrees  # multimnist is known to have it
    assert not msgspec.structs.replace(reconciliation(), found=0, known=()).agrees


def test_all_are_counted_by_their_changes_and_the_first_are_listed() -> None:
    found = reconciliation()
    assert sum(group.found for group in found.by_changes) == found.found
    assert [len(each.changes) for each in found.explanations] == sorted(
        len(each.changes) for each in found.explanations
    )


def test_the_nearest_are_given_where_nothing_explains_it_and_only_there() -> None:
    assert (reconciliation().below, reconciliation().above) == (None, None)
    nothing = reconciliation("9999999")
    assert nothing.below is not None
    assert nothing.above is not None
    assert nothing.below.total < 9_999_999 < nothing.above.total


def test_evidence_has_the_words_of_the_contract() -> None:
    assert get_args(Evidence) == ("strong", "weak", "none", "redundant")
