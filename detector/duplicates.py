"""Recent event ids of a partition: a record that comes twice counts once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streams.record import ApiRequest

_Name = tuple[str, str | None, str]
"""Event id, account, tenant."""


class RecentIds:
    """The last `size` event ids; the oldest is forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: set[_Name] = set()
        self._order: deque[_Name] = deque()  # a dict alone would search for its oldest entry

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
