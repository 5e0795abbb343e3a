"""What figures decide together."""

from typing import Any

import msgspec
import pytest

from capsaudit.results.joint import Question
from tests.render.samples import joint


@pytest.mark.parametrize(("allowed", "decided"), [((), False), ((True,), True), ((True, False), False)])
def test_a_question_is_decided_where_one_answer_is_left(allowed: tuple[Any, ...], decided: bool) -> None:
    question = Question(knob="conv1.bias", about=("paper",), assumed=True, allowed=allowed, excluded=())
    assert question.decided is decided


def test_figures_agree_where_some_interpretation_satisfies_all() -> None:
    assert joint().agrees
    assert not msgspec.structs.replace(joint(), satisfied=False).agrees


def test_questions_are_called_knobs_in_json() -> None:
    assert dict(zip(joint().__struct_fields__, joint().__struct_encode_fields__, strict=True))["questions"] == "knobs"
