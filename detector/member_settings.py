"""How a member of a consumer group runs: what the settings of its roles have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """Settings of one member.

    Attributes:
        group: the workers' consumer group; other roles' are named after it.
        member_id: unique in the group; the same again after a restart ends what the one before left
            open.
        batch_records: records taken into one transaction at most.
        bad_ratio_cap: share of unreadable records of a partition (0 to 1) that stops it.
        poll_s: how long a poll waits for records.
        lag_every_s: how often the ends of the partitions are asked for.
        retry_s: wait before a full log is tried again.
        stuck_after_s: a partition that has records and is not read for so long is taken up by a new
            consumer.
        give_up_s: so long it tries on after an error that is neither a log that does not answer nor
            a group that threw it out.
    """

    group: str
    member_id: str
    batch_records: int = 2000
    bad_ratio_cap: float = 0.5
    poll_s: float = 0.2
    lag_every_s: float = 5.0
    retry_s: float = 0.2
    stuck_after_s: float = 30.0
    give_up_s: float = 60.0
