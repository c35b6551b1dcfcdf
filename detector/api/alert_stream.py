"""The live alert feed as server-sent events.

Each event's id is the next offset of every partition of the alerts topic ("0:17,1:4"), so that any
replica can go on where another stopped. What is sent is read from the store, page by page and as
fast as the client takes it: a slow client costs one page of memory and loses nothing. The bell that
the follower rings only says "look again", so there is no gap between what was stored and what is
live, and no polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from detector.api.deps import ServiceDep, Viewer, tenant_filter
from detector.api.problems import BadRequest, Unavailable, problem_responses
from detector.api.store_reads import store_reads
from detector.levels import Level
from detector.store.alert_store import AlertStore
from detector.store.errors import StoreError
from detector.store.news import TooManyListeners
from detector.store.positions import read_positions, write_positions

HEARTBEAT_S: Final = 15.0
"""A stream that is silent for longer is cut by many proxies."""
SEND_TIMEOUT_S: Final = 30.0
"""A client that takes nothing for so long is dropped; it comes back where it was."""
RETRY_MS: Final = 3000
PAGE: Final = 100
"""Rows of each partition that are read at once."""
FROM_START: Final = "start"

router = APIRouter()


async def bell_of(service: ServiceDep) -> AsyncIterator[asyncio.Event]:
    """An event that is set when there may be new alerts. Raises Unavailable: too many streams."""
    loop = asyncio.get_running_loop()
    bell = asyncio.Event()
    try:
        with service.alerts.news.listening(lambda: loop.call_soon_threadsafe(bell.set)):
            yield bell
    except TooManyListeners as error:
        raise Unavailable(str(error)) from error


BellDep = Annotated[asyncio.Event, Depends(bell_of)]


class AlertStreamResponse(StreamingResponse):
    """Drops a client that takes nothing for SEND_TIMEOUT_S.

    Not FastAPI's EventSourceResponse: its heartbeats carry no id, and it waits for ever.
    """

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        """Sends as starlette does, each piece within the time."""

        async def bounded(message: Message) -> None:
            await asyncio.wait_for(send(message), SEND_TIMEOUT_S)

        try:
            await super().stream_response(bounded)
        except TimeoutError:
            structlog.get_logger().info("dropped a client of the alert stream that took nothing")


@router.get(
    "/stream",
    response_class=AlertStreamResponse,
    operation_id="stream_alerts",
    responses={
        200: {
            "description": "One event `alert` a revision; its data is the alert's JSON.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: alert\ndata: {"alert_id":"0a294f85-…","revision":1,…}\n'
                    "id: 0:17,1:4\n\n",
                }
            },
        },
        **problem_responses(400, 401, 403, 422, 503),
    },
)
async def stream_alerts(
    service: ServiceDep,
    caller: Viewer,
    bell: BellDep,
    last_event_id: Annotated[
        str | None, Header(description="Sent by a client that reconnects: go on after it.")
    ] = None,
    after: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            description="The same for a client that cannot set headers; `start`: all that is kept. "
            "Without either the stream begins now.",
        ),
    ] = None,
    min_verdict: Annotated[
        Level | None,
        Query(description="Leaves out alerts that have not reached it (or had it proposed)."),
    ] = None,
    tenant: Annotated[str | None, Query(description="For keys that see every tenant.")] = None,
) -> AlertStreamResponse:
    """Revisions of alerts as they come, each at most once and none left out.

    Comments come as heartbeats. The stream ends when the service stops: reconnect with the last id.
    """
    seen = tenant_filter(caller, tenant)
    given = last_event_id if last_event_id is not None else after
    if given is None:
        with store_reads():
            positions = await run_in_threadpool(service.alerts.positions)
    else:
        positions = _positions(given)
    return AlertStreamResponse(
        alert_events(service.alerts, bell, seen, positions, min_verdict),
        # nginx would hold events back until its buffer is full.
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def alert_events(
    store: AlertStore,
    bell: asyncio.Event,
    tenant: str | None,
    positions: Mapping[int, int],
    min_verdict: Level | None = None,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[bytes]:
    """Events from `positions` on, without end; ends when `store.news` closes.

    bell: is set, on this loop, after each batch that the store took in.
    """
    yield format_sse_event(id=_event_id(positions), retry=RETRY_MS)
    while not store.news.closed:
        bell.clear()  # before reading: what rings from here on is looked at again
        try:
            items, here = await run_in_threadpool(
                store.following, tenant, positions, PAGE, min_verdict
            )
        except StoreError as error:
            # The client comes back with its last id, here or at another replica.
            structlog.get_logger().error("an alert stream ends", reason=error.problem)
            return
        for item in items:
            yield format_sse_event(
                event="alert", data_str=item.body, id=_event_id(item.next_positions)
            )
        if here != positions:
            positions = here
            continue
        try:
            await asyncio.wait_for(bell.wait(), heartbeat_s)
        except TimeoutError:
            # With the id, so that what was filtered out is not read again after a reconnect.
            yield format_sse_event(comment="nothing new", id=_event_id(positions))


def _event_id(positions: Mapping[int, int]) -> str:
    """Never empty: an empty id would make a browser forget where it was."""
    return write_positions(positions) or "0:0"


def _positions(given: str) -> dict[int, int]:
    if given == FROM_START:
        return {}
    try:
        return read_positions(given)
    except ValueError as error:
        raise BadRequest(
            f"Last-Event-ID: {error}; give the id of an event of this stream, or `{FROM_START}`"
        ) from error
