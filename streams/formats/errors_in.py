"""Errors that providers and gateways put into bodies, read to one code."""

from __future__ import annotations

import re

from streams.formats.values import Fields, first, identity, mapping

_EMBEDDED = re.compile(r"\{.*\}", re.DOTALL)


def error_code(error: object) -> str | None:
    """The most telling code of an error object or text; None if there is none.

    A code beats a type: `content_filter` says more than `invalid_request_error`. A message that
    holds the provider's own error as JSON is opened once.
    """
    if isinstance(error, str):
        if not error.strip():
            return None
        inner = mapping(error) or _embedded(error)
        if inner:
            return error_code(inner.get("error", inner)) or "error"
        word = error.split(":", 1)[0].strip()
        return word if len(word) <= 64 and " " not in word else "error"
    if not isinstance(error, dict) or not error:
        return None
    nested = error.get("error")
    if isinstance(nested, dict):
        return error_code(nested)
    for name in ("code", "status", "type", "__type", "error_code", "errorCode", "error_type"):
        value = error.get(name)
        if name == "type" and value == "error":
            continue
        code = identity(value)
        if code is not None:
            if name == "code" and isinstance(value, int) and isinstance(error.get("status"), str):
                return str(error["status"])  # Google: code 403, status PERMISSION_DENIED
            return code
    if isinstance(message := error.get("message"), str) and (inner := _embedded(message)):
        return error_code(inner)
    return "error"


def read_error(error: object, fields: Fields) -> None:
    """Adds the error's code and the refusal reason that rewriting gateways put beside it."""
    code = error_code(error)
    if code is not None:
        fields.setdefault("error_code", code)
    details = mapping(error)
    reason = identity(first(details.get("refusal_reason"), details.get("refusal_category")))
    if reason is not None:
        fields.setdefault("refusal_category", reason)


def _embedded(message: str) -> dict[str, object]:
    if "{" not in message or len(message) > 20_000:
        return {}
    found = _EMBEDDED.search(message)
    return mapping(found.group()) if found else {}
