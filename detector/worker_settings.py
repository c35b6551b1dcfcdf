"""How a worker runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of one worker.

    Attributes:
        topic: the input topic.
        group: consumer group; also begins the transactional id.
        member_id: unique in the group; the same again after a restart ends what the one before left
            open.
        policy_text: the policy file's text; the first worker of a deployment switches to it.
        batch_records: records taken into one transaction at most.
        batch_limit_s: batches are made smaller when they take longer; a part of the time after
            which a member that does not poll loses its partitions.
        bad_ratio_cap: share of unreadable records of a partition (0 to 1) that stops the worker.
        poll_s: how long a poll waits for records.
        control_every_s: how often the control topic is asked for news.
        lag_every_s: how often the ends of the partitions are asked for.
        retry_s: wait before a full log is tried again.
        stuck_after_s: a partition that has records and is not read for so long is taken up by a new
            consumer.
        give_up_s: so long a worker tries on after an error that is neither a log that does not
            answer nor a group that threw it out.
    """

    topic: str
    group: str
    member_id: str
    policy_text: str
    batch_records: int = 2000
    batch_limit_s: float = 75.0
    bad_ratio_cap: float = 0.5
    poll_s: float = 0.2
    control_every_s: float = 0.5
    lag_every_s: float = 5.0
    retry_s: float = 0.2
    stuck_after_s: float = 30.0
    give_up_s: float = 60.0
