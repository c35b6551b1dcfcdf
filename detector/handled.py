"""What a turn did to one partition: held by the worker until it is committed."""

from __future__ import annotations

from dataclasses import dataclass

from detector.control import Result
from detector.outputs import Outputs
from streams.log import OutputRecord


@dataclass(frozen=True, slots=True)
class Handled:
    """A partition's share of one transaction.

    Attributes:
        records: what is to be written, markers of switches included.
        offset: the first input offset that is not handled yet.
        count: input records in it.
        out, results: what metrics count.
    """

    records: list[OutputRecord]
    offset: int
    count: int
    out: Outputs
    results: list[Result]
