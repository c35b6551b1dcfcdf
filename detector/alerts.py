"""The life of an alert: opened by a verdict, updated with news, closed when the verdict ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from detector.assessment import Assessment, Scope
from detector.levels import RANK, Level
from detector.policy import Policy
from detector.reasons import case_text, main_reason, reasons
from detector.standing import Key
from detector.verdict_change import Kind, VerdictChange, Versions
from streams.envelope import derived_id, rfc3339

Severity = Literal["low", "medium", "high", "critical"]

SEVERITY: Final[dict[Level, Severity]] = {
    "allow": "low",
    "watch": "low",
    "throttle": "medium",
    "restrict": "high",
    "block": "critical",
}


class Cue(msgspec.Struct, frozen=True):
    """How many new pieces carried a cue, and in which component of the requests."""

    name: str
    pieces: int
    component: str


class EstimatedHarvest(msgspec.Struct, frozen=True):
    """What may have been taken so far; null where the log does not say."""

    pairs: int
    output_tokens: int | None
    topic_coverage: float | None


class Technique(msgspec.Struct, frozen=True):
    """A technique of MITRE ATLAS."""

    id: str
    name: str


EXTRACT_MODEL: Final = Technique("AML.T0024.002", "Extract AI Model")


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of an alert. It holds no prompt text. Fields are added, never changed.

    Attributes:
        alert_id: UUIDv5 of tenant, scope, id and the scoring point that opened it.
        revision: 1 at opening, then counts up.
        close_reason: why it closed ("expired", "fell", "narrowed", "undone"), else null.
        severity: by verdict; "critical" also where a block is proposed.
        verdict: in force; at "allow" the alert is closed. `proposed_verdict` waits for a person.
        enforced: false in shadow mode.
        contributions: change of the log-odds by feature group; null where the log does not tell.
        exemplars: event ids of the requests that say most, best first.
        case_text: what may be shown to the customer.
    """

    alert_id: str
    revision: int
    state: Literal["open", "updated", "closed"]
    close_reason: Kind | None
    kind: Literal["account", "campaign"]
    severity: Severity
    tenant: str
    scope: Scope
    scope_id: str
    account: str
    organisation: str | None
    verdict: Level
    proposed_verdict: Level | None
    enforced: bool
    first_seen_at: str
    revised_at: str
    expires_at: str | None
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float
    p_value: float
    reason_code: str
    main_group: str
    main_reason: str
    reasons: list[str]
    contributions: dict[str, float | None]
    cues: list[Cue]
    exemplars: list[str]
    estimated_harvest: EstimatedHarvest
    atlas: Technique
    versions: Versions
    case_text: str


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """State of an open alert: its last revision and the assessment that it rests on."""

    alert: Alert
    first_seen_s: float
    assessment: Assessment


def alert_id(change: VerdictChange, assessment: Assessment) -> str:
    """Derive the id of the alert that `change` opens.

    The event time and the count of requests name the scoring point, hence the event.
    """
    point = f"{assessment.at_s!r}/{assessment.requests}"
    return derived_id("alert", change.tenant, change.scope, change.scope_id, point)


