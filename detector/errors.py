"""Errors of the detector package: one root, few subclasses, each carrying its fields."""

from __future__ import annotations

from streams.errors import TooManyBadRecords


class DetectorError(Exception):
    """Root of every error raised by `detector`; the message is a sentence that says what to do."""


class ModelError(DetectorError):
    """A model or its card is missing, damaged or does not fit this release."""

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}; {remedy}")


class PolicyError(DetectorError):
    """The policy file cannot be read or holds a wrong value."""

    def __init__(self, path: str, field: str, problem: str) -> None:
        self.path, self.field = path, field
        where = f" at {field}" if field else ""
        super().__init__(
            f"{path}{where}: {problem}; correct the file and check it with "
            "`stillwatch policy check`"
        )


class BadTopic(DetectorError):
    """Too many records of a partition cannot be read. `error` is a streams.TooManyBadRecords."""

    def __init__(self, topic: str, partition: int, error: TooManyBadRecords) -> None:
        self.topic, self.partition, self.error = topic, partition, error
        super().__init__(
            f"topic {topic}, partition {partition}: {error} Nothing of this batch was committed; "
            "if these records are to go to stillwatch.deadletters all the same, start with "
            "--bad-ratio-cap 1."
        )
