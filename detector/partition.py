"""One partition's share of the pipeline: records in log order to outputs, state in between.

Everything that depends on order lives here, one object a partition: clock, duplicates, entities,
verdicts, alerts. The result does not depend on how its records were cut into batches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detector import assess
from detector.alerts import AlertBook
from detector.assessment import Assessment
from detector.cues import CueModel
from detector.encoder_head import HeadedEncoder
from detector.features import N_FEATURES, read_features, schema_hash
from detector.kernels import FIRST_POINT
from detector.levels import Level
from detector.links.sighting import Sighting
from detector.links.told import sightings
from detector.outputs import FactBatch, Outputs
from detector.partition_dump import PartitionDump, pack_standings, unpack_standings
from detector.policy import Policy
from detector.record_reader import Record, RecordReader
from detector.score_row import ScoreRow
from detector.scorer import Scorer
from detector.state import Due, PartitionState
from detector.verdict_change import VerdictChange
from detector.verdicts import VerdictBook
from streams.batch import BatchBuilder, RequestBatch
from streams.clock import PartitionClock
from streams.deadletters import RatioCap
from streams.intake import IntakeSettings
from streams.record import ApiRequest

EPOCH_S = 3600.0
"""Idle entities are looked for whenever the clock enters a new epoch."""


@dataclass(frozen=True, slots=True)
class PartitionSettings:
    """How a partition keeps its state.

    Attributes:
        intake: how records are read.
        lateness_s: older events are kept out of the rate features.
        idle_s: entities without an event for so long are dropped.
        recent_ids: event ids remembered to drop duplicates.
        keep_facts: whether outputs carry the requests for the analysts' store.
        keep_quiet_scores: whether scorings of unremarkable accounts are output too.
        campaigns: whether link keys are looked for and told as sightings.
    """

    intake: IntakeSettings = field(default_factory=IntakeSettings)
    lateness_s: float = 3600.0
    idle_s: float = 30 * 86_400.0
    recent_ids: int = 100_000
    keep_facts: bool = False
    keep_quiet_scores: bool = True
    campaigns: bool = True


class Partition:
    """Records of one partition in, outputs out."""

    def __init__(
        self,
        cues: CueModel,
        scorer: Scorer,
        policy: Policy,
        settings: PartitionSettings,
        cap: RatioCap,
        prompts: HeadedEncoder | None = None,
    ) -> None:
        self.state = PartitionState(campaigns=settings.campaigns)
        self._cues = cues
        self._scorer = scorer
        self._prompts = prompts
        self._policy = policy
        self._settings = settings
        self._reader = RecordReader(settings.intake, settings.recent_ids, cap)
        self._builder = BatchBuilder()
        self._clock = PartitionClock(settings.lateness_s)
        self._epoch = 0
        self.verdicts = VerdictBook(policy, self.model, schema_hash())
        self.alerts = AlertBook(policy)

    @property
    def clock_s(self) -> float:
        """The partition's clock, UTC epoch seconds; 0 before the first event."""
        return max(self._clock.now_s, 0.0)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    @property
    def model(self) -> str:
        """Versions of the models in force, as `Models.version`."""
        return models_version(self._scorer, self._cues, self._prompts)

    @property
    def calibration_accounts(self) -> int:
        """Number of benign accounts that p-values come from."""
        return len(self._scorer.card.calibration)

    def switch_policy(self, policy: Policy) -> Outputs:
        """Judges by another policy from the next record on."""
        self._policy = policy
        self.alerts.switch_policy(policy)
        return self.told(self.verdicts.switch_policy(policy, self.clock_s))

    def switch_model(
        self, cues: CueModel, scorer: Scorer, prompts: HeadedEncoder | None = None
    ) -> None:
        """Reads and scores with other models from the next record on."""
        self._cues, self._scorer, self._prompts = cues, scorer, prompts
        self.verdicts.switch_model(self.model, schema_hash())

    def dump(self) -> PartitionDump:
        """All that the records to come depend on, but the rows of `state`."""
        return PartitionDump(
            clock_s=self._clock.now_s,
            epoch=self._epoch,
            standings=pack_standings(self.verdicts.standings()),
            allowed=self.verdicts.dump_allowed(),
            alerts=self.alerts.open_alerts(),
            reader=self._reader.dump(),
        )

    def load(self, dump: PartitionDump, state: PartitionState) -> None:
        """Goes on where a partition stood that was given the same policy and models as this one.

        Raises msgspec.DecodeError, with nothing changed, when the standings cannot be read.
        """
        standings = unpack_standings(dump.standings)
        self.state = state
        self.state.campaigns = self._settings.campaigns
        self._clock.now_s = dump.clock_s
        self._epoch = dump.epoch
        self.verdicts.load(standings)
        self.verdicts.load_allowed(dump.allowed)
        self.alerts.load(dump.alerts)
        self._reader.load(dump.reader)

    def told(self, changes: Sequence[VerdictChange]) -> Outputs:
        """Changes that time or a person made in `verdicts`, with the alerts they revise."""
        out = Outputs()
        self._tell(changes, None, out)
        return out

    def process(self, records: Sequence[Record]) -> Outputs:
        """Applies records in log order. Raises TooManyBadRecords when the ratio cap is passed."""
        out = Outputs()
        requests, record_times = self._reader.read(records, out)
        if requests:
            times, clocks, late = self._tell_time(requests, record_times, out)
            for a, b in self._stretches(times, clocks):
                self._evict(clocks[a], out)
                self._apply(requests[a:b], times[a:b], clocks[a:b], late[a:b], out)
        return out

    def _tell_time(
        self, requests: Sequence[ApiRequest], record_times: list[float | None], out: Outputs
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Event times to use, the clock after each event, and which events are late."""
        told = np.array([r.event_time_s for r in requests], np.float64)
        stamped = np.array(record_times, np.float64)
        stamped = np.where(np.isnan(stamped), told, stamped)
        clocked = self._clock.advance(told, stamped)
        times = np.where(np.isnan(told) | clocked.ahead, stamped, told)
        times = np.where(np.isnan(times), np.maximum(clocked.clock_s, 0.0), times)
        out.counts["late"] += int(clocked.late.sum())
        out.counts["ahead_of_time"] += int(clocked.ahead.sum())
        out.counts["without_time"] += int(np.isnan(told).sum())
        return times, np.maximum(clocked.clock_s, 0.0), clocked.late

    def _stretches(
        self, times: NDArray[np.float64], clocks: NDArray[np.float64]
    ) -> list[tuple[int, int]]:
        """Where to cut a batch so that what is idle at the start of an epoch is dropped there."""
        epoch = int(clocks[-1] // EPOCH_S)
        before_s = epoch * EPOCH_S - self._settings.idle_s
        if epoch > self._epoch and times.min() >= before_s and not self.state.any_idle(before_s):
            self._epoch = epoch  # nothing will be idle: the batch stays whole
        return _epochs(clocks) if epoch > self._epoch else [(0, len(clocks))]

    def _evict(self, clock_s: float, out: Outputs) -> None:
        epoch = int(clock_s // EPOCH_S)
        if epoch > self._epoch:
            self._epoch = epoch
            before_s = epoch * EPOCH_S - self._settings.idle_s
            out.counts["evicted"] += self.state.evict_idle(before_s)

    def _apply(
        self,
        requests: list[ApiRequest],
        times: NDArray[np.float64],
        clocks: NDArray[np.float64],
        late: NDArray[np.bool_],
        out: Outputs,
    ) -> None:
        batch = self._builder.build(requests, times, late)
        out.counts["unattributed"] += int((batch.events["account"] == 0).sum())
        due = self.state.apply(batch, self._cues, self._prompts)
        if self._prompts is not None:
            out.counts["encoded"] += len(due.encoded)
            out.encoder_s += self._prompts.take_spent()
        self._judge_due(batch, due, clocks, out)
        if self._settings.keep_facts:
            new = np.bincount(batch.pieces["event"], weights=due.new, minlength=len(batch))
            out.facts.append(FactBatch(requests, times, new.astype(np.int64)))
        if len(clocks):
            self._tell(self.verdicts.expire(float(clocks[-1])), None, out)

    def _judge_due(
        self, batch: RequestBatch, due: Due, clocks: NDArray[np.float64], out: Outputs
    ) -> None:
        """Scores all due rows at once, then judges them in log order."""
        scored = assess.score_due(self._scorer, due)
        rows = assess.due_rows(self.state, batch, due, scored)

        def look(row: assess.DueRow) -> NDArray[np.float32]:
            vectors = scored.judged if row.whole else due.narrow_vectors
            return cast("NDArray[np.float32]", vectors[row.at])

        likely = [k for k, row in enumerate(rows) if self._matters(row.score)]
        looks = [look(rows[k]) for k in likely]
        explained = dict(zip(likely, self._explain(looks), strict=True))
        seen = self._sightings(batch, due, scored, clocks, out)
        seen_at, told = due.seen["event"].tolist(), len(out.sightings)
        for k, row in enumerate(rows):
            before = bisect_left(seen_at, row.event) - (len(out.sightings) - told)
            out.sightings += islice(seen, before)
            clock_s = float(clocks[row.event])
            self._tell(self.verdicts.expire(clock_s), None, out)
            if self._matters(row.score):  # a verdict may have changed since
                groups = explained.get(k) or self._explain([look(row)])[0]
                if row.whole:
                    groups = assess.credit_frame(groups, float(scored.frame_says[row.at]))
                make = assess.assess_account if row.whole else assess.assess_narrow
                found = make(self.state, batch, due, scored, row.at, groups)
                organisation = batch.requests[row.event].organisation
                self._judge(found, clock_s, organisation, out)
                out.scores.append(row.score)
            elif row.whole and self._settings.keep_quiet_scores:
                out.scores.append(row.score)
        out.sightings += seen

    def _sightings(
        self,
        batch: RequestBatch,
        due: Due,
        scored: assess.Scored,
        clocks: NDArray[np.float64],
        out: Outputs,
    ) -> Iterator[Sighting]:
        """Sightings in log order; each says what is known of the account when it is taken."""
        last = self.state.accounts.rows["link_p"]
        p_values = last[due.seen_index].tolist()
        found = scored.p_values.astype(np.float32).tolist()  # as the row keeps them
        scorings = [*zip(due.index.tolist(), due.event.tolist(), found, strict=True)]
        if scorings and len(p_values):
            here: dict[int, list[tuple[int, float]]] = {}
            for at, event, p_value in scorings:
                here.setdefault(at, []).append((event, p_value))
            places = zip(due.seen_index.tolist(), due.seen["event"].tolist(), strict=True)
            for s, (at, event) in enumerate(places):
                for scored_at, p_value in here.get(at, ()):
                    if scored_at <= event:
                        p_values[s] = p_value
        for at, _, p_value in scorings:
            last[at] = p_value

        def level_at(event: int, tenant: str, account: str) -> Level:
            self._tell(self.verdicts.expire(float(clocks[event])), None, out)
            return self.verdicts.level(tenant, "account", account)

        times = batch.events["time_s"]
        return sightings(due.seen, batch.requests, times, p_values, level_at)

    def _explain(self, vectors: list[NDArray[np.float32]]) -> list[assess.Groups]:
        return self._scorer.explain(np.array(vectors)) if vectors else []

    def _matters(self, row: ScoreRow) -> bool:
        """Whether a scoring can change any verdict: only then it is explained and judged."""
        return (
            row.p_value <= self._policy.steps.watch.p_value
            or row.cue_pieces >= self._policy.cue_watch_pieces
            or self.verdicts.level(row.tenant, row.scope, row.scope_id) != "allow"
        )

    def _judge(
        self, found: Assessment, clock_s: float, organisation: str | None, out: Outputs
    ) -> None:
        if found.p_value <= self._policy.steps.throttle.p_value:
            found = assess.charge_templates(self._scorer, found, self._policy.template_groups)
        self._tell(self.verdicts.expire(clock_s), None, out)
        self._tell(
            self.verdicts.judge(found, clock_s=clock_s, organisation=organisation), found, out
        )

    def _tell(
        self, changes: Sequence[VerdictChange], found: Assessment | None, out: Outputs
    ) -> None:
        for change in changes:
            out.verdicts.append(change)
            alert = self.alerts.apply(change, found)
            if alert is not None:
                out.alerts.append((alert, change.at_s))

    def finish(self) -> Outputs:
        """Scores and judges every account once more, at the end of a finite log."""
        out = Outputs()
        names = [name for name, _ in self.state.accounts.items()]
        index = np.array([i for _, i in self.state.accounts.items()], np.int64)
        if not len(index):
            return out
        vectors = np.empty((len(index), N_FEATURES), np.float32)
        rows = self.state.accounts.rows[index]
        read_features(rows, vectors)
        scores, judged, says = assess.look_twice(self._scorer, rows, vectors)
        p_values = self._scorer.p_values(scores)
        parts = self.state.parts(rows)
        for i, name in enumerate(names):
            tenant, account = assess.split_name(name)
            at_s = float(rows[i]["last_s"])
            row = ScoreRow(
                tenant, account, "account", account, at_s, int(rows[i]["requests"]),
                int(rows[i]["new_pieces"]), int(rows[i]["cue_pieces"]), float(scores[i]),
                float(p_values[i]), vectors[i],
            )  # fmt: skip
            out.scores.append(row)
            if row.requests >= FIRST_POINT and self._matters(row):
                groups = assess.credit_frame(self._explain([judged[i]])[0], float(says[i]))
                found = assess.account_assessment(
                    self.state, groups, rows[i], vectors[i], parts[i],
                    tenant, account,
                    at_s=at_s, cue=False, score=row.score, p_value=row.p_value,
                )  # fmt: skip
                self._judge(found, max(self._clock.now_s, at_s), None, out)
        return out


def models_version(scorer: Scorer, cues: CueModel, prompts: HeadedEncoder | None) -> str:
    """The versions of all models in one word, as verdicts name them."""
    named = f"{scorer.card.version}/{cues.version}"
    return named if prompts is None else f"{named}/{prompts.version}"


def _epochs(clocks: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Stretches of a batch within one epoch of the clock: (first, last + 1)."""
    epoch = np.floor(clocks / EPOCH_S)
    cuts = [0, *(np.flatnonzero(np.diff(epoch)) + 1).tolist(), len(clocks)]
    return list(pairwise(cuts))
