"""From due rows to assessments: score all of them at once, explain those that matter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector import kernels
from detector.assessment import (
    Assessment,
    Concentration,
    CueHit,
    GroupEvidence,
    Harvest,
    Scope,
)
from detector.entities import EXEMPLARS, EntityTable
from detector.features import FEATURE_NAMES, frames
from detector.features.part import read_part
from detector.score_row import ScoreRow
from detector.scorer import Scorer, log_odds
from detector.state import Due, PartitionState
from streams.batch import RequestBatch
from streams.columns import EVENT_ID_BYTES

NARROW_SCOPES: tuple[Scope, Scope] = ("end_user", "key")
Groups = tuple[GroupEvidence, ...]
_COVERAGE = FEATURE_NAMES.index("coverage")


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of everything due in a batch.

    Attributes:
        scores, p_values: shape (d,), of the due account rows.
        judged: float32, shape (d, N_FEATURES): the vector that each score rests on.
        frame_says: float64, shape (d,): log-odds of the look at the hot frame over those of an
            account of which nothing is known; NaN where there is no such look.
        narrow_scores, narrow_p_values: shape (m,), of the due keys and end users.
    """

    scores: NDArray[np.float32]
    p_values: NDArray[np.float64]
    judged: NDArray[np.float32]
    frame_says: NDArray[np.float64]
    narrow_scores: NDArray[np.float32]
    narrow_p_values: NDArray[np.float64]


def score_due(scorer: Scorer, due: Due) -> Scored:
    """Scores the due rows, accounts and narrower entities."""
    scores, judged, says = look_twice(scorer, due.rows, due.vectors)
    narrow = scorer.probabilities(scorer.impute(due.narrow_vectors))
    return Scored(scores, scorer.p_values(scores), judged, says, narrow, scorer.p_values(narrow))


