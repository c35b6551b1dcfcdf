"""The composed day that every measurement reads, as native JSON and OpenAI-shaped records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from detector.pipeline import Models, load_models
from detector.policy import Policy, default_policy_path, load_policy
from streams.files import FileRecord, read_files
from streams.record import ApiRequest
from streams.traffic.day import compose_day

MODEL_DIR = Path(__file__).parents[2] / "models" / "artifacts"


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """Two files of the same requests, one JSON object a line."""

    native: Path
    openai: Path


def record_day(folder: Path, seed: int = 1) -> RecordedDay:
    """Composes a day and writes it into `folder`, without the data folder: the same everywhere."""
    day = RecordedDay(folder / "native.jsonl", folder / "openai.jsonl")
    requests = compose_day(seed).requests
    encode = msgspec.json.Encoder().encode
    day.native.write_bytes(b"".join(encode(request) + b"\n" for request in requests))
    day.openai.write_bytes(b"".join(encode(as_capture(r)) + b"\n" for r in requests))
    return day


def as_capture(request: ApiRequest) -> dict[str, Any]:
    """The request as a gateway logs it: OpenAI's request body, its response, and who asked."""
    messages = [{"role": m.role, "content": m.text} for m in request.messages or ()]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    body = {
        "model": request.model,
        "messages": messages,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "stream": request.stream,
        "n": request.n,
        "logprobs": request.logprobs,
        "user": request.end_user,
    }
    answer = {"role": "assistant", "content": request.output_text or ""}
    return {
        "ts": request.event_time_s,
        "account": request.account,
        "path": "/v1/chat/completions",
        "client_ip": request.client_ip,
        "user_agent": request.user_agent,
        "body": {name: value for name, value in body.items() if value is not None},
        "response": {
            "id": request.event_id,
            "status": request.status if isinstance(request.status, int) else 200,
            "choices": [{"index": 0, "finish_reason": "stop", "message": answer}],
            "usage": {
                "prompt_tokens": request.input_tokens or 0,
                "completion_tokens": request.output_tokens or 0,
            },
        },
        "latency_s": (request.latency_ms or 0.0) / 1000.0,
    }


def read_requests(path: Path) -> list[ApiRequest]:
    """The native file's requests, typed."""
    decode = msgspec.json.Decoder(ApiRequest).decode
    return [decode(record.value) for record in read_files([path])]


def batches(path: Path, size: int = 5000) -> Iterator[list[FileRecord]]:
    """The file's records in batches, as a consumer would poll them."""
    batch: list[FileRecord] = []
    for record in read_files([path]):
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def released() -> tuple[Models, Policy]:
    """The released models and the default policy."""
    return load_models(MODEL_DIR), load_policy(default_policy_path())


def in_memory(values: list[bytes], times_s: list[float]) -> list[FileRecord]:
    """Records as if read from a file, for measurements that leave reading out."""
    return [
        FileRecord("bench", line, len(value), value, at)
        for line, (value, at) in enumerate(zip(values, times_s, strict=True), 1)
    ]
