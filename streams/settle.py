"""The last step of intake: every record, of whatever format, is checked and brought to one state.

Texts are cut at the limit on a character boundary, identities are replaced, and the event id is
derived from content where the log gave none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import msgspec

from streams.errors import MalformedRecord
from streams.privacy import Privacy
from streams.record import EARLIEST_S, LATEST_S, MAX_COUNT, MAX_NAME_CHARS, ApiRequest

_TEXTS = ("system", "tools", "output_text", "response_format")
_IDS = (
    "account",
    "organisation",
    "key",
    "provider",
    "model",
    "model_served",
    "endpoint",
    "user_agent",
    "error_code",
    "refusal_category",
    "finish_reason_raw",
    "event_id",
)
_COUNTS = (
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "n_messages",
    "tool_count",
    "output_chars",
)
_MEASURES = (
    "temperature",
    "top_p",
    "latency_ms",
    "ttft_ms",
    "cost_usd",
    "plan_limit",
    "account_created_s",
    "event_time_s",
)


class Settler:
    """Settles records for one tenant."""

    def __init__(self, privacy: Privacy, tenant: str, max_text_bytes: int) -> None:
        self._privacy = privacy
        self._tenant = tenant
        self._most = max_text_bytes
        self._encode = msgspec.json.Encoder().encode

    def settle(self, request: ApiRequest, record_time_s: float | None) -> ApiRequest:
        """The same record, settled.

        Raises:
            MalformedRecord: a time or number out of range, naming the field.
        """
        self._check(request)
        for name in _IDS:
            value = getattr(request, name)
            if value is not None and len(value) > MAX_NAME_CHARS:
                setattr(request, name, value[:MAX_NAME_CHARS])
        self._cut_all(request)
        if request.tenant == "default":
            request.tenant = self._tenant
        self._replace_identities(request)
        if not request.event_id:
            request.event_id = self._content_id(request, record_time_s)
        return request

    def settle_run(self, requests: Sequence[ApiRequest]) -> None:
        """Settles records decoded by type, in the few steps that they need: same result.

        The decoder has held counts, times and names to their bounds (`streams.record`), JSON holds
        no NaN, and a record no longer than one text may be holds no text to cut. Each has an event
        time and an event id.
        """
        tenant = self._tenant
        for request in requests:
            if request.tenant == "default":
                request.tenant = tenant
            self._replace_identities(request)

    def _replace_identities(self, request: ApiRequest) -> None:
        privacy = self._privacy
        if (account := request.account) is not None:
            request.account = privacy.names[account]
        if (key := request.key) is not None:
            request.key = privacy.names[key]
        if (end_user := request.end_user) is not None:
            request.end_user = privacy.pseudonyms[end_user]
        if (address := request.client_ip) is not None:
            request.client_ip, network = privacy.addresses[address]
            if request.network is None:
                request.network = network

    def _check(self, request: ApiRequest) -> None:
        when = request.event_time_s
        if when is not None and not EARLIEST_S <= when <= LATEST_S:
            raise MalformedRecord(
                "event_time_s", "a time between the years 2000 and 2200", f"{when:.6g} s"
            )
        for name in _COUNTS:
            value = getattr(request, name)
            if value is not None and not 0 <= value <= MAX_COUNT:
                raise MalformedRecord(name, "a count between 0 and 2**53", str(value))
        for name in _MEASURES:
            value = getattr(request, name)
            if value is not None and not math.isfinite(value):
                raise MalformedRecord(name, "a finite number", str(value))

    def _cut_all(self, request: ApiRequest) -> None:
        most = self._most
        for name in _TEXTS:
            text = getattr(request, name)
            if text is not None and len(text) * 4 > most and (short := cut(text, most)) != text:
                if name == "output_text" and request.output_chars is None:
                    request.output_chars = len(text)
                setattr(request, name, short)
                request.truncated = True
        for message in request.messages or ():
            text = message.text
            if len(text) * 4 > most:
                short = cut(text, most)
                if short != text:
                    message.text = short
                    request.truncated = True

    def _content_id(self, request: ApiRequest, record_time_s: float | None) -> str:
        """32 hex digits over the record's fields.

        Without an event time the log's own time of the record tells two equal requests apart.
        """
        digest = hashlib.blake2b(self._encode(request), digest_size=16)
        if request.event_time_s is None and record_time_s is not None:
            digest.update(repr(record_time_s).encode())
        return digest.hexdigest()


def cut(text: str, most_bytes: int) -> str:
    """The text cut to at most so many bytes of UTF-8, on a character boundary."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most_bytes:
        return text
    return raw[:most_bytes].decode("utf-8", "ignore")
