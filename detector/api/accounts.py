"""The analysts' account page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import structlog
from fastapi import APIRouter, Path, Query, Response

from detector.api.account_models import AccountBody
from detector.api.deps import Analyst, ServiceDep, tenant_filter
from detector.api.problems import NotFound, problem_responses
from detector.api.service import Service
from detector.api.store_reads import store_reads
from detector.benign_range import BenignRange
from detector.feature_words import FEATURE_WORDS
from detector.lake_files import LakeError
from detector.score_history import LakeTimeout, ScorePoint, score_history
from detector.store.alert_query import AlertFilter
from detector.verdict_change import VerdictChange
from streams.envelope import rfc3339

LAKE_TIMEOUT_S: Final = 10.0
_OPEN_ALERTS: Final = 200
_PAST_ALERTS: Final = 50

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


# A path: an account's name may hold slashes.
@router.get(
    "/{account_id:path}",
    response_model=AccountBody,
    operation_id="get_account",
    responses=problem_responses(401, 403, 404, 422, 503),
)
def get_account(
    service: ServiceDep,
    caller: Analyst,
    account_id: Annotated[str, Path(min_length=1, max_length=512)],
    tenant: Annotated[
        str | None, Query(description="For keys that see every tenant; else the service's own.")
    ] = None,
    points: Annotated[int, Query(ge=1, le=5000, description="Scorings told at most.")] = 500,
) -> Response:
    """Verdicts by scope, open and past alerts, score history, features beside the benign range."""
    where = tenant_filter(caller, tenant) or service.settings.tenant
    why_null: dict[str, str] = {}
    verdicts = _verdicts(service, where, account_id, why_null)
    with store_reads():
        wanted = AlertFilter(tenant=where, account=account_id, states=("open", "updated"))
        active = service.alerts.page(wanted, _OPEN_ALERTS).bodies
        past = service.alerts.page(
            msgspec.structs.replace(wanted, states=("closed",)), _PAST_ALERTS
        ).bodies
    history = _history(service, where, account_id, points, why_null)
    if not (verdicts or active or past or history):
        unknown = "".join(f"; {name}: {reason}" for name, reason in why_null.items())
        raise NotFound(f"nothing is known of account {account_id} in tenant {where}{unknown}")
    whole = None if history is None else _whole(history)
    if history is not None and whole is None:
        why_null["features"] = "the account was not scored as a whole yet"
    if service.benign is None:
        why_null["features.benign_accounts"] = "the model card has no ranges of benign accounts"
    page = {
        "tenant": where,
        "account": account_id,
        "verdicts": verdicts,
        "open_alerts": [msgspec.Raw(body.encode()) for body in active],
        "past_alerts": [msgspec.Raw(body.encode()) for body in past],
        "scores": None if history is None else [_score(point) for point in history],
        "features": None if whole is None else _features(whole, service.benign),
        "why_null": why_null,
    }
    return Response(msgspec.json.encode(page), media_type="application/json")


def _verdicts(
    service: Service, tenant: str, account: str, why_null: dict[str, str]
) -> list[dict[str, Any]] | None:
    """Verdicts in force; None before the table has been read to the end once."""
    if not service.verdict_follower.caught_up:
        why_null["verdicts"] = "the verdicts topic is still being read; ask again shortly"
        return None
    changes = service.verdicts.of_account(tenant, account, service.now_s())
    return [_verdict(change) for change in changes]


def _verdict(change: VerdictChange) -> dict[str, Any]:
    return {
        "scope": change.scope,
        "scope_id": change.scope_id,
        "verdict": change.to_level,
        "proposed_verdict": change.proposed_level,
        "enforced": change.enforced,
        "since": rfc3339(change.at_s),
        "expires_at": None if change.expires_at_s is None else rfc3339(change.expires_at_s),
        "reason_code": change.reason_code,
        "main_group": change.main_group,
        "groups": change.groups,
        "organisation": change.organisation,
        "versions": change.versions,
    }


def _history(
    service: Service, tenant: str, account: str, points: int, why_null: dict[str, str]
) -> list[ScorePoint] | None:
    """Scorings, newest first; None where the analysts' store does not tell them."""
    if service.lake is None:
        reason = "no analysts' store is set (setting `lake`)"
    else:
        try:
            return score_history(
                service.lake, tenant, account, limit=points, timeout_s=LAKE_TIMEOUT_S
            )
        except LakeTimeout as error:
            reason = f"the analysts' store did not answer within {error.timeout_s:g} s"
        except LakeError as error:
            structlog.get_logger().error("the analysts' store cannot be read", reason=str(error))
            reason = "the analysts' store cannot be read; the service's log tells more"
    why_null["scores"] = why_null["features"] = reason
    return None


def _whole(history: Sequence[ScorePoint]) -> ScorePoint | None:
    """The last scoring of the account as a whole."""
    return next((point for point in history if point.scope == "account"), None)


def _score(point: ScorePoint) -> dict[str, Any]:
    return {
        "at": rfc3339(point.at_s),
        "scope": point.scope,
        "scope_id": point.scope_id,
        "requests": point.requests,
        "new_pieces": point.new_pieces,
        "cue_pieces": point.cue_pieces,
        "score": point.score,
        "p_value": point.p_value,
    }


def _features(point: ScorePoint, benign: BenignRange | None) -> dict[str, Any]:
    return {
        "at": rfc3339(point.at_s),
        "requests": point.requests,
        "benign_accounts": None if benign is None else benign.accounts,
        "values": [_feature(name, value, benign) for name, value in point.features.items()],
    }


def _feature(name: str, value: float | None, benign: BenignRange | None) -> dict[str, Any]:
    found = None if benign is None else benign.features.get(name)
    low, middle, high = (found.range if found else None) or (None, None, None)
    place = None
    if value is not None and low is not None and high is not None:
        place = "below" if value < low else "above" if value > high else "inside"
    return {
        "name": name,
        "meaning": FEATURE_WORDS.get(name, name.replace("_", " ")),
        "value": value,
        "p5": low,
        "p50": middle,
        "p95": high,
        "benign_known": None if found is None else found.known,
        "place": place,
    }
