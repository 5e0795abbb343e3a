"""Losses as stated beside those that the networks are trained with. Every expected loss is derived beside it."""

import pytest

from capsaudit.catalogue.claims import Test as Statement
from capsaudit.commands.loss_statements import judge_margin_loss, judge_reconstruction_loss
from capsaudit.render.reasons import sentence


def margin(m_plus: float = 0.9, m_minus: float = 0.1, weight: float = 0.5) -> Statement:
    return Statement(kind="loss", loss="margin", m_plus=m_plus, m_minus=m_minus, weight=weight)


def test_the_papers_margin_loss() -> None:
    found = judge_margin_loss(margin())
    assert (found.code, found.values) == ("losses agree", {"examples": 4})


@pytest.mark.parametrize(
    ("changes", "lengths", "stated", "trained"),
    [
        # the right capsule is 0.85 long: (0.9 − 0.85)² is lost, with 0.8 nothing
        pytest.param({"m_plus": 0.8}, "0.85, 0.05, 0.0", 0.0, 0.0025, id="m+"),
        # the right one is 0.95 long: with 1.0 (1 − 0.95)² is lost where nothing was
        pytest.param({"m_plus": 1.0}, "0.95, 0.05, 0.0", 0.0025, 0.0, id="larger m+"),
        # a wrong one is 0.15 long: half of (0.15 − 0.1)² is lost, with 0.2 nothing
        pytest.param({"m_minus": 0.2}, "0.95, 0.15, 0.0", 0.0, 0.00125, id="m−"),
        # the whole of it instead of half
        pytest.param({"weight": 1.0}, "0.95, 0.15, 0.0", 0.0025, 0.00125, id="weight"),
        # 0.125·(0.15 − 0.05)² is 0.5·(0.15 − 0.1)², but further off it is
        # (0.9 − 0.4)² + 0.125·(0.15² + 0.65²) = 0.305625, and not (0.9 − 0.4)² + 0.5·(0.1² + 0.6²) = 0.435
        pytest.param({"m_minus": 0.05, "weight": 0.125}, "0.2, 0.7, 0.4", 0.305625, 0.435, id="both"),
    ],
)
def test_another_margin_loss_differs(changes: dict[str, float], lengths: str, stated: float, trained: float) -> None:
    found = judge_margin_loss(margin(**changes))
    assert found.code == "loss disagrees"
    assert found.values["where"] == f"for lengths {lengths}"
    assert found.values["stated"] == pytest.approx(stated)
    assert found.values["trained"] == pytest.approx(trained)


def test_the_scaled_sum_of_squares_is_the_reconstruction_loss() -> None:
    """Pixels that differ by 0.3 and 0.4: 0.0005·(0.09 + 0.16) = 0.000125."""
    found = judge_reconstruction_loss(
        Statement(kind="loss", loss="reconstruction", form="scaled sum of squares", scale=0.0005)
    )
    assert found.code == "loss agrees"
    assert found.values["trained"] == pytest.approx(0.000125)
    assert sentence(found) == (
        "for an image with one pixel off by 0.3 and another by 0.4, it is 0.000125, the same as the loss that the networks are trained with"
    )


@pytest.mark.parametrize(
    ("form", "scale", "stated"),
    [
        pytest.param("Euclidean distance", 1.0, 0.5, id="the root of 0.25"),
        pytest.param("scaled sum of squares", 1.0, 0.25, id="not scaled"),
        # 0.0005·784 = 0.392, the scale of a mean over 784 pixels
        pytest.param("scaled sum of squares", 0.392, 0.098, id="scaled as a mean is"),
    ],
)
def test_other_reconstruction_losses_differ(form: str, scale: float, stated: float) -> None:
    statement = Statement(kind="loss", loss="reconstruction", form=form, scale=scale)  # type: ignore[arg-type]
    found = judge_reconstruction_loss(statement)
    assert found.code == "loss disagrees"
    assert found.values["stated"] == pytest.approx(stated)
