"""Sightings as they leave a partition, from the rows that `detector.links.seen` filled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detector.links import KINDS
from detector.links.seen import ITEMS
from detector.links.sighting import Sighting
from streams.record import ApiRequest

KNOWN = ("text", "system", "pause", "pause_spread")
"""What may be unknown: NaN in SEEN, None in a sighting."""


def sightings(
    seen: NDArray[np.void],
    requests: Sequence[ApiRequest],
    times_s: NDArray[np.float64],
    p_values: Sequence[float],
    level_at: Callable[[int, str, str], str],
) -> Iterator[Sighting]:
    """A sighting for each row of `seen` (SEEN, shape (s,)), one by one, in log order.

    Args:
        times_s: event times in force, shape (n,).
        p_values: of the account's last scoring up to that event; 0 where there is none.
        level_at: the verdict in force for (event, tenant, account), asked when a row is reached.
    """
    names = (
        "event",
        "kind",
        "key",
        "requests",
        "one_shot",
        "under",
        "foreign",
        "failed",
        "n_items",
    )
    columns = [seen[name].tolist() for name in (*names, "api_keys", "first_s", "items", *KNOWN)]
    times = times_s.tolist()
    for row, p_value in zip(zip(*columns, strict=True), p_values, strict=True):
        (
            event,
            kind,
            key,
            total,
            one_shot,
            under,
            foreign,
            failed,
            n_items,
            bits,
            first_s,
            items,
            *known,
        ) = row
        request = requests[event]
        account = request.account or ""
        yield Sighting(
            tenant=request.tenant,
            account=account,
            organisation=request.organisation,
            kind=KINDS[kind],
            key=f"{key:016x}",
            at_s=times[event],
            requests=total,
            one_shot=one_shot,
            under=under,
            items=tuple(items[: min(n_items, ITEMS)]),
            n_items=n_items,
            keys=bits.bit_count() or None,
            foreign=foreign,
            failed=failed,
            event_id=request.event_id,
            first_s=first_s,
            created_s=request.account_created_s,
            p_value=p_value or None,
            level=level_at(event, request.tenant, account),
            **{name: None if math.isnan(x) else x for name, x in zip(KNOWN, known, strict=True)},
        )
