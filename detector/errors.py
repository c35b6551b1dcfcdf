"""Errors of the detector package: one root, few subclasses, each carrying its fields."""

from __future__ import annotations


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
