"""What goes wrong with the alert feed's database."""

from __future__ import annotations

from detector.errors import DetectorError


class StoreError(DetectorError):
    """The database cannot be reached, read or written. `url` has no password in it."""

    def __init__(self, url: str, problem: str) -> None:
        self.url, self.problem = url, problem
        super().__init__(f"alert store {url}: {problem}")


class AnotherTopic(DetectorError):
    """The database was filled from another alerts topic: one that was deleted and made anew."""

    def __init__(self, partition: int, offset: int) -> None:
        self.partition, self.offset = partition, offset
        super().__init__(
            f"the alert at offset {offset} of partition {partition} is not the one that the "
            "database holds: the alerts topic was made anew; name another database"
        )
