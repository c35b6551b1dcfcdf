"""The alert budget: how many benign accounts a day may reach a step, turned into a p-value.

A p-value compares an account with benign accounts' largest scores over their whole history. So a
benign account *ever* reaches a step of p-value p with a probability of at most p, however often it
is looked at, and on any single day at most N · p of N active accounts can be expected to reach it
anew: p = budget / N keeps the budget on each day. In the long run a day has fewer, since most of
its accounts have had their chance before.

n calibration accounts state no p-value below 1 / (n + 1) (Vovk et al. 2005). A budget below
N / (n + 1) could only be kept by a step that nobody ever reaches, so it is refused.

The budget counts accounts judged as a whole. A watch for wording alone has no p-value, and verdicts
on single keys or end users of an account with many come on top.
"""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from detector.errors import DetectorError
from detector.levels import LEVELS, Level

PerDay = Annotated[float, Field(gt=0)]


class BudgetError(DetectorError):
    """A budget that the calibration accounts cannot state.

    Attributes: `level`, `per_day` (the budget), `active` and `calibration` (numbers of accounts).
    """

    def __init__(self, level: Level, per_day: float, active: int, calibration: int) -> None:
        self.level, self.per_day = level, per_day
        self.active, self.calibration = active, calibration
        needed = math.ceil(active / per_day) - 1
        least = math.ceil(active / (calibration + 1))
        super().__init__(
            f"budget.{level}_per_day = {per_day:g} of {active:,} active accounts "
            f"(p = {per_day / active:.2g}) needs {needed:,} calibration accounts, there are "
            f"{calibration:,}: calibrate on more with `stillwatch calibrate` or set at least "
            f"{least:,}"
        )


class Budget(BaseModel):
    """The policy's `[budget]`: benign accounts expected to reach a step anew on one day, at most.

    Attributes:
        active_accounts_per_day: different accounts with traffic on a usual day.
        watch_per_day, throttle_per_day, restrict_per_day, block_per_day: the budget of each step;
            None: the step has its own p-value only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    active_accounts_per_day: Annotated[int, Field(ge=1)]
    watch_per_day: PerDay | None = None
    throttle_per_day: PerDay | None = None
    restrict_per_day: PerDay | None = None
    block_per_day: PerDay | None = None

    @model_validator(mode="after")
    def _names_a_step(self) -> Self:
        if all(self.per_day(level) is None for level in LEVELS[1:]):
            raise PydanticCustomError("budget", "names no step: give throttle_per_day or another")
        return self

    def per_day(self, level: Level) -> float | None:
        """The budget of the step to `level`, None where there is none."""
        found: float | None = getattr(self, f"{level}_per_day", None)
        return found

    def p_value(self, level: Level) -> float | None:
        """The p-value that keeps the budget of the step to `level`; None where there is none."""
        per_day = self.per_day(level)
        return None if per_day is None else min(per_day / self.active_accounts_per_day, 1.0)

    def check(self, calibration_accounts: int) -> None:
        """Raises BudgetError when so many calibration accounts cannot state a step's p-value."""
        for level in LEVELS[1:]:
            per_day, p = self.per_day(level), self.p_value(level)
            if per_day is not None and p is not None and p < 1 / (calibration_accounts + 1):
                raise BudgetError(
                    level, per_day, self.active_accounts_per_day, calibration_accounts
                )


def alarm_rate(p_value: float, calibration_accounts: int) -> float:
    """Largest probability that a benign account ever has a p-value at or below `p_value`.

    p-values of n calibration accounts are multiples of 1 / (n + 1), so it is
    floor(p (n + 1)) / (n + 1): 0 where none of them is so small.
    """
    steps = calibration_accounts + 1
    floor = math.floor(p_value * steps)  # of a product that was rounded: may be one off
    rank = max((k for k in (floor - 1, floor, floor + 1) if 0 <= k / steps <= p_value), default=0)
    return rank / steps
