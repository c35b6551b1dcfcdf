"""The plan of the evaluation of campaigns, read from a TOML file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streams.traffic.operations import Evasion

DEFAULT_PLAN = Path(__file__).parent / "plan.toml"


class PlanError(Exception):
    """A plan that cannot be run.

    Attributes:
        path: the file.
        reason: what is wrong, in words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"campaign plan {path}: {reason}")


class PlanRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Campaigns of one size and one evasion; `each`: requests of an account in the day."""

    name: str
    evasion: Evasion = "none"
    accounts: int
    each: int
    campaigns: int


class CampaignPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole plan; see the comments of plan.toml."""

    seed: int
    strangers: int
    shard: int
    crowds: int
    worlds: int
    tuning_strangers: int
    tuning_crowds: int
    tuning_campaigns: int
    bootstrap: int
    rows: tuple[PlanRow, ...]
    most: int = 2000
    """Most accounts of a crowd."""


def load_plan(path: Path = DEFAULT_PLAN) -> CampaignPlan:
    """Reads a plan. Raises PlanError."""
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=CampaignPlan)
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(path, str(error)) from error
    if not plan.rows or min(plan.strangers, plan.shard, plan.worlds, plan.crowds) < 1:
        raise PlanError(path, "it needs rows, strangers, crowds and worlds")
    return plan


def scaled(plan: CampaignPlan, scale: float) -> CampaignPlan:
    """The plan at a scale in (0, 1]: fewer strangers, crowds, worlds and campaigns; below a quarter
    campaigns and crowds are smaller too."""
    if scale >= 1:
        return plan
    size = min(1.0, 4 * scale)
    rows = tuple(
        msgspec.structs.replace(
            row,
            accounts=max(min(60, row.accounts), round(row.accounts * size)),
            campaigns=max(2, round(row.campaigns * scale)),
        )
        for row in plan.rows
    )
    return msgspec.structs.replace(
        plan,
        strangers=max(400, round(plan.strangers * scale)),
        tuning_strangers=max(400, round(plan.tuning_strangers * scale)),
        crowds=max(13, round(plan.crowds * scale)),
        tuning_crowds=max(13, round(plan.tuning_crowds * scale)),
        worlds=max(2, round(plan.worlds * scale)),
        most=max(60, round(plan.most * size)),
        rows=rows,
    )
