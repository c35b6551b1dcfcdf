"""The policy: from what evidence to which verdict, read from a TOML file and checked whole."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from detector.budget import Budget
from detector.errors import PolicyError
from detector.levels import Level

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=3.2e9)]
Count = Annotated[int, Field(ge=0)]

STEPS: Final[tuple[Level, ...]] = ("watch", "throttle", "restrict", "block")


class Step(BaseModel):
    """What it takes to enter and to leave one verdict. Every condition must hold to enter.

    Attributes:
        p_value: enter at or below.
        score: enter at or above.
        leave_p_value: an assessment above it is calm; enough calm ones in a row lower the verdict.
        min_new_pieces: new pieces of text the entity must have shown.
        min_groups: known feature groups that must agree; the cue groups count as one.
        expires_s: the verdict ends this long (event time) after the last support.
        needs_person: the step is only proposed and the one below it given, until a person decides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    p_value: Share
    score: Share
    leave_p_value: Share
    min_new_pieces: Count
    min_groups: Count
    expires_s: Seconds
    needs_person: bool = False


class Steps(BaseModel):
    """The four steps above `allow`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    watch: Step
    throttle: Step
    restrict: Step
    block: Step


class Policy(BaseModel):
    """One whole policy; the packaged `default.toml` explains every key.

    With a budget, the p-values of `steps` are those in force: where a step has both, the smaller of
    its own and the budget's holds, and no step is easier to enter than a milder one's budget says.

    Raises:
        pydantic.ValidationError: a value is wrong, or a step is easier to enter than the one below.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    version: Annotated[str, Field(min_length=1, max_length=100)]
    shadow: bool
    alert_from: Literal["watch", "throttle", "restrict", "block"]
    group_contribution: Annotated[float, Field(gt=0)]
    cue_groups: Annotated[tuple[str, ...], Field(strict=False)]  # TOML gives a list
    template_groups: Annotated[tuple[str, ...], Field(strict=False)]
    calm_points: Annotated[int, Field(ge=1)]
    keep_history_s: Seconds
    cue_watch_score: Share
    cue_watch_pieces: Annotated[int, Field(ge=1)]
    cue_watch_share: Share
    cue_watch_expires_s: Seconds
    narrow_evidence_share: Share
    narrow_request_share: Share
    narrow_min_new_pieces: Annotated[int, Field(ge=0)]
    budget: Budget | None = None  # before the steps, which are checked with it
    steps: Steps

    @property
    def stamp(self) -> str:
        """Version with a digest of the content: an edit without a new name still shows."""
        digest = hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()[:8]
        return f"{self.version}+{digest}"

    def step(self, level: Level) -> Step:
        """The step that leads to `level`. Raises KeyError for `allow`, which nothing leads to."""
        if level == "allow":
            raise KeyError(level)
        step: Step = getattr(self.steps, level)
        return step

    def check_budget(self, calibration_accounts: int) -> None:
        """Raises BudgetError when so many calibration accounts cannot state the budget."""
        if self.budget is not None:
            self.budget.check(calibration_accounts)

    @field_validator("steps")
    @classmethod
    def _within_budget(cls, steps: Steps, info: ValidationInfo) -> Steps:
        budget: Budget | None = info.data.get("budget")
        if budget is None:
            return steps
        changed: dict[str, Step] = {}
        most = 1.0
        for name in STEPS:
            step: Step = getattr(steps, name)
            most = min(most, budget.p_value(name) or most)
            changed[name] = step.model_copy(update={"p_value": min(step.p_value, most)})
        return steps.model_copy(update=changed)

    @model_validator(mode="after")
    def _ladder_rises(self) -> Self:
        for name in STEPS:
            step = self.step(name)
            if step.leave_p_value < step.p_value:
                raise _ladder_error(name, "leave_p_value", "must not be below p_value")
            if step.needs_person and name != "block":
                raise _ladder_error(name, "needs_person", "is known for block only")
        for lower_name, name in itertools.pairwise(STEPS):
            lower, step = self.step(lower_name), self.step(name)
            if step.p_value > lower.p_value:
                raise _ladder_error(name, "p_value", f"must not be above that of {lower_name}")
            for field in ("score", "min_new_pieces", "min_groups"):
                if getattr(step, field) < getattr(lower, field):
                    raise _ladder_error(name, field, f"must not be below that of {lower_name}")
        return self


def _ladder_error(step: str, field: str, problem: str) -> PydanticCustomError:
    context = {"field": f"steps.{step}.{field}", "problem": problem}
    return PydanticCustomError("ladder", "{problem}", context)


def default_policy_path() -> Path:
    """Where the packaged policy lies."""
    return Path(__file__).parent / "policies" / "default.toml"


def load_policy(path: Path | str) -> Policy:
    """Read and check a policy file.

    Raises:
        PolicyError: the file cannot be read, is not TOML, or a value is wrong; it names the field.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(str(path), "", f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise PolicyError(str(path), "", "is not UTF-8 text") from error
    return parse_policy(text, str(path))


def parse_policy(text: str, source: str) -> Policy:
    """Check the text of a policy file, as a control record carries it. Raises PolicyError."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(source, "", f"is not TOML: {error}") from error
    except ValidationError as error:
        raise _policy_error(source, error.errors(include_url=False)[0]) from error


def _policy_error(source: str, first: ErrorDetails) -> PolicyError:
    if first["type"] == "ladder":
        context = first["ctx"]
        return PolicyError(source, context["field"], context["problem"])
    field = ".".join(str(part) for part in first["loc"])
    problems = {"missing": "is missing", "extra_forbidden": "is not a key of the policy"}
    problem = problems.get(first["type"], f"{first['msg']}, got {first['input']!r}")
    return PolicyError(source, field, problem)
