"""The account that a raw record belongs to: the key under which it can be judged.

A record is kept as it is, byte for byte, wherever it holds one account. One that holds several is
cut where, and only where, intake reads from the parts together exactly what it reads from the
whole; else it is keyed by its first account and counted. Nothing is remembered from record to
record: the same record has the same keys, whoever reads it and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from streams.errors import MalformedRecord
from streams.formats.documents import documents_in
from streams.formats.format import Context
from streams.formats.span_join import JoinState
from streams.intake import READER_FAILED, Intake, IntakeSettings, IntakeState
from streams.json_bytes import decode_json
from streams.otel_accounts import OtelAccounts
from streams.privacy import Privacy
from streams.record import MAX_NAME_CHARS, ApiRequest

_OTEL = "otel"
_UNFORESEEN = (
    TypeError,
    AttributeError,
    LookupError,
    ValueError,
    ArithmeticError,
    msgspec.MsgspecError,
)
_NOTHING_SEEN = IntakeState(was_native=False, joins=JoinState([], [], [], []))


@dataclass(frozen=True, slots=True)
class KeyedPart:
    """A record's value, or a part of it, and the account that it belongs to."""

    account: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Keyed:
    """What became of a record.

    Attributes:
        parts: empty where the record holds nothing to judge (a health check's span, say).
        mixed: it holds several accounts and could not be cut.
    """

    parts: tuple[KeyedPart, ...]
    mixed: bool = False


class AccountKeys:
    """Finds the accounts of raw records, as an intake of the same settings reads them."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._intake = Intake(settings)
        self._context = Context(account_from=settings.account_from)
        self._privacy = Privacy(settings.hmac_key)
        self._encode = msgspec.json.Encoder().encode

    def keyed(self, value: bytes, *, record_time_s: float | None) -> Keyed:
        """The parts of a record by account.

        Raises MalformedRecord (UnknownFormat): it cannot be read, or tells of requests and of no
        account.
        """
        try:
            return self._keyed(value, record_time_s)
        except RecursionError:
            raise MalformedRecord("", "JSON of reasonable depth", "deep nesting") from None
        except _UNFORESEEN as error:
            # as in intake: a shape that no reader foresaw is a dead letter, not the end of the role
            raise MalformedRecord("", READER_FAILED, type(error).__name__) from error

    def _keyed(self, value: bytes, record_time_s: float | None) -> Keyed:
        name, requests = self._read(value, record_time_s)
        accounts = _accounts(requests)
        spans = None
        tells = bool(requests)
        if name == _OTEL:
            spans = OtelAccounts(decode_json(value), requests, self._context, self._settled)
            # A part of a call, such as an agent's prompt, has an account and is no request yet.
            accounts = list(dict.fromkeys([*accounts, *spans.accounts]))
            tells = tells or spans.tells
        if not accounts:
            if tells:
                raise MalformedRecord(
                    "account", "an account (the setting account_from says where it is)", "none"
                )
            return Keyed(())
        if len(accounts) == 1:
            return Keyed((KeyedPart(accounts[0], value),))
        cut = self._entries(value, record_time_s) if spans is None else spans.cut()
        if cut is not None and self._same(accounts, requests, cut, record_time_s):
            return Keyed(tuple(KeyedPart(account, part) for account, part in cut.items()))
        return Keyed((KeyedPart(accounts[0], value),), mixed=True)

    def _read(self, value: bytes, record_time_s: float | None) -> tuple[str, list[ApiRequest]]:
        self._intake.load(_NOTHING_SEEN)
        return self._intake.read_named(value, record_time_s=record_time_s)

    def _settled(self, account: str) -> str:
        """The account as intake names it: secrets and addresses replaced."""
        return self._privacy.names[account[:MAX_NAME_CHARS]]

    def _entries(self, value: bytes, record_time_s: float | None) -> dict[str, bytes] | None:
        """The entries of an array, or documents one after the other, by account.

        None for other shapes, and where an entry cannot be read alone.
        """
        whole: Any = decode_json(value)
        entries = documents_in(whole)[0] if isinstance(whole, str) else whole
        if not isinstance(entries, list):
            return None
        by_account: dict[str, list[object]] = {}
        homeless: list[object] = []
        for entry in entries:
            try:
                accounts = _accounts(self._read(self._encode(entry), record_time_s)[1])
            except MalformedRecord:
                accounts = []
            if len(accounts) > 1:
                return None
            (by_account.setdefault(accounts[0], []) if accounts else homeless).append(entry)
        if not by_account:
            return None
        next(iter(by_account.values())).extend(homeless)
        if isinstance(whole, str):
            return {a: b"\n".join(map(self._encode, part)) for a, part in by_account.items()}
        return {account: self._encode(part) for account, part in by_account.items()}

    def _same(
        self,
        accounts: list[str],
        requests: list[ApiRequest],
        cut: dict[str, bytes],
        record_time_s: float | None,
    ) -> bool:
        """Whether each account has a part, and these give the requests of the whole."""
        if cut.keys() != set(accounts):
            return False
        found = []
        for account, part in cut.items():
            try:
                some = self._read(part, record_time_s)[1]
            except MalformedRecord:
                return False
            if any(request.account not in (None, account) for request in some):
                return False
            found += some
        return sorted(map(self._encode, found)) == sorted(map(self._encode, requests))


def _accounts(requests: list[ApiRequest]) -> list[str]:
    """Each account once, in order."""
    return list(dict.fromkeys(r.account for r in requests if r.account))
