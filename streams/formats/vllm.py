"""vLLM's text log: "Received request ID: prompt: '...', params: SamplingParams(...), ...".

Values are Python literals. The parameter block is taken from the end of the line, since a prompt
can imitate it; newer versions log no prompt.
"""

from __future__ import annotations

import re
from typing import Any

from streams.formats.assemble import build
from streams.formats.format import Context, Format
from streams.formats.params import read_params
from streams.formats.python_text import read_python
from streams.formats.request_body import put_messages
from streams.formats.values import Fields
from streams.record import ApiRequest

EXAMPLE = (
    b"INFO 03-01 08:00:00 [logger.py:39] Received request chatcmpl-9: prompt: 'Name a bird.', "
    b"params: SamplingParams(n=1, temperature=0.5, top_p=1.0, max_tokens=90, logprobs=None), "
    b"prompt_token_ids: None, lora_request: None."
)

_RECEIVED = re.compile(r"Received request (?P<id>[\w.:-]+): ")
_PARAMS = re.compile(r"(?:sampling[ _]params|params): (?=SamplingParams\()")


def recognises(obj: Any) -> bool:
    """vLLM's words for a request it received."""
    return isinstance(obj, str) and _RECEIVED.search(obj[:2000]) is not None


def decode(obj: Any, context: Context) -> list[ApiRequest]:
    """One request a line."""
    text: str = obj
    head = _RECEIVED.search(text)
    if head is None:
        return []
    fields: Fields = {"source": "vllm", "event_id": head.group("id")}
    rest = text[head.end() :]
    blocks = list(_PARAMS.finditer(rest))
    block = blocks[-1] if blocks else None
    if block is not None:
        start = block.end()
        found = read_python(rest[start:])
        if isinstance(found, dict):
            read_params({name: value for name, value in found.items() if name != "stop"}, fields)
    prompt = _prompt(rest[: block.start()] if block is not None else rest)
    if prompt is not None:
        put_messages(prompt, fields)
    raw: dict[str, Any] = {"id": head.group("id")}
    context.put_account(raw, fields)
    return [build(fields)]


def _prompt(text: str) -> str | None:
    """The prompt between "prompt: " and the parameter block: a repr, None, or bare text."""
    if not text.startswith("prompt: "):
        return None
    body = text[len("prompt: ") :].rstrip(", ")
    body = re.sub(r", prefix_pos: \w+$", "", body).rstrip(", ")
    if body.startswith("None"):
        return None
    if body[:1] in ("'", '"'):
        found = read_python(f"({body})")
        if isinstance(found, str):
            return found
        return body.strip("'\"")
    return body or None


FORMAT = Format("vllm", recognises, decode, EXAMPLE)
