"""What a log format is: a name, its marks, a decoder and an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.formats.paths import look_up
from streams.formats.span_join import SpanJoin
from streams.formats.values import Fields, identity
from streams.record import ApiRequest

_PLACES = (
    "",
    "headers.",
    "request.headers.",
    "request_headers.",
    "attributes.",
    "metadata.requester_custom_headers.",
)
"""Where a bare name in `account_from` is looked for."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decoder may use beside the record itself.

    `account_from` are the operator's paths to the account, tried before a format's own;
    `record_time_s` is the log's time of the record (epoch seconds); `joins` remembers spans of
    earlier records, so that parent and child of one call become one request.
    """

    account_from: tuple[str, ...] = ()
    record_time_s: float | None = None
    joins: SpanJoin = field(default_factory=SpanJoin)

    def put_account(self, raw: object, fields: Fields, *paths: str) -> None:
        """Adds account and `account_path`: the first path of `raw` that holds an id.

        An operator's path may also be the bare name of a header.
        """
        for path in self.account_from:
            for place in _PLACES if "." not in path else ("",):
                found = identity(look_up(raw, place + path))
                if found is not None:
                    fields["account"] = found
                    fields["account_path"] = place + path
                    return
        for path in paths:
            found = identity(look_up(raw, path))
            if found is not None:
                fields["account"] = found
                fields["account_path"] = path
                return


@dataclass(frozen=True, slots=True)
class Format:
    """One entry of the registry.

    `recognises(obj)` looks at marks only and never raises; `decode(obj, context)` returns the
    requests in the record (none for control messages) or raises `MalformedRecord`. `example` is
    one good record of the format, invented.
    """

    name: str
    recognises: Callable[[Any], bool]
    decode: Callable[[Any, Context], list[ApiRequest]]
    example: bytes
