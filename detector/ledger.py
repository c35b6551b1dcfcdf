"""The ledger: what is known of each account after a run, kept from outputs alone.

It does no work per request: counts come from the scorings, of which `Pipeline.finish` makes one
more for every account.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from detector.assessment import Scope
from detector.feature_words import group_words
from detector.levels import RANK, Level
from detector.outputs import Outputs
from detector.reasons import CAMPAIGN, CODE_WORDS
from detector.score_row import ScoreRow
from detector.verdict_change import VerdictChange


class AccountSummary(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=False):
    """One account, as `stillwatch replay --json` prints it.

    Attributes:
        requests, new_pieces, cue_pieces: counts at the account's last scoring.
        score: probability of extraction at that scoring, 0 to 1.
        verdict: the hardest in force in any scope under the account.
        worst_verdict: the hardest there ever was.
        first_watch_at, first_throttle_at: the account's requests when a verdict of that step or
            above was first given in any scope under it, else None.
        reason: the main reason of the worst verdict, "" where there was none.
    """

    account: str
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float
    verdict: Level
    worst_verdict: Level
    first_watch_at: int | None
    first_throttle_at: int | None
    reason: str
    tenant: str = "default"

    def json_line(self) -> str:
        """The summary as one JSON object; the tenant is left out where it is the default."""
        fields = msgspec.structs.asdict(self)
        if self.tenant == "default":
            del fields["tenant"]
        return msgspec.json.encode(fields).decode()


@dataclass(slots=True)
class _Entry:
    """What is collected of one account."""

    requests: int = 0
    new_pieces: int = 0
    cue_pieces: int = 0
    score: float = 0.0
    levels: dict[tuple[Scope, str, bool], Level] = field(default_factory=dict)
    worst: Level = "allow"
    first_watch_at: int | None = None
    first_throttle_at: int | None = None
    reason: str = ""
    reason_level: Level = "allow"


class Ledger:
    """Accounts by tenant and name. Feed it every batch's outputs in order."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, out: Outputs) -> None:
        """Takes one batch's outputs into account."""
        for row in out.scores:
            if row.scope == "account":
                self._score(row)
        for change in out.verdicts:
            if not change.suppressed:
                self._change(change)
        for alert, _ in out.alerts:
            if alert.kind != "account":
                continue
            entry = self._entry(alert.tenant, alert.account)
            if RANK[alert.verdict] >= RANK[entry.reason_level] and alert.verdict != "allow":
                entry.reason, entry.reason_level = alert.main_reason, alert.verdict

    def summaries(self) -> list[AccountSummary]:
        """Every account by score, highest first; then by verdict, tenant and name."""
        found = [
            AccountSummary(
                account=account,
                requests=entry.requests,
                new_pieces=entry.new_pieces,
                cue_pieces=entry.cue_pieces,
                score=entry.score,
                verdict=max(entry.levels.values(), key=RANK.__getitem__, default="allow"),
                worst_verdict=entry.worst,
                first_watch_at=entry.first_watch_at,
                first_throttle_at=entry.first_throttle_at,
                reason=entry.reason,
                tenant=tenant,
            )
            for (tenant, account), entry in self._entries.items()
        ]
        return sorted(found, key=lambda s: (-s.score, -RANK[s.worst_verdict], s.tenant, s.account))

    def levels(self) -> dict[Level, int]:
        """How many accounts stand at each verdict above `allow`, in any scope under them."""
        counts: dict[Level, int] = {}
        for entry in self._entries.values():
            level: Level = max(entry.levels.values(), key=RANK.__getitem__, default="allow")
            if level != "allow":
                counts[level] = counts.get(level, 0) + 1
        return counts

    def _entry(self, tenant: str, account: str) -> _Entry:
        entry = self._entries.get((tenant, account))
        if entry is None:
            entry = self._entries[tenant, account] = _Entry()
        return entry

    def _score(self, row: ScoreRow) -> None:
        entry = self._entry(row.tenant, row.account)
        entry.requests = row.requests
        entry.new_pieces, entry.cue_pieces = row.new_pieces, row.cue_pieces
        entry.score = row.score

    def _change(self, change: VerdictChange) -> None:
        entry = self._entry(change.tenant, change.account)
        level, rank = change.to_level, RANK[change.to_level]
        key = (change.scope, change.scope_id, change.reason_code == CAMPAIGN)
        if level == "allow":
            entry.levels.pop(key, None)
            return
        entry.levels[key] = level
        if rank >= RANK["watch"] and entry.first_watch_at is None:
            entry.first_watch_at = change.account_requests
        if rank >= RANK["throttle"] and entry.first_throttle_at is None:
            entry.first_throttle_at = change.account_requests
        if rank > RANK[entry.worst]:
            entry.worst = level
        if rank > RANK[entry.reason_level]:
            entry.reason, entry.reason_level = reason_of(change), level


def reason_of(change: VerdictChange) -> str:
    """A verdict change's reason in words, for changes that are below the alerts."""
    line = CODE_WORDS.get(change.reason_code, change.reason_code.replace("-", " "))
    if change.main_group in ("", "cues"):
        return line
    return f"{group_words(change.main_group)}; {line}"
