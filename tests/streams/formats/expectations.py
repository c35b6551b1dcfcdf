"""Compares requests with the `expect` of a log sample, field by field.

The meaning of each key is that of data/logs/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from streams.record import ApiRequest

Check = tuple[str, bool, object, object]
"""Name of the field, whether it holds, what was expected, what was read."""

_IGNORED = {"account_hint", "model_also", "n_events", "events", "join", "cut_tail", "prefill"}
_NOT_RECORDED = {"best_of", "top_k", "stop"}
"""Parameters that ApiRequest has no field for: reported as misses unless it gains one."""


def checks_of(expect: dict[str, Any], requests: list[ApiRequest]) -> Iterator[Check]:
    """Every check of one sample."""
    if "n_events" in expect:
        yield "n_events", len(requests) == expect["n_events"], expect["n_events"], len(requests)
    for want, request in zip(expect.get("events", []), requests, strict=False):
        yield from _of_one(want, request)
    rest = {name: value for name, value in expect.items() if name not in _IGNORED}
    if rest and "events" not in expect:
        if not requests:
            for name, value in rest.items():
                yield name, False, value, "no request"
        else:
            yield from _of_one(expect, requests[0])


def _of_one(expect: dict[str, Any], request: ApiRequest) -> Iterator[Check]:
    for name, want in expect.items():
        if name in _IGNORED:
            continue
        if name == "params":
            for param, value in want.items():
                got = getattr(request, param, None)
                yield f"params.{param}", got == value, value, got
            continue
        got = _read(name, request)
        if name == "model":
            yield name, got == want or got in expect.get("model_also", []), want, got
        elif name == "event_time" and want is not None and isinstance(got, float | int):
            yield name, math.isclose(want, got, abs_tol=2e-6, rel_tol=0), want, got
        elif name == "last_user_text_prefix" and want is not None:
            yield name, isinstance(got, str) and got.startswith(want), want, str(got)[:40]
        elif name == "error" and want is not None:
            yield name, got == want, want, got
        else:
            yield name, got == want, want, got


def _read(name: str, request: ApiRequest) -> object:
    if name == "event_time":
        return request.event_time_s
    if name == "finish_reason":
        return request.finish_reason_raw
    if name == "error":
        return request.error_code
    if name == "tools":
        return request.tool_count
    if name == "partial":
        return request.truncated
    if name == "refusal":
        return request.finish_reason == "refusal" or request.refusal_category is not None
    messages = request.messages or []
    if name == "system":
        return request.system is not None or any(
            message.role in ("system", "developer") for message in messages
        )
    if name == "last_user_text_prefix":
        texts = [m.text for m in messages if m.role == "user" and m.text]
        return texts[-1] if texts else None
    if name == "new_user_text":
        last = [m for m in messages if m.role in ("user", "tool")]
        return bool(last) and last[-1].role == "user" and bool(last[-1].text)
    return getattr(request, name)
