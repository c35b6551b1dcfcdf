"""The evaluation plan: which cells are composed, of how many accounts, read from a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import msgspec

from models.evaluate.units import BANK_PARTS

Setting = Literal["general", "literature", "matched", "templates", "templates_bank_only", "depends"]
GroupLabel = Literal["benign", "extraction", "depends"]
Evasion = Literal[
    "none", "paced", "paraphrased", "rotated", "padded", "split_system", "translated", "backoff",
    "mixed_paced",
]  # fmt: skip

DEFAULT_PLAN = Path(__file__).parent / "plan.toml"


class PlanError(Exception):
    """A plan that cannot be run.

    Attributes:
        path: the file.
        reason: what is wrong, in words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"evaluation plan {path}: {reason}")


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cells that differ in share and evasion only; see the comments of plan.toml."""

    setting: Setting
    label: GroupLabel
    requests: int
    looks: tuple[int, ...]
    accounts: int
    least: int = 0
    shares: tuple[float, ...] = (1.0,)
    evasions: tuple[Evasion, ...] = ("none",)
    bank_parts: tuple[float, ...] = (1.0,)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole plan; see the comments of plan.toml."""

    seed: int
    folds: int
    hold_out: Literal["kind", "program"]
    rates: tuple[float, ...]
    bootstrap: int
    most_requests: int
    one_copy_below: float
    thin_below: float
    thin_every: int
    thin_folds: int
    min_accounts: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of account to compose.

    Attributes:
        share: part of the requests that the account's own program makes; the rest is chat.
        accounts: how many, at the scale asked for.
        bank_part: part of the bank that the judging model is trained on; 1 but for the learning
            curve.
    """

    setting: Setting
    label: GroupLabel
    requests: int
    looks: tuple[int, ...]
    share: float
    evasion: Evasion
    accounts: int
    bank_part: float = 1.0

    @property
    def name(self) -> str:
        """Unique in a plan."""
        part = "" if self.bank_part == 1.0 else f"/bank {self.bank_part:g}"
        return f"{self._sent}{part}"

    @property
    def seed(self) -> int:
        """Seed of the cell, by what is sent: the same whatever model judges it."""
        return crc32(self._sent.encode())

    @property
    def _sent(self) -> str:
        return f"{self.setting}/{self.label}/{self.requests}/{self.share:g}/{self.evasion}"


def load_plan(path: Path = DEFAULT_PLAN) -> Plan:
    """Reads a plan. Raises PlanError."""
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(path, str(error)) from error
    for group in plan.groups:
        if not group.looks or max(group.looks) != group.requests:
            raise PlanError(path, f"the last look at {group.setting} must be at {group.requests}")
        if not set(group.bank_parts) <= set(BANK_PARTS.values()):
            raise PlanError(path, f"bank_parts are among {sorted(BANK_PARTS.values())}")
    total = planned_requests(cells(plan, 1.0))
    if total > plan.most_requests:
        raise PlanError(path, f"{total} requests, more than most_requests")
    return plan


def cells(plan: Plan, scale: float) -> list[Cell]:
    """Every cell of the plan at a scale in (0, 1]."""
    out = []
    for group in plan.groups:
        least = (
            plan.min_accounts if scale < plan.thin_below else max(plan.min_accounts, group.least)
        )
        count = min(group.accounts, max(least, round(group.accounts * scale)))
        if group.requests > 500 and scale < plan.thin_below:
            count = min(count, 8)  # long accounts cost most; a thin plan only shows that they run
        for share in group.shares:
            out += [
                Cell(group.setting, group.label, group.requests, group.looks, share, e, count, part)
                for e in group.evasions
                for part in group.bank_parts
            ]
    return out


def planned_requests(some: list[Cell]) -> int:
    """Requests that the cells compose."""
    return sum(cell.requests * cell.accounts for cell in some)
