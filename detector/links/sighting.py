"""A sighting: one account showed one link key. It is what workers tell the cohort role."""

from __future__ import annotations

import msgspec


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One account under one link key, as it stood after one of its requests.

    Counts are totals since the account was first seen, so a lost or repeated sighting of an account
    is mended by its next one. It holds no text: a link key and an item are 64-bit hashes.

    Attributes:
        tenant, account: who.
        organisation: the account's organisation, None where the log has none.
        kind: name of the link kind (`detector.links.KINDS`).
        key: the link key, 16 hex digits.
        at_s: event time of the request, UTC epoch seconds.
        requests: requests of the account so far.
        one_shot: those of them that were one question without history.
        under: requests of the account under this link key so far.
        items: at most eight hashes of what it asked under this key: the smallest ones so far, so
            that two accounts which ask the same items show the same hashes.
        n_items: different items under this key so far, as far as the row remembers.
        keys: API keys that the account used so far, counted to 8; None where the log has none.
        foreign: requests whose replayed history the account never wrote itself.
        failed: attempts that failed in a row just now: an account that is blocked has some.
        event_id: of the request.
        first_s: event time of the account's first request.
        created_s: when the account was made; None where the log does not say.
        p_value: of the account's last scoring; None before the first.
        text: mean extraction logit of its new user pieces; None where none was read.
        system: the same of its last new system prompt.
        pause: mean log of its pauses in seconds; `pause_spread`: their standard deviation.
        until_s: of a person's word (`detector.links.cleared`): when it ends.
        level: verdict in force on the account itself, beside any of a campaign.
    """

    tenant: str
    account: str
    organisation: str | None
    kind: str
    key: str
    at_s: float
    requests: int
    one_shot: int
    under: int
    items: tuple[int, ...]
    n_items: int
    keys: int | None
    foreign: int
    failed: int
    event_id: str
    first_s: float
    created_s: float | None
    p_value: float | None
    level: str
    text: float | None = None
    system: float | None = None
    pause: float | None = None
    pause_spread: float | None = None
    until_s: float | None = None
