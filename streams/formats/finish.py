"""Finish reasons of all providers, brought to one small vocabulary; the raw one is kept beside."""

from __future__ import annotations

NORMALISED = {
    "stop": (
        "stop",
        "end_turn",
        "stop_sequence",
        "eos",
        "eos_token",
        "finish",
        "finished",
        "complete",
        "completed",
        "stop_sequence_reached",
        "end",
        "ok",
        "pause_turn",
        "finish_reason_stop",
        "done",
    ),
    "length": (
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_length",
        "max_new_tokens",
        "model_context_window_exceeded",
        "finish_reason_max_tokens",
        "token_limit",
        "context_length",
        "context_window_exceeded",
        "max_tokens_reached",
    ),
    "tool_calls": (
        "tool_calls",
        "tool_use",
        "function_call",
        "tool_call",
        "tool-calls",
        "tools",
        "finish_reason_tool_call",
    ),
    "content_filter": (
        "content_filter",
        "content-filter",
        "content_filtered",
        "safety",
        "guardrail_intervened",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "image_safety",
        "language",
        "error_toxic",
        "sensitive",
        "content_filtering",
        "prompt_blocked",
    ),
    "refusal": ("refusal", "refused"),
    "error": (
        "error",
        "network_error",
        "failed",
        "malformed_function_call",
        "server_error",
        "unexpected_tool_call",
        "insufficient_system_resource",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
    ),
}
_OF_RAW = {raw: name for name, raws in NORMALISED.items() for raw in raws}


def normalised_finish(raw: str | None) -> str | None:
    """One of stop, length, tool_calls, content_filter, refusal, error, other; None if unknown."""
    if raw is None:
        return None
    return _OF_RAW.get(raw.lower(), "other")
