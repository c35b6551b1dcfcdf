"""Opaque cursors: where a walk through the pages stands, and which question it belongs to."""

from __future__ import annotations

import base64
import hashlib

import msgspec

from detector.api.problems import BadRequest
from detector.store.alert_query import AlertFilter, Bookmark

_WRONG = (
    "this cursor is not one of ours, or belongs to other filters; take `next_cursor` of the page "
    "before, with the same filters, or leave it out"
)


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    question: str
    bookmark: Bookmark


def write_cursor(wanted: AlertFilter, bookmark: Bookmark) -> str:
    """The text to hand out. It is not secret, and grants nothing: the key's tenant always holds."""
    raw = msgspec.json.encode(_Cursor(_question(wanted), bookmark))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(wanted: AlertFilter, text: str) -> Bookmark:
    """Where to go on. Raises BadRequest for what `write_cursor` did not make for `wanted`."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except ValueError as error:
        raise BadRequest(_WRONG) from error
    if cursor.question != _question(wanted):
        raise BadRequest(_WRONG)
    return cursor.bookmark


def _question(wanted: AlertFilter) -> str:
    return hashlib.blake2b(msgspec.json.encode(wanted), digest_size=8).hexdigest()
