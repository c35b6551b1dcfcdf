"""Plain words for the names of feature groups, features, cues and components."""

from __future__ import annotations

from typing import Final

GROUP_WORDS: Final[dict[str, str]] = {
    "intent": "what the requests ask for",
    "template": "what the system prompts read like",
    "frames": "many new items under one reused frame that reads like a harvest",
    "elicitation": "asking for the model's own reasoning",
    "cues": "wording of the requests",
    "diversity": "variety of the prompts",
    "harvest": "how much is taken out",
    "rate": "rhythm of the requests",
    "credentials": "keys, networks and clients",
    "clients": "networks and clients",
    "workload": "kind of use",
    "encoder": "what the requests mean",
}
"""Feature group -> what it looks at."""

FEATURE_WORDS: Final[dict[str, str]] = {
    # intent
    "extraction_logit": "likeness of the wording to a harvest (log-odds)",
    "extraction_spread": "unevenness of the likeness of the wording to a harvest",
    "extraction_high": "share of pieces that read like part of a harvest",
    "extraction_low": "share of pieces that read like ordinary use",
    "thinking_tag_share": "share of pieces that name a thinking tag",
    "system_extraction": "likeness of the system prompt to a harvest (log-odds)",
    "system_elicitation": "how much the system prompt asks for the model's own reasoning",
    "hot_frame_logit": "likeness to a harvest of the frame that reads most like one (log-odds)",
    "hot_frame_share": "share of prompts under that frame",
    "hot_frame_one_shot": "share of requests under that frame without any follow-up",
    # diversity
    "distinct_share": "share of prompts never asked before",
    "near_duplicate_share": "share of prompts nearly equal to a recent one",
    "frame_share": "share of the text that is the same frame each time",
    "opening_share": "share of prompts with the most used opening or closing words",
    "slot_sweep": "new items put into one and the same frame",
    "item_tokens": "length of the items inside the frame",
    "piece_tokens": "length of the prompts",
    "coverage": "evenness with which the items cover what can be asked",
    "spread": "spread of the items over directions of meaning",
    "topic_entropy": "evenness over topics",
    "topic_stickiness": "tendency to stay on one topic",
    # harvest
    "one_shot_share": "share of requests without any follow-up",
    "resample_share": "share of prompts sent again after an answer",
    "output_input_ratio": "output tokens for each input token (logarithm)",
    "output_tokens": "output tokens an answer (logarithm)",
    "saturated_share": "share of answers that reach the allowed length",
    "refused_share": "share of answers refused",
    "fan_out": "answers asked for in one request (logarithm)",
    "logprob_probe_share": "share of requests that probe the probabilities of tokens",
    "inline_tag_share": "share of answers that keep to a demanded reasoning tag",
    "zero_temperature_share": "share of requests at temperature 0",
    "structured_share": "share of requests with a fixed answer format",
    "graded_short_share": "share of short answers that grade a text",
    # rate
    "gap_regularity": "unevenness of the pauses between requests",
    "log_gap_spread": "spread of the pauses between requests",
    "gap_autocorrelation": "likeness of each pause to the one before",
    "day_flatness": "evenness over the hours of the day",
    "longest_idle_h": "longest pause in hours (logarithm)",
    "requests_per_day": "requests a day (logarithm)",
    "ramp_h": "hours from sign-up to the first busy hour (logarithm)",
    # clients
    "end_user_spread": "spread over end users",
    "address_spread": "spread over client addresses",
    "network_spread": "spread over client networks",
    "agent_spread": "spread over client programs",
    "key_spread": "spread over keys",
    # workload
    "effective_requests": "requests seen, old ones fading (logarithm)",
    "tools_share": "share of requests with tools",
    "tool_result_share": "share of requests with results of tools",
    "system_share": "share of requests with a system prompt",
    "history_share": "share of requests with earlier turns",
    "turns": "turns a request",
    "user_bytes": "text in the user's turns (logarithm)",
    "own_material_share": "share of text that is the customer's own material",
    "streamed_share": "share of streamed requests",
    "system_prompts": "number of system prompts (logarithm)",
    "models": "number of models used (logarithm)",
    "failure_share": "share of failed requests",
    # encoder
    "encoder_extraction": "likeness of the meaning to a harvest (log-odds)",
}
"""Feature -> what it measures. A feature that is not here is called by its own name."""

CUE_WORDS: Final[dict[str, str]] = {
    "elicit": "ask the model to lay its own reasoning open",
    "elicitation": "ask the model to lay its own reasoning open",
    "extraction": "read like part of a harvest",
    "generate": "ask for training material",
    "worked": "ask for full worked solutions",
    "prefer": "ask for better and worse answers side by side",
    "grade": "ask for grades of texts",
    "rewrite": "ask for instructions made harder or different",
    "persona": "speak as an invented person",
    "inline_tag": "demand reasoning inside tags",
    "logprob_probe": "probe the probabilities of tokens",
}
"""Cue -> what the pieces that carry it do."""

COMPONENT_WORDS: Final[dict[str, str]] = {
    "system": "the system prompt",
    "tools": "the tool definitions",
    "tool": "tool results",
    "tool_result": "tool results",
    "history": "replayed history",
    "user": "new user turns",
}
"""Component of a request -> its name in a sentence."""


def group_words(name: str) -> str:
    """What a feature group looks at, in words."""
    return GROUP_WORDS.get(name, _spelled(name))


def feature_words(name: str) -> str:
    """What a feature measures, in words."""
    if name in FEATURE_WORDS:
        return FEATURE_WORDS[name]
    intent = name.removeprefix("intent_")
    if intent != name:
        return f"how much the pieces read like the intent {_spelled(intent)}"
    return _spelled(name)


def cue_words(name: str) -> str:
    """What pieces with a cue do, as the end of "3 new pieces …"."""
    return CUE_WORDS.get(name, f"carry the cue {_spelled(name)}")


def component_words(name: str) -> str:
    """Where in a request a cue stood."""
    return COMPONENT_WORDS.get(name, _spelled(name))


def _spelled(name: str) -> str:
    return name.replace("_", " ")
