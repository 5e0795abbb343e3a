"""Claims with their verdicts."""

from typing import get_args

import msgspec
import pytest

from capsaudit.results.claims import Claims, ClaimVerdict
from tests.render.samples import claims

VERDICTS: list[ClaimVerdict] = [each for kind in get_args(ClaimVerdict) for each in (get_args(kind) or (kind,))]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_claims_agree_where_none_is_shown_to_be_wrong(verdict: ClaimVerdict) -> None:
    one = next(claim for claim in claims().claims if claim.verdict == "agrees")
    other = msgspec.structs.replace(one, verdict=verdict)
    assert Claims(claims=(one, other)).agrees == (verdict in ("agrees", "not checkable"))


def test_verdicts_are_those_of_the_contract() -> None:
    own = {"misattributed", "contradicted", "outdated", "not checkable"}
    assert {"agrees", "approximate", "disagrees", "unstated"} | own <= set(VERDICTS)
    assert not {"undecided", "true", "false"} & set(VERDICTS)


def test_the_shipped_claims_are_not_all_true() -> None:
    assert not claims().agrees
