"""Recent event ids of a partition: a record that comes twice counts once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streams.record import ApiRequest

EventName = tuple[str, str | None, str]
"""Event id, account, tenant."""


class RecentIds:
    """The last `size` event ids; the oldest is forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: set[EventName] = set()
        self._order: deque[EventName] = deque()  # a dict alone would search for its oldest entry

    def dump(self) -> list[EventName]:
        """All that is remembered, oldest first."""
        return [*self._order]

    def load(self, names: Iterable[EventName]) -> None:
        """Remembers a dump, or as much of its end as is kept here, in place of what was known."""
        kept = deque(names, maxlen=self._size)
        self._order = deque(kept)  # without a bound: `fresh` forgets by itself
        self._ids = set(self._order)

    def fresh(self, requests: Iterable[ApiRequest]) -> list[bool]:
        """For each request: whether its id is new under its account. Remembers them all."""
        ids, order, size = self._ids, self._order, self._size
        out = []
        for request in requests:
            name = (request.event_id, request.account, request.tenant)
            new = name not in ids
            out.append(new)
            if new:
                ids.add(name)
                order.append(name)
                if len(order) > size:
                    ids.remove(order.popleft())
        return out
