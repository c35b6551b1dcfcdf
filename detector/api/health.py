"""Is the service alive, is it ready, and its metrics. Health is open; metrics need any key."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict

from detector.api.deps import AnyKey, ServiceDep
from detector.api.problems import problem_responses
from detector.follower import Follower

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether the API holds what it answers from; `missing` says what it waits for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ready": True, "missing": []},
                {"ready": False, "missing": ["verdicts: the end of the topic is not reached yet"]},
            ]
        }
    )

    ready: bool
    missing: list[str]


@router.get("/healthz")
async def healthz() -> Alive:
    """Alive: the process answers. Says nothing of the log or the database."""
    return Alive()


_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Readiness, "description": "Not ready"}
}


@router.get("/readyz", responses=_NOT_READY)
async def readyz(service: ServiceDep, response: Response) -> Readiness:
    """Ready: both topics are followed to their ends. Otherwise 503 with what is missing."""
    limit_s = service.settings.stale_after_s
    followers = (service.verdict_follower, service.alert_follower)
    return _answer([line for one in followers for line in missing_of(one, limit_s)], response)


@router.get("/readyz/gateway", responses=_NOT_READY)
async def readyz_gateway(service: ServiceDep, response: Response) -> Readiness:
    """Ready for gateways: verdicts are known. The alert feed's database does not matter here."""
    return _answer(missing_of(service.verdict_follower, service.settings.stale_after_s), response)


def _answer(missing: list[str], response: Response) -> Readiness:
    if missing:
        response.status_code = 503
    return Readiness(ready=not missing, missing=missing)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "Prometheus text format"},
        **problem_responses(401),
    },
)
async def metrics(service: ServiceDep, _caller: AnyKey) -> Response:
    """Metrics in the Prometheus text format, for a key of any role."""
    return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)


def missing_of(follower: Follower, limit_s: float) -> list[str]:
    """What a follower waits for, in words; empty when it is at the end of its topic.

    limit_s: the age past which it counts as stale.
    """
    why = f" ({follower.error})" if follower.error is not None else ""
    age_s = follower.staleness_s()
    if not follower.caught_up:
        return [f"{follower.name}: the end of the topic is not reached yet{why}"]
    if age_s > limit_s:
        return [f"{follower.name}: not at the end of the topic for {age_s:.0f} s{why}"]
    return []
