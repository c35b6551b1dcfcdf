"""How `stillwatch rekey` runs."""

from __future__ import annotations

from dataclasses import dataclass

from streams.topics import MAX_INPUT_BYTES


@dataclass(frozen=True, slots=True)
class RekeySettings:
    """Settings of one rekeyer.

    Attributes:
        source: topic of the records that are not keyed by account.
        target: the input topic of the workers.
        group: the workers' consumer group; this role's is named after it.
        member_id: unique in the group; the same again after a restart ends what the one before left
            open.
        batch_records: records taken into one transaction at most.
        bad_ratio_cap: share of unreadable records of a partition (0 to 1) that stops it.
        max_record_bytes: largest record that is written, its key and headers included.
        poll_s: how long a poll waits for records.
        lag_every_s: how often the ends of the partitions are asked for.
        retry_s: wait before a full log is tried again.
        stuck_after_s: a partition that has records and is not read for so long is taken up by a new
            consumer.
        give_up_s: so long it tries on after an error that is neither a log that does not answer nor
            a group that threw it out.
    """

    source: str
    target: str
    group: str
    member_id: str
    batch_records: int = 2000
    bad_ratio_cap: float = 0.5
    max_record_bytes: int = MAX_INPUT_BYTES
    poll_s: float = 0.2
    lag_every_s: float = 5.0
    retry_s: float = 0.2
    stuck_after_s: float = 30.0
    give_up_s: float = 60.0
