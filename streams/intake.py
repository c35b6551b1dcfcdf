"""Bytes in, requests out: decoding, finding the format, checks, and the removal of identities.

`Intake.read` is the one door for every record; `read_run` takes many at once while they are native,
with one typed decode each straight into `ApiRequest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import msgspec

from streams.errors import MalformedRecord, UnknownFormat
from streams.formats import FORMATS, Context, Format
from streams.formats.inner_records import inner_records
from streams.formats.native import malformed
from streams.formats.span_join import JoinState
from streams.json_bytes import decode_json
from streams.privacy import Privacy
from streams.record import MAX_TEXT_BYTES, ApiRequest
from streams.settle import Settler

READER_FAILED = "a shape that the format's reader foresees"
"""Reason of the dead letter when a reader failed: a bug of ours; the contract suite forbids it."""

_DEEPEST = 4
"""Wrappings inside wrappings that are opened."""


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """How records are read.

    `format` names a registry entry (None: found by its marks); `account_from` are paths to the
    account, tried before the format's own; `hmac_key` replaces end users and addresses;
    `max_text_bytes` bounds one text, `max_record_bytes` one record.
    """

    format: str | None = None
    account_from: tuple[str, ...] = ()
    hmac_key: bytes = b"stillwatch-demo"
    tenant: str = "default"
    max_text_bytes: int = MAX_TEXT_BYTES
    max_record_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class IntakeState:
    """What earlier records left in an intake, as a snapshot keeps it.

    `was_native`: the last record was; `joins`: spans of calls whose other half may come.
    """

    was_native: bool
    joins: JoinState


class Intake:
    """Reads records of one log. Holds decoders, the HMAC cache and the spans seen before."""

    def __init__(self, settings: IntakeSettings | None = None) -> None:
        self.settings = settings or IntakeSettings()
        self._by_name = {entry.name: entry for entry in FORMATS}
        self._set_format: Format | None = None
        if self.settings.format is not None:
            self._set_format = self._by_name.get(self.settings.format)
            if self._set_format is None:
                known = ", ".join(sorted(self._by_name))
                raise MalformedRecord("format", f"one of {known}", self.settings.format)
        self._formats = FORMATS if self._set_format is None else (self._set_format,)
        self._context = Context(account_from=self.settings.account_from)
        self._native = msgspec.json.Decoder(ApiRequest)
        self._try_native = not self.settings.account_from
        self._fast_bytes = min(self.settings.max_text_bytes, self.settings.max_record_bytes)
        self._was_native = self.settings.format == "native"
        self._settler = Settler(
            Privacy(self.settings.hmac_key), self.settings.tenant, self.settings.max_text_bytes
        )

    def read(self, value: bytes, *, record_time_s: float | None) -> list[ApiRequest]:
        """The requests in one record; none for control messages and plain HTTP entries.

        Raises:
            MalformedRecord: not readable, or a field that is not what it must be.
            UnknownFormat: readable, but of no known format.
        """
        return self.read_named(value, record_time_s=record_time_s)[1]

    def read_run(self, values: Sequence[bytes], start: int = 0) -> list[ApiRequest]:
        """The requests of the values from `start` on, one each, as far as all are native records.

        The same as `read` gives for each, at less cost; `read` tells what the next value is.
        """
        run: list[ApiRequest] = []
        if not (self._was_native and self._try_native):
            return run
        decode, most = self._native.decode, self._fast_bytes
        try:
            for value in islice(values, start, None):
                if len(value) > most:  # it may hold a text to cut
                    break
                request = decode(value)
                if request.event_time_s is None or not request.event_id:
                    break
                run.append(request)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            pass  # the long way finds out what it is
        self._settler.settle_run(run)
        return run

    def read_named(
        self, value: bytes, *, record_time_s: float | None
    ) -> tuple[str, list[ApiRequest]]:
        """As `read`, with the name of the format before the requests."""
        if len(value) > self.settings.max_record_bytes:
            raise MalformedRecord(
                "",
                f"a record of at most {self.settings.max_record_bytes} bytes",
                f"{len(value)} bytes",
            )
        if self._was_native and self._try_native:
            request = self._read_native(value)
            if request is not None:
                return "native", [self._settler.settle(request, record_time_s)]
        try:
            obj = decode_json(value)
            context = replace(self._context, record_time_s=record_time_s)
            entry, requests = self._decode(obj, context, 0)
        except RecursionError:
            raise MalformedRecord("", "JSON of reasonable depth", "deep nesting") from None
        except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError) as error:
            # a shape that no reader foresaw is a dead letter, not the end of the worker
            raise MalformedRecord("", READER_FAILED, type(error).__name__) from error
        self._was_native = entry.name == "native"
        settle = self._settler.settle
        return entry.name, [settle(request, record_time_s) for request in requests]

    def dump(self) -> IntakeState:
        """What the records to come will be read with; its caches change no result."""
        return IntakeState(self._was_native, self._context.joins.dump())

    def load(self, state: IntakeState) -> None:
        """Goes on where another intake of the same settings stood."""
        self._was_native = state.was_native
        self._context.joins.load(state.joins)

    def finish(self) -> list[ApiRequest]:
        """Requests still held back at the end of the log; intake holds nothing back."""
        return []

    def _read_native(self, value: bytes) -> ApiRequest | None:
        """The record if it is native; None when another format must be looked for.

        Unknown fields are passed over by the decoder, so a record of another format could pass:
        only one with our own event time or source is taken.
        """
        try:
            request = self._native.decode(value)
        except msgspec.ValidationError as error:
            if self._set_format is not None:
                raise malformed(error) from None
            return None
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return None
        if request.event_time_s is not None:
            return request
        if self._set_format is not None and (
            request.messages is not None or request.account is not None or request.model is not None
        ):
            return request
        return None

    def _decode(self, obj: object, context: Context, depth: int) -> tuple[Format, list[ApiRequest]]:
        """Finds the format and decodes; wrappings that no format knows are opened first."""
        for entry in self._formats:
            if entry.recognises(obj):
                return entry, entry.decode(obj, context)
        known: Format | None = None
        requests: list[ApiRequest] = []
        if depth < _DEEPEST:
            for inner in inner_records(obj):
                try:
                    known, found = self._decode(inner, context, depth + 1)
                except UnknownFormat:
                    continue  # a plain line beside others of a known format
                requests.extend(found)
        if known is None and self._set_format is not None:
            raise MalformedRecord("", f"a record of format {self._set_format.name}", shape_of(obj))
        if known is None:
            raise UnknownFormat(shape_of(obj))
        return known, requests


def shape_of(obj: object) -> str:
    """A record's outline for an error message: type and first keys, never values."""
    if isinstance(obj, dict):
        return "object with keys " + ", ".join(str(key)[:24] for key in list(obj)[:6])
    if isinstance(obj, list):
        return f"array of {len(obj)}"
    return "text" if isinstance(obj, str) else type(obj).__name__
