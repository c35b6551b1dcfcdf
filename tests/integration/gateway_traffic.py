"""Traffic as a gateway logs it: OpenAI request bodies with account, address and time beside them.

From the real programs' captures where the data folder is there, else from composed traffic.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streams.record import ApiRequest
from streams.traffic.day import compose_day

CAPTURES = Path(os.environ.get("STILLWATCH_DATA", "../shared")) / "captures"
PROGRAMS = (
    "A_easyinstruct_evol", "A_magicoder_oss", "A_wizardlm_evol", "A_personahub_math",
    "B_openai_node_batch", "B_mtbench_judge", "B_langchain_agent", "B_miniswe_agent",
    "B_litellm_reseller", "B_instructor_extract",
)  # fmt: skip
"""Harvests that are stopped at different steps, and benign programs that resemble them."""

_COMPOSED_EACH = 8

Lines = Mapping[str, list[bytes]]


def gateway_traffic(now_s: float, mark: str) -> Lines:
    """Log lines by account, in order. The last line of each is of `now_s`; `mark` ends each name.

    A line is one JSON object without a raw tab or newline.
    """
    return captured(now_s, mark) if CAPTURES.is_dir() else composed(now_s, mark)


def captured(now_s: float, mark: str) -> Lines:
    """What real programs sent, under names of their own."""
    out = {}
    for program in PROGRAMS:
        with gzip.open(CAPTURES / f"{program}.jsonl.gz", "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        out[f"{program}{mark}"] = _lines(rows, f"{program}{mark}", now_s)
    return out


def composed(now_s: float, mark: str) -> Lines:
    """Some accounts of a composed day: benign ones, and of each campaign."""
    day = compose_day(5, benign_accounts=40)
    kinds: dict[str, list[str]] = defaultdict(list)
    campaigns = {campaign.name for campaign in day.campaigns}
    for account, kind in day.truth.items():
        kinds[kind if kind in campaigns else "benign"].append(account)
    requests: dict[str, list[ApiRequest]] = defaultdict(list)
    for request in day.requests:
        requests[request.account or ""].append(request)
    return {
        f"{account}{mark}": _lines(map(_row, requests[account]), f"{account}{mark}", now_s)
        for accounts in kinds.values()
        for account in accounts[:_COMPOSED_EACH]
    }


def _row(request: ApiRequest) -> dict[str, Any]:
    messages = [{"role": m.role, "content": m.text} for m in request.messages or []]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    body = {
        "model": request.model or "m-large",
        "messages": messages,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "n": request.n,
    }
    return {
        "ts": request.event_time_s or 0.0,
        "path": "/v1/chat/completions",
        "client_ip": "192.0.2.7",
        "user_agent": request.user_agent,
        "body": {name: value for name, value in body.items() if value is not None},
        "response": {
            "status": 200,
            "usage": {
                "prompt_tokens": request.input_tokens,
                "completion_tokens": request.output_tokens,
            },
        },
    }


def _lines(rows: Iterable[dict[str, Any]], account: str, now_s: float) -> list[bytes]:
    kept = list(rows)
    shift_s = now_s - float(kept[-1]["ts"])
    return [
        json.dumps({**row, "account": account, "ts": float(row["ts"]) + shift_s}).encode()
        for row in kept
    ]