class AlertBook:
    """The open alerts of one partition, at most one an entity."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._open: dict[Key, OpenAlert] = {}

    def __len__(self) -> int:
        return len(self._open)

    def switch_policy(self, policy: Policy) -> None:
        """Word and open alerts by another policy from here on."""
        self._policy = policy

    def apply(self, change: VerdictChange, assessment: Assessment | None = None) -> Alert | None:
        """Turn one verdict change into a revision, or None where it is no news.

        Args:
            assessment: what `VerdictBook.judge` made the change from; None for changes by time
                or by a person, which open no alert.

        A renewal is news when the main reason's group, the proposal or `enforced` changed, or the
        evidence (new pieces, or pieces with a cue) has doubled since the last revision.
        """
        if change.suppressed:
            return None
        key: Key = (change.tenant, change.scope, change.scope_id)
        present = self._open.get(key)
        alerting = RANK[change.to_level] >= RANK[self._policy.alert_from]
        if present is None:
            if not alerting or assessment is None:
                return None
            return self._revise(key, change, assessment, None)
        supported = assessment is not None and change.kind in ("rose", "renewed")
        basis = assessment if assessment is not None and supported else present.assessment
        if not alerting:
            closed = self._revise(key, change, basis, present)
            del self._open[key]
            return closed
        if not _is_news(change, basis, present.alert):
            return None
        return self._revise(key, change, basis, present)

    def dump(self) -> list[OpenAlert]:
        """Every open alert, sorted by tenant, scope and id."""
        return [self._open[key] for key in sorted(self._open)]

    def open_alerts(self) -> list[OpenAlert]:
        """Every open alert, in no set order."""
        return [*self._open.values()]

    def load(self, alerts: Iterable[OpenAlert]) -> None:
        """Take over the open alerts of a dump in place of the present ones."""
        self._open = {(a.alert.tenant, a.alert.scope, a.alert.scope_id): a for a in alerts}

    def _revise(
        self, key: Key, change: VerdictChange, basis: Assessment, present: OpenAlert | None
    ) -> Alert:
        first_seen_s = change.at_s if present is None else present.first_seen_s
        alerting = RANK[change.to_level] >= RANK[self._policy.alert_from]
        proposed = change.proposed_level
        closing = None if alerting else change.kind
        alert = Alert(
            alert_id=alert_id(change, basis) if present is None else present.alert.alert_id,
            revision=1 if present is None else present.alert.revision + 1,
            state="closed" if closing else "open" if present is None else "updated",
            close_reason=closing,
            kind="account",
            severity="critical" if proposed == "block" else SEVERITY[change.to_level],
            tenant=change.tenant,
            scope=change.scope,
            scope_id=change.scope_id,
            account=change.account,
            organisation=change.organisation,
            verdict=change.to_level,
            proposed_verdict=proposed,
            enforced=change.enforced,
            first_seen_at=rfc3339(first_seen_s),
            revised_at=rfc3339(change.at_s),
            expires_at=None if change.expires_at_s is None else rfc3339(change.expires_at_s),
            requests=basis.requests,
            new_pieces=basis.new_pieces,
            cue_pieces=basis.cue_pieces,
            score=_six_digits(basis.score),
            p_value=_six_digits(basis.p_value),
            reason_code=change.reason_code,
            main_group=change.main_group,
            main_reason=main_reason(basis, change.reason_code, change.main_group),
            reasons=[*_proposal(proposed), *reasons(self._policy, basis)],
            contributions={
                group.name: _six_digits(group.contribution) if group.known else None
                for group in sorted(basis.groups, key=lambda group: group.name)
            },
            cues=[Cue(hit.name, hit.pieces, hit.component) for hit in basis.cues],
            exemplars=list(basis.exemplars),
            estimated_harvest=EstimatedHarvest(
                basis.harvest.pairs, basis.harvest.output_tokens, basis.harvest.topic_coverage
            ),
            atlas=EXTRACT_MODEL,
            versions=change.versions,
            case_text=case_text(
                self._policy,
                basis,
                scope=change.scope,
                level=change.to_level,
                first_seen_s=first_seen_s,
                at_s=change.at_s,
                expires_at_s=change.expires_at_s,
            ),
        )
        self._open[key] = OpenAlert(alert=alert, first_seen_s=first_seen_s, assessment=basis)
        return alert


def _is_news(change: VerdictChange, basis: Assessment, last: Alert) -> bool:
    return (
        change.to_level != last.verdict
        or change.proposed_level != last.proposed_verdict
        or change.enforced != last.enforced
        or change.main_group != last.main_group
        or basis.new_pieces >= 2 * max(last.new_pieces, 1)
        or basis.cue_pieces >= 2 * max(last.cue_pieces, 1)
    )


def _proposal(proposed: Level | None) -> list[str]:
    return [] if proposed is None else [f"{proposed} proposed: a person has to decide."]


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
