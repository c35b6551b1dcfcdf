"""What a worker itself writes to the control topic: its policy at first start, and markers."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from detector.control import (
    MAX_RESULTS,
    Applied,
    ControlRecord,
    PolicySwitch,
    Result,
    control_record,
)
from detector.control_book import ControlBook
from detector.shard import Shard
from detector.worker_settings import WorkerSettings
from streams.envelope import derived_id
from streams.log import OutputRecord

log = structlog.get_logger()


class ControlNotes:
    """Makes the records; the caller writes them."""

    def __init__(self, settings: WorkerSettings, now_s: Callable[[], float]) -> None:
        """`now_s`: UTC epoch seconds, for the audit only."""
        self._settings = settings
        self._now_s = now_s

    def first_policy(self, book: ControlBook, stamp: str) -> OutputRecord | None:
        """Switches to the policy of the settings, whose stamp this is; None when one is in force.

        Says so when that is another one.
        """
        present = book.last_policy()
        if present is None:
            switch = PolicySwitch(
                by=self._settings.member_id,
                reason="the policy of the settings, at first start",
                text=self._settings.policy_text,
                stamp=stamp,
            )
            return self._record(switch, derived_id("policy", self._settings.group, stamp))
        if present.stamp != stamp:
            log.warning(
                f"policy {present.stamp} is in force, not {stamp} of the settings; "
                "switch with `stillwatch policy apply FILE`"
            )
        return None

    def markers(self, shard: Shard, results: list[Result]) -> list[OutputRecord]:
        """Where switches took effect in a partition: before the next record of the shard."""
        made = []
        for start in range(0, len(results), MAX_RESULTS):
            some = tuple(results[start : start + MAX_RESULTS])
            body = Applied(
                group=self._settings.group,
                topic=shard.at.topic,
                partition=shard.at.partition,
                before_offset=shard.next_offset,
                results=some,
            )
            event_id = derived_id(
                "applied", body.group, body.topic, body.partition, body.before_offset,
                some[0].offset, len(some),
            )  # fmt: skip
            made.append(self._record(body, event_id))
        return made

    def _record(self, body: ControlRecord, event_id: str) -> OutputRecord:
        return control_record(body, event_id=event_id, at_s=self._now_s())
