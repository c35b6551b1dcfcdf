"""What routes ask for, as annotations: `def alerts(service: ServiceDep, caller: Viewer) -> …`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from detector.api.problems import Forbidden, Unauthenticated
from detector.api.service import Service
from detector.key_ring import EVERY_TENANT, Principal, Role

KEY_HEADER = "X-Stillwatch-Key"

_bearer = HTTPBearer(
    scheme_name="Bearer", description="A key of `stillwatch keys new`: sw_…", auto_error=False
)
_header = APIKeyHeader(
    scheme_name="Header",
    name=KEY_HEADER,
    description="The same key where Authorization carries another one, as behind a gateway.",
    auto_error=False,
)


def service_of(request: Request) -> Service:
    """The app's service."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]


def caller_of(
    service: ServiceDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> Principal:
    """Who calls. Raises Unauthenticated."""
    presented = header if header is not None else bearer.credentials if bearer else None
    if presented is None:
        raise Unauthenticated(f"send a key as `Authorization: Bearer sw_…` or `{KEY_HEADER}: sw_…`")
    principal = service.keys.find(presented, service.now_s())
    if principal is None:
        raise Unauthenticated("this key is not known, or expired")
    return principal


def requires(role: Role) -> Callable[[Principal], Principal]:
    """A dependency that lets keys of `role` and of the roles above it pass."""

    def check(caller: AnyKey) -> Principal:
        if not caller.may(role):
            raise Forbidden(f"this needs a key of role {role}; this key's role is {caller.role}")
        return caller

    return check


AnyKey = Annotated[Principal, Depends(caller_of)]
Viewer = Annotated[Principal, Depends(requires("viewer"))]
Analyst = Annotated[Principal, Depends(requires("analyst"))]
Admin = Annotated[Principal, Depends(requires("admin"))]


def tenant_filter(caller: Principal, asked: str | None) -> str | None:
    """The tenant whose things may be listed; None is all of them.

    `asked`: the request's own filter. Raises Forbidden for another tenant than the key's.
    """
    if caller.tenant == EVERY_TENANT:
        return asked
    if asked is not None and asked != caller.tenant:
        raise Forbidden(f"this key sees tenant {caller.tenant} only")
    return caller.tenant
