"""The accounts of an OpenTelemetry export, and the export cut into one for each account.

What is one call, or may become one with a later record, is never cut apart: spans of one trace,
units of one response, and a coding agent's prompt and the calls made for it (`otel.ties`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from streams.formats.documents import documents_in
from streams.formats.format import Context
from streams.formats.inner_records import inner_records
from streams.formats.otel import recognises, tells, ties
from streams.formats.otel_fields import ACCOUNTS
from streams.formats.otel_units import Unit, only, units_in
from streams.formats.values import Fields
from streams.record import ApiRequest

_DEEPEST = 4
"""Wrappings around an export that are opened; as intake does."""


class OtelAccounts:
    """What an export (decoded JSON, or documents one after the other) says of accounts.

    Attributes:
        accounts: of the groups that tell of calls, each once, in order.
        tells: whether there is a call in it, or a part of one.
    """

    def __init__(
        self,
        obj: object,
        requests: Sequence[ApiRequest],
        context: Context,
        settled: Callable[[str], str],
    ) -> None:
        """`requests`: what intake reads in it; `settled`: an account as intake names it."""
        self._lines = isinstance(obj, str)
        self._whole = True
        if isinstance(obj, str):
            obj, unreadable = documents_in(obj)
            self._whole = not unreadable
        self._obj: object = obj
        self._account_of: dict[int, str] = {}
        """The account of each leaf (by its object's id) whose group has one."""
        read = {request.event_id: request.account for request in requests if request.account}
        groups = _groups([unit for found in _exports(obj, 0) for unit in units_in(found)])
        self.tells = False
        names: dict[str, None] = {}
        for group in groups:
            account = _account(group, read, context, settled)
            self.tells = self.tells or any(map(tells, group))
            if account is not None:
                names[account] = None
                self._account_of.update({id(unit.leaf): account for unit in group})
        self.accounts = list(names)

    def cut(self) -> dict[str, bytes] | None:
        """An export as JSON for each account; what has none goes with the first.

        None where the export lies in an envelope, which is not taken apart.
        """
        if not (self._whole and recognises(self._obj)):
            return None
        made = {}
        for account in self.accounts:
            part = only(self._obj, partial(self._belongs, account))
            if part is not None and self._lines:
                made[account] = b"\n".join(map(msgspec.json.encode, part))
            elif part is not None:
                made[account] = msgspec.json.encode(part)
        return made

    def _belongs(self, account: str, leaf: dict[str, Any]) -> bool:
        return self._account_of.get(id(leaf), self.accounts[0]) == account


def _exports(obj: object, depth: int) -> list[Any]:
    """The object, or what exports its wrappings hold."""
    if recognises(obj):
        return [obj]
    if depth >= _DEEPEST:
        return []
    return [found for inner in inner_records(obj) for found in _exports(inner, depth + 1)]


def _groups(units: list[Unit]) -> list[list[Unit]]:
    """Units that are tied together, directly or through others; in order of their first."""
    group_of: dict[str, list[Unit]] = {}
    groups: dict[int, list[Unit]] = {}
    for unit in units:
        keys = ties(unit)
        group = [unit]
        tied = {id(found): found for key in keys if (found := group_of.get(key)) is not None}
        if tied:
            group, *others = tied.values()
            group.append(unit)
            for other in others:
                group += other
                del groups[id(other)]
                group_of.update({key: group for key, held in group_of.items() if held is other})
        group_of.update(dict.fromkeys(keys, group))
        groups[id(group)] = group
    return list(groups.values())


def _account(
    group: list[Unit],
    read: Mapping[str, str],
    context: Context,
    settled: Callable[[str], str],
) -> str | None:
    """The account of the group's first request; else of its first unit that tells of a call."""
    for unit in group:
        if (account := read.get(f"{unit.trace_id}/{unit.span_id}")) is not None:
            return account
    for unit in group:
        if tells(unit):
            fields: Fields = {}
            context.put_account(unit.raw, fields, *ACCOUNTS)
            if (found := fields.get("account")) is not None:
                return settled(found)
    return None
