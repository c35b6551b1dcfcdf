"""The whole HTTP surface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from detector.api import accounts, alerts, docs, health
from detector.api.api_metrics import ApiMetrics
from detector.api.decision import Decision, DecisionFirst
from detector.api.openapi import TAGS, describe
from detector.api.problems import add_handlers
from detector.api.service import Service

ROUTERS = (alerts.router, accounts.router, health.router, docs.router)


def create_app(service: Service) -> FastAPI:
    """The API over a service. The service's followers run while the app does."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    app = FastAPI(
        title="Stillwatch",
        version="1",
        summary="Alerts, verdicts and accounts of a service that finds model distillation.",
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,  # our own page
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.add_middleware(DecisionFirst, decision=Decision(service, ApiMetrics(service)))
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    describe(app)
    return app
