"""From due rows to assessments: score all of them at once, explain those that matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector import kernels
from detector.assessment import Assessment, Concentration, CueHit, Harvest, Scope
from detector.entities import EXEMPLARS, EntityTable
from detector.features import FEATURE_NAMES
from detector.outputs import ScoreRow
from detector.scorer import Scorer
from detector.state import Due, PartitionState
from streams.batch import EVENT_ID_BYTES, RequestBatch
from streams.record import ApiRequest

NARROW_SCOPES: tuple[Scope, Scope] = ("end_user", "key")
_COVERAGE = FEATURE_NAMES.index("coverage")


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of everything due in a batch.

    Attributes:
        scores, p_values: shape (d,), of the due account rows.
        narrow_scores, narrow_p_values: shape (m,), of the due keys and end users.
    """

    scores: NDArray[np.float32]
    p_values: NDArray[np.float64]
    narrow_scores: NDArray[np.float32]
    narrow_p_values: NDArray[np.float64]


def score_due(scorer: Scorer, due: Due) -> Scored:
    """Scores the due rows, accounts and narrower entities in one run of the graph."""
    both = np.concatenate([due.vectors, due.narrow_vectors])
    scores = scorer.probabilities(scorer.impute(both))
    p_values = scorer.p_values(scores)
    d = len(due.vectors)
    return Scored(scores[:d], p_values[:d], scores[d:], p_values[d:])


def split_name(name: str) -> tuple[str, str]:
    """(tenant, account) of an account's name."""
    tenant, _, account = name.partition("/")
    return tenant, account


@dataclass(frozen=True, slots=True)
class EntityName:
    """Tenant, account, scope and id of an entity."""

    tenant: str
    account: str
    scope: Scope
    scope_id: str


def entity_of(
    state: PartitionState, request: ApiRequest, due: Due, *, whole: bool, at: int
) -> EntityName:
    """Whose row is due: the account's own, or that of a key or end user under it."""
    account = request.account or ""
    if whole:
        return EntityName(request.tenant, account, "account", account)
    scope = NARROW_SCOPES[int(due.narrow_scope[at])]
    scope_id = _narrow_id(_table(state, scope), int(due.narrow_index[at]))
    return EntityName(request.tenant, account, scope, scope_id)


def score_row(
    name: EntityName, batch: RequestBatch, due: Due, scored: Scored, *, whole: bool, at: int
) -> ScoreRow:
    """The scoring of one due row as it is output."""
    row = due.rows[at] if whole else due.narrow_rows[at]
    event = due.event[at] if whole else due.narrow_event[at]
    return ScoreRow(
        name.tenant, name.account, name.scope, name.scope_id,
        at_s=float(batch.events["time_s"][event]),
        requests=int(row["requests"]),
        new_pieces=int(row["new_pieces"]),
        cue_pieces=int(row["cue_pieces"]),
        score=float((scored.scores if whole else scored.narrow_scores)[at]),
        p_value=float((scored.p_values if whole else scored.narrow_p_values)[at]),
        vector=due.vectors[at] if whole else due.narrow_vectors[at],
    )  # fmt: skip


def assess_account(
    state: PartitionState, scorer: Scorer, batch: RequestBatch, due: Due, scored: Scored, i: int
) -> Assessment:
    """The assessment of due account row `i`."""
    tenant, account = split_name(state.accounts.names[due.index[i]] or "")
    return account_assessment(
        state, scorer, due.rows[i], due.vectors[i], due.part[i], tenant, account,
        at_s=float(batch.events["time_s"][due.event[i]]),
        cue=bool(due.why[i] == kernels.CUE),
        score=float(scored.scores[i]),
        p_value=float(scored.p_values[i]),
    )  # fmt: skip


def account_assessment(
    state: PartitionState,
    scorer: Scorer,
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
        groups=scorer.explain(vector),
        cues=_cue_hits(row),
        exemplars=_exemplars(row),
        harvest=Harvest(
            pairs=int(row["pairs"]),
            output_tokens=int(row["taken_tokens"]) if known else None,
            topic_coverage=None if np.isnan(coverage) else coverage,
        ),
        concentration=_concentration(state, row, part, requests),
    )


def assess_narrow(
    state: PartitionState, scorer: Scorer, batch: RequestBatch, due: Due, scored: Scored, j: int
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
        groups=scorer.explain(due.narrow_vectors[j]),
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
