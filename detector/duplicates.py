"""Recent event ids of a partition: a record that comes twice counts once."""

from __future__ import annotations

from collections import deque

from streams.record import ApiRequest


class RecentIds:
    """The last `size` event ids; the oldest is forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: set[str] = set()
        self._order: deque[str] = deque()  # a dict alone would search for its oldest entry

    def seen(self, request: ApiRequest) -> bool:
        """Whether the id came before under the same account; remembers it otherwise."""
        name = f"{request.event_id}\0{request.account}\0{request.tenant}"
        ids = self._ids
        if name in ids:
            return True
        ids.add(name)
        self._order.append(name)
        if len(ids) > self._size:
            ids.remove(self._order.popleft())
        return False
