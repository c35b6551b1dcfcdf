"""Plain HTTP entries of a gateway: calls to a model without their bodies, and all others."""

from __future__ import annotations

import re
from typing import Any

from streams.formats.values import first, mapping

_MODEL_CALL = re.compile(
    r"/(?:chat/)?completions/?$|/responses/?$|/messages/?$|/completions/?\?|"
    r":(?:stream)?generateContent|/converse(?:-stream)?$|/invoke(?:-with-response-stream)?$|"
    r"/api/(?:chat|generate)/?$|/v1/complete/?$",
    re.IGNORECASE,
)


def http_path(obj: dict[str, Any]) -> str | None:
    """The path of the HTTP call that an entry tells of, None if it tells of none."""
    request = mapping(obj.get("request"))
    method = first(
        obj.get("method"), request.get("method"), obj.get("request_method"), obj.get("http_method")
    )
    status = first(
        obj.get("status"),
        obj.get("status_code"),
        mapping(obj.get("response")),
        obj.get("response_code"),
    )
    if method is None and status is None:
        return None
    for name in ("path", "uri", "url", "request_path", "request_uri", "endpoint", "route"):
        path = first(request.get(name), obj.get(name))
        if isinstance(path, str) and "/" in path:
            return path
    return None


def is_model_call(path: str) -> bool:
    """True if the path is that of a request to a model."""
    return _MODEL_CALL.search(path.split("?", 1)[0]) is not None
