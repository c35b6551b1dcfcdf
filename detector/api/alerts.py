"""The alert feed: a list with filters, one alert with its life, and the live stream."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from detector.api import alert_stream
from detector.api.alert_models import AlertDetail, AlertsPage
from detector.api.alert_parameters import AlertParameters
from detector.api.cursor import read_cursor, write_cursor
from detector.api.deps import ServiceDep, Viewer, tenant_filter
from detector.api.problems import NotFound, problem_responses
from detector.api.store_reads import store_reads

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
router.include_router(alert_stream.router)  # first: its path would pass for an alert's id


@router.get(
    "",
    response_model=AlertsPage,
    operation_id="list_alerts",
    responses={
        200: {
            "headers": {
                "Link": {
                    "description": 'The next page as RFC 8288 `rel="next"`.',
                    "schema": {"type": "string"},
                }
            }
        },
        **problem_responses(400, 401, 403, 422, 503),
    },
)
def list_alerts(
    request: Request,
    service: ServiceDep,
    caller: Viewer,
    parameters: Annotated[AlertParameters, Query()],
) -> Response:
    """Alerts, last revised first; of each its latest revision unless `revisions=all`.

    The pages of one walk show the feed as it was at the first page: an alert that is opened or
    revised meanwhile neither shifts nor hides a row.
    """
    wanted = parameters.filter(tenant_filter(caller, parameters.tenant))
    after = None if parameters.cursor is None else read_cursor(wanted, parameters.cursor)
    with store_reads():
        page = service.alerts.page(wanted, parameters.limit, after)
    cursor = None if page.after is None else write_cursor(wanted, page.after)
    told = "null" if cursor is None else f'"{cursor}"'
    headers = {} if cursor is None else {"Link": f'<{_next_page(request, cursor)}>; rel="next"'}
    return Response(
        f'{{"items":[{",".join(page.bodies)}],"next_cursor":{told}}}',
        media_type="application/json",
        headers=headers,
    )


@router.get(
    "/{alert_id}",
    response_model=AlertDetail,
    operation_id="get_alert",
    responses=problem_responses(401, 403, 404, 422, 503),
)
def get_alert(
    service: ServiceDep, caller: Viewer, alert_id: Annotated[str, Path(max_length=64)]
) -> Response:
    """One alert: its latest revision, and all of them, the latest first."""
    with store_reads():
        bodies = service.alerts.revisions(tenant_filter(caller, None), alert_id)
    if not bodies:
        raise NotFound(f"there is no alert {alert_id}")
    return Response(
        f'{{"alert":{bodies[0]},"revisions":[{",".join(bodies)}]}}', media_type="application/json"
    )


def _next_page(request: Request, cursor: str) -> str:
    """The same question with another cursor, relative to the host that the client sees."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
