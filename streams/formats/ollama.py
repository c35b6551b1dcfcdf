"""Ollama: answers and streams of chat and generate. Durations are in nanoseconds.

A missing `prompt_eval_count` means that the prompt was cached: unknown, not 0.
"""

from __future__ import annotations

from typing import Any

from streams.formats.assemble import build, join_response
from streams.formats.documents import documents_in
from streams.formats.format import Context, Format
from streams.formats.response_body import read_response
from streams.formats.times import epoch_s
from streams.formats.values import Fields, amount
from streams.record import ApiRequest

EXAMPLE = (
    b'{"model":"m-small","created_at":"2026-03-01T08:00:00.500000000Z","message":{"role":'
    b'"assistant","content":"Wren."},"done":true,"done_reason":"stop","total_duration":750000000,'
    b'"prompt_eval_count":11,"eval_count":3}'
)


def recognises(obj: Any) -> bool:
    """Chunks with `done`, alone, in a list or as JSON lines."""
    if isinstance(obj, str):
        if obj.lstrip()[:1] != "{" or '"done"' not in obj:
            return False
        return recognises(documents_in(obj)[0])
    if isinstance(obj, list):
        return bool(obj) and all(recognises(entry) for entry in obj)
    return (
        isinstance(obj, dict)
        and isinstance(obj.get("done"), bool)
        and "model" in obj
        and ("message" in obj or "response" in obj or "eval_count" in obj)
    )


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a finished answer; chunks before the last give none alone."""
    if isinstance(obj, str):
        return decode(documents_in(obj)[0], context)
    chunks: list[dict[str, Any]] = obj if isinstance(obj, list) else [obj]
    answers: list[list[dict[str, Any]]] = [[]]
    for chunk in chunks:
        answers[-1].append(chunk)
        if chunk.get("done") is True:
            answers.append([])
    return [_read(answer, context) for answer in answers if answer and answer[-1].get("done")]


def _read(chunks: list[dict[str, Any]], context: Context) -> ApiRequest:
    fields: Fields = {"source": "ollama", "provider": "ollama"}
    last = chunks[-1]
    response = read_response(chunks if len(chunks) > 1 else last)
    join_response(fields, response)
    fields.setdefault("stream", len(chunks) > 1)
    when = epoch_s(last.get("created_at"), "created_at")
    if when is not None:
        fields["event_time_s"] = when
    if (spent := amount(last.get("total_duration"), "total_duration")) is not None:
        fields["latency_ms"] = spent / 1e6
    context.put_account(last, fields, "user", "account")
    return build(fields)


FORMAT = Format("ollama", recognises, decode, EXAMPLE)
