"""The alert budget: p-values that follow from it, budgets that are refused, what a rate means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.budget import Budget, BudgetError, alarm_rate
from detector.control import MAX_REFUSAL_CHARS
from detector.errors import PolicyError
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import Policy, default_policy_path, parse_policy
from tests.detector.tiny_models import write_tiny_models

DEFAULT = default_policy_path().read_text("utf-8")


def budgeted(*lines: str, active: int = 100_000) -> Policy:
    """The packaged policy with a budget."""
    table = "\n".join(["[budget]", f"active_accounts_per_day = {active}", *lines])
    return parse_policy(f"{DEFAULT}\n{table}\n", "budget.toml")


def p_values(policy: Policy) -> list[float]:
    """Of the four steps, mildest first."""
    steps = policy.steps
    return [s.p_value for s in (steps.watch, steps.throttle, steps.restrict, steps.block)]


def test_a_step_has_the_smaller_of_budget_and_p_value() -> None:
    """The budget of a step lowers its p-value and those of the harder steps, never raises one and
    never touches a milder one."""
    own = p_values(parse_policy(DEFAULT, "default.toml"))
    assert p_values(budgeted("throttle_per_day = 10")) == [own[0], 1e-4, 1e-4, 1e-4]
    assert p_values(budgeted("watch_per_day = 1000", "block_per_day = 20.0")) == [
        0.01, 0.01, own[2], 2e-4,
    ]  # fmt: skip
    assert p_values(budgeted("throttle_per_day = 50000")) == own
    assert p_values(budgeted("watch_per_day = 9", active=3)) == own


def test_the_default_policy_has_no_budget_and_its_stamp_stays() -> None:
    """Without a budget nothing is derived; with one the stamp tells."""
    plain = parse_policy(DEFAULT, "default.toml")
    assert plain.budget is None
    assert '"budget"' not in plain.model_dump_json(exclude_none=True)
    assert budgeted("throttle_per_day = 10").stamp != plain.stamp
    assert (
        budgeted("throttle_per_day = 10").stamp
        != budgeted("throttle_per_day = 20", active=200_000).stamp
    )


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        (["throttle_per_day = 0"], "budget.throttle_per_day"),
        (['throttle_per_day = "10"'], "budget.throttle_per_day"),
        (["allow_per_day = 10"], "budget.allow_per_day"),
        ([], "budget"),
    ],
)
def test_wrong_budgets_are_named(lines: list[str], field: str) -> None:
    """A budget of nothing, of no step and of an unknown one."""
    with pytest.raises(PolicyError) as caught:
        budgeted(*lines)
    assert caught.value.field == field


def with_accounts(models: Models, n: int) -> Models:
    """The models as if `n` accounts had calibrated them."""
    scorer = models.scorer
    scorer.card = replace(scorer.card, calibration=np.linspace(0.0, 0.6, n))
    return models


def test_a_budget_that_cannot_be_stated_is_refused_at_start(tmp_path: Path) -> None:
    """10 of 100,000 accounts need 9,999 calibration accounts: one fewer is refused, with the
    numbers and what to do."""
    models = load_models(write_tiny_models(tmp_path))
    policy = budgeted("throttle_per_day = 10")
    with pytest.raises(BudgetError) as refused:
        Pipeline(with_accounts(models, 9_998), policy)
    told = str(refused.value)
    assert len(told) <= MAX_REFUSAL_CHARS  # it is whole in a worker's marker too
    for words in (
        "throttle_per_day = 10 of 100,000 active accounts", "needs 9,999 calibration accounts",
        "there are 9,998", "stillwatch calibrate", "set at least 11",
    ):  # fmt: skip
        assert words in told
    assert (refused.value.level, refused.value.per_day) == ("throttle", 10.0)
    Pipeline(with_accounts(models, 9_999), policy)


@given(n=st.integers(1, 3000), p=st.floats(0, 1), rank=st.integers(0, 3001))
def test_the_rate_is_the_share_of_ranks_at_or_below_p(n: int, p: float, rank: int) -> None:
    """A new benign account has each of the n + 1 ranks alike often: recounted, also where p is one
    of the p-values themselves."""
    for asked in (p, min(rank, n + 1) / (n + 1)):
        alarmed = sum((1 + above) / (n + 1) <= asked for above in range(n + 1))
        assert alarm_rate(asked, n) == alarmed / (n + 1)


@given(active=st.integers(1, 10**6), per_day=st.floats(0.01, 1e6), n=st.integers(1, 20_000))
def test_what_is_not_refused_can_alarm_and_keeps_the_budget(
    active: int, per_day: float, n: int
) -> None:
    """A budget that passes the check gives a step that can be reached, and not more alarms."""
    budget = Budget(active_accounts_per_day=active, watch_per_day=per_day)
    p = budget.p_value("watch")
    assert p is not None
    try:
        budget.check(n)
    except BudgetError:
        assert active / (n + 1) > per_day * (1 - 1e-12)
        return
    assert 0.0 < alarm_rate(p, n) * active <= max(per_day, 0.0) * (1 + 1e-12)
