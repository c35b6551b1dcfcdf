"""The OpenAPI document: tags, the shape of errors, and the gateway hook, no route of FastAPI."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from detector.api.decision import PATH
from detector.api.problems import ProblemBody, ProblemField

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "alerts", "description": "The alert feed, for trust and safety. Role viewer."},
    {"name": "accounts", "description": "What is known of an account. Role analyst."},
    {"name": "gateway", "description": "May this request pass? Role gateway."},
    {"name": "health", "description": "Liveness, readiness, metrics."},
]

_VERDICT_HEADERS: Final[dict[str, Any]] = {
    "X-Stillwatch-Verdict": {
        "description": "The hardest enforced verdict in force.",
        "schema": {"type": "string", "enum": ["allow", "watch", "throttle", "restrict", "block"]},
    },
    "X-Stillwatch-Scope": {
        "description": "What it is on; absent without a verdict.",
        "schema": {"type": "string", "enum": ["end_user", "key", "account", "organisation"]},
    },
    "X-Stillwatch-Subject": {
        "description": "32 hex digits that stand for what it is on: a key for a rate limit.",
        "schema": {"type": "string"},
    },
    "X-Stillwatch-Expires": {
        "description": "When it ends.",
        "schema": {"type": "string", "format": "date-time"},
    },
}


def describe(app: FastAPI) -> None:
    """Completes the document that `/openapi.json` and `/docs` show."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    whole = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        summary=app.summary,
        description=app.description,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    for model in (ProblemField, ProblemBody):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    headers = app.state.service.settings
    whole["paths"][PATH] = {
        "get": _hook(
            [
                (headers.decision_account_header, "The account."),
                (headers.decision_end_user_header, "The account's own user."),
                ("x-stillwatch-organisation", "The organisation."),
                ("x-stillwatch-tenant", "The tenant, for a key of every tenant."),
            ]
        )
    }
    return whole


def _hook(headers: list[tuple[str, str]]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {
        "tags": ["gateway"],
        "summary": "May this request pass?",
        "description": (
            "For nginx `auth_request` and forward-auth gateways: any method and any path below "
            f"`{PATH}` answers the same. The customer's key may come in Authorization, the "
            "gateway's own in X-Stillwatch-Key. When the service has not reached the end of the "
            "verdicts topic for too long, it lets everybody pass and says "
            "`X-Stillwatch-Stale: true`."
        ),
        "operationId": "decision",
        "security": [{"Header": []}, {"Bearer": []}],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": meaning,
                "schema": {"type": "string"},
            }
            for name, meaning in headers
            if name
        ],
        "responses": {
            "204": {
                "description": "Pass: the verdict is allow, watch, throttle or restrict.",
                "headers": {
                    **_VERDICT_HEADERS,
                    "X-Stillwatch-Stale": {
                        "description": "Present and true when nothing could be looked up.",
                        "schema": {"type": "string"},
                    },
                },
            },
            "401": {"description": "The gateway's own key is not good.", "content": problem},
            "403": {
                "description": "The verdict is block.",
                "headers": _VERDICT_HEADERS,
                "content": {
                    "application/problem+json": {
                        "schema": {"$ref": "#/components/schemas/ProblemBody"},
                        "example": {
                            "type": "about:blank",
                            "title": "Forbidden",
                            "status": 403,
                            "detail": "the verdict on this account is block",
                            "instance": PATH,
                        },
                    }
                },
            },
        },
    }