def look_twice(
    scorer: Scorer, rows: NDArray[np.void], vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Scores accounts as a whole and by their hot frame (`features.part`); the larger counts.

    Returns:
        scores, shape (d,); the vectors they rest on, shape (d, N_FEATURES); and what the second
        look says, shape (d,), see `Scored.frame_says`.
    """
    part = np.empty_like(vectors)
    there = read_part(rows, part)
    looks = scorer.probabilities(scorer.impute(np.concatenate([vectors, part[there]])))
    scores, judged = looks[: len(rows)].copy(), vectors.copy()
    at = np.flatnonzero(there)
    second = looks[len(rows) :]
    better = second > scores[at]
    says = np.full(len(rows), np.nan)
    says[at] = log_odds(second) - scorer.prior_log_odds
    scores[at[better]] = second[better]
    judged[at[better]] = part[at[better]]
    return scores, judged, says


def credit_frame(groups: Groups, says: float) -> Groups:
    """The groups with what the look at the hot frame says credited to "frames".

    Many new items under one reused frame are behaviour, not wording: the second group that a
    throttle needs.
    """
    if np.isnan(says):
        return groups
    return tuple(
        GroupEvidence(g.name, True, says, g.readings) if g.name == frames.NAME else g
        for g in groups
    )


def split_name(name: str) -> tuple[str, str]:
    """(tenant, account) of an account's name."""
    tenant, _, account = name.partition("/")
    return tenant, account


class DueRow(NamedTuple):
    """One due row as it is output, and where it stands in `Due`.

    Attributes:
        event: the event in the batch that made it due.
        whole: an account's row (at `at` of `Due.rows`), else a narrow one.
        score: the scoring as it is output.
    """

    event: int
    whole: bool
    at: int
    score: ScoreRow


def due_rows(state: PartitionState, batch: RequestBatch, due: Due, scored: Scored) -> list[DueRow]:
    """Everything due in log order; after the same event narrow rows stand before the account's."""
    found = []
    at_s = batch.events["time_s"][due.event].tolist()
    columns = _score_columns(due.rows, scored.scores, scored.p_values)
    for i, (event, time_s, values) in enumerate(
        zip(due.event.tolist(), at_s, columns, strict=True)
    ):
        request = batch.requests[event]
        account = request.account or ""
        score = ScoreRow(
            request.tenant, account, "account", account, time_s, *values, due.vectors[i]
        )
        found.append(DueRow(event, True, i, score))
    at_s = batch.events["time_s"][due.narrow_event].tolist()
    columns = _score_columns(due.narrow_rows, scored.narrow_scores, scored.narrow_p_values)
    for j, (event, time_s, values) in enumerate(
        zip(due.narrow_event.tolist(), at_s, columns, strict=True)
    ):
        request = batch.requests[event]
        scope = NARROW_SCOPES[due.narrow_scope[j]]
        scope_id = _narrow_id(_table(state, scope), int(due.narrow_index[j]))
        score = ScoreRow(
            request.tenant, request.account or "", scope, scope_id, time_s, *values,
            due.narrow_vectors[j],
        )  # fmt: skip
        found.append(DueRow(event, False, j, score))
    found.sort(key=itemgetter(0, 1, 2))
    return found


def _score_columns(
    rows: NDArray[np.void], scores: NDArray[np.float32], p_values: NDArray[np.float64]
) -> Iterator[tuple[int, int, int, float, float]]:
    """requests, new pieces, cue pieces, score and p-value of each row."""
    counts = (rows[name].tolist() for name in ("requests", "new_pieces", "cue_pieces"))
    return zip(*counts, scores.tolist(), p_values.tolist(), strict=True)


def charge_templates(scorer: Scorer, found: Assessment, templates: tuple[str, ...]) -> Assessment:
    """The assessment with its p-value as it is without what system prompts speak for extraction."""
    taken = sum(max(g.contribution, 0.0) for g in found.groups if g.name in templates)
    if not taken > 0.0:
        return found
    odds = found.score / max(1.0 - found.score, 1e-9) * math.exp(-taken)
    own = np.array([odds / (1.0 + odds)], np.float32)
    return replace(found, own_p_value=float(scorer.p_values(own)[0]))


def assess_account(
    state: PartitionState, batch: RequestBatch, due: Due, scored: Scored, i: int, groups: Groups
) -> Assessment:
    """The assessment of due account row `i`."""
    tenant, account = split_name(state.accounts.names[due.index[i]] or "")
    return account_assessment(
        state, groups, due.rows[i], due.vectors[i], due.part[i], tenant, account,
        at_s=float(batch.events["time_s"][due.event[i]]),
        cue=bool(due.why[i] == kernels.CUE),
        score=float(scored.scores[i]),
        p_value=float(scored.p_values[i]),
    )  # fmt: skip


def account_assessment(
    state: PartitionState,
    groups: Groups,
    row: np.void,
    vector: NDArray[np.float32],
    part: NDArray[np.int64],
    tenant: str,
    account: str,
    *,
    at_s: float,
    cue: bool,
    score: float,
    p_value: float,
) -> Assessment:
    """The assessment of one account row, wherever it was copied from."""
    requests = int(row["requests"])
    known = int(row["taken_known"])
    coverage = float(vector[_COVERAGE])
    return Assessment(
        tenant=tenant,
        account=account,
        scope="account",
        scope_id=account,
        at_s=at_s,
        requests=requests,
        new_pieces=int(row["new_pieces"]),
        cue_pieces=int(row["cue_pieces"]),
        account_requests=requests,
        trigger="cue" if cue else "point",
        score=score,
        p_value=p_value,
        cue_score=float(row["cue_best"]),
        groups=groups,
        cues=_cue_hits(row),
        exemplars=_exemplars(row),
        harvest=Harvest(
            pairs=int(row["pairs"]),
            output_tokens=int(row["taken_tokens"]) if known else None,
            topic_coverage=None if np.isnan(coverage) else min(coverage, 1.0),
        ),
        concentration=_concentration(state, row, part, requests),
    )


def assess_narrow(
    state: PartitionState, batch: RequestBatch, due: Due, scored: Scored, j: int, groups: Groups
) -> Assessment:
    """The assessment of due narrow row `j`, a key or an end user."""
    row = due.narrow_rows[j]
    scope = NARROW_SCOPES[int(due.narrow_scope[j])]
    event = int(due.narrow_event[j])
    request = batch.requests[event]
    return Assessment(
        tenant=request.tenant,
        account=request.account or "",
        scope=scope,
        scope_id=_narrow_id(_table(state, scope), int(due.narrow_index[j])),
        at_s=float(batch.events["time_s"][event]),
        requests=int(row["requests"]),
        new_pieces=int(row["new_pieces"]),
        cue_pieces=int(row["cue_pieces"]),
        account_requests=int(due.narrow_account_requests[j]),
        trigger="point",
        score=float(scored.narrow_scores[j]),
        p_value=float(scored.narrow_p_values[j]),
        cue_score=float(row["cue_best"]),
        groups=groups,
        cues=_cue_hits(row),
        exemplars=(),
        harvest=Harvest(int(row["new_pieces"]), int(row["taken_tokens"]) or None, None),
    )


def _table(state: PartitionState, scope: Scope) -> EntityTable:
    return state.end_users if scope == "end_user" else state.keys


def _narrow_id(table: EntityTable, at: int) -> str:
    """Account and id of a key or end user: two customers' user "1" are not one."""
    return split_name(table.names[at] or "")[1]


def _cue_hits(row: np.void) -> tuple[CueHit, ...]:
    hits = []
    if row["cue_pieces"]:
        hits.append(CueHit("elicitation of reasoning", int(row["cue_pieces"]), "user turn"))
    return tuple(hits)


def _exemplars(row: np.void) -> tuple[str, ...]:
    ids = np.asarray(row["exemplar"], np.uint8).reshape(EXEMPLARS, EVENT_ID_BYTES)
    order = np.argsort(-row["exemplar_score"], kind="stable")
    found = (bytes(ids[j]).rstrip(b"\0").decode("utf-8", "replace") for j in order.tolist())
    return tuple(event_id for event_id in found if event_id)


def _concentration(
    state: PartitionState, row: np.void, part: NDArray[np.int64], requests: int
) -> Concentration | None:
    """The end user, else the key, that holds most of the evidence, if any is named."""
    total = float(row["blame"])
    named: tuple[tuple[Scope, str, int], ...] = (
        ("end_user", "blame_user_w", 0),
        ("key", "blame_key_w", 2),
    )
    best: Concentration | None = None
    for scope, weights, column in named:
        at = int(part[column])
        if at < 0 or total <= 0.0:
            continue
        found = Concentration(
            scope,
            _narrow_id(_table(state, scope), at),
            min(float(row[weights].max()) / total, 1.0),
            int(part[column + 1]) / max(requests, 1),
        )
        if best is None or found.evidence_share > best.evidence_share:
            best = found
    return best
