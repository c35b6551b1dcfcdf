"""Recent event ids of a partition: a record that comes twice counts once."""

from __future__ import annotations

from streams.record import ApiRequest


class RecentIds:
    """The last `size` event ids; the oldest is forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: dict[str, None] = {}

    def seen(self, request: ApiRequest) -> bool:
        """Whether the id came before under the same account; remembers it otherwise."""
        name = f"{request.event_id}\0{request.account}\0{request.tenant}"
        ids = self._ids
        if name in ids:
            return True
        ids[name] = None
        if len(ids) > self._size:
            del ids[next(iter(ids))]
        return False
