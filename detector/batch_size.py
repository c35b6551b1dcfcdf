"""How many records a worker takes at once, so that it polls again in time."""

from __future__ import annotations

_FASTER = 2.0
"""A batch may be so many times as large as the one before."""


class BatchSize:
    """Keeps a batch within `limit_s`, whatever a record costs.

    A member that does not poll for max_poll_interval_s loses its partitions; with a model on a slow
    disk, or records of megabytes, a batch of the usual size may take longer than that.
    """

    def __init__(self, most: int, limit_s: float) -> None:
        """most: records at most; limit_s: what a batch may take, well below the poll interval."""
        self.most = most
        self.now = most
        """Records to ask for."""
        self._limit_s = limit_s

    def took(self, records: int, seconds: float) -> None:
        """Learns from a batch, also from one that was not committed."""
        if not records:
            return
        fitting = self.most if seconds <= 0.0 else int(self._limit_s * records / seconds)
        self.now = max(1, min(self.most, fitting, int(self.now * _FASTER)))
