"""Errors as RFC 9457 `application/problem+json`: routes raise them and never build responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from detector.errors import DetectorError

MEDIA_TYPE: Final = "application/problem+json"


class ProblemField(BaseModel):
    """One wrong field of a request."""

    field: str
    problem: str


class ProblemBody(BaseModel):
    """The body of every error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "there is no alert 6f1c…",
                    "instance": "/v1/alerts/6f1c…",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField] | None = None


class Problem(DetectorError):
    """Root of what a route raises; each subclass has its status."""

    status: int = 500
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BadRequest(Problem):
    """A parameter has the right type and a value that means nothing, such as an old cursor."""

    status = 400


class Unauthenticated(Problem):
    """No key, or one that is wrong or expired."""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="stillwatch"'}


class Forbidden(Problem):
    """The key is good, its role or tenant does not reach here."""

    status = 403


class NotFound(Problem):
    """No such thing, or none that the key may see."""

    status = 404


class Unavailable(Problem):
    """What the answer needs does not answer; try again later."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "5"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route in OpenAPI for these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in statuses
    }


def add_handlers(app: FastAPI) -> None:
    """Makes every error of the app a problem, 404, 405, 422 and 500 too."""

    async def problem(request: Request, error: Exception) -> Response:
        if not isinstance(error, Problem):
            return await unexpected(request, error)
        return respond(request, error.status, error.detail, headers=error.headers)

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return await unexpected(request, error)
        detail = _WORDS.get(error.status_code, str(error.detail))
        return respond(request, error.status_code, detail, headers=error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            return await unexpected(request, error)
        fields = [_field(item) for item in error.errors()]
        detail = "; ".join(f"{item.field}: {item.problem}" for item in fields)
        return respond(request, 422, detail, errors=fields)

    async def unexpected(request: Request, _error: Exception) -> Response:
        return respond(request, 500, "an unexpected error; the service's log tells more")

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)


_WORDS: Final = {
    404: "nothing is served at this path",
    405: "this path does not take this method",
}


def respond(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: Sequence[ProblemField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as a response."""
    body = ProblemBody(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=None if errors is None else list(errors),
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def _field(item: Mapping[str, Any]) -> ProblemField:
    where = [str(part) for part in item["loc"]]
    return ProblemField(field=".".join(where[1:]) or where[0], problem=str(item["msg"]))
