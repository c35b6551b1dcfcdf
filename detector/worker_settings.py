"""How a worker runs."""

from __future__ import annotations

from dataclasses import dataclass

from detector.member_settings import MemberSettings


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """When and how a worker writes snapshots of its partitions.

    Attributes:
        changed_every_s: a partition's changed rows are written so often,
        full_every_s: all its rows so often.
        most_links: changed ones on top of one full one.
        most_link_share: all of them may hold so many times the bytes of a full one: more would be
            longer to read than a full one is to write.
        slice_bytes: rows are copied in slices of about that size,
        slice_s: for about so long a turn.
        most_early_bytes: a cut is given up when so many bytes wait that had to be copied early.
        write_limit_s: a snapshot that takes longer is given up, as one whose store does not answer.
        load_limit_s: so long a take-over waits for the store before it replays the log instead.
        last_bytes: a partition that goes is written once more if its changes are no larger,
        last_s: and all that go together take no longer.
    """

    changed_every_s: float = 30.0
    full_every_s: float = 600.0
    most_links: int = 64
    most_link_share: float = 1.0
    slice_bytes: int = 4 << 20
    slice_s: float = 0.005
    most_early_bytes: int = 512 << 20
    write_limit_s: float = 300.0
    load_limit_s: float = 120.0
    last_bytes: int = 128 << 20
    last_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(MemberSettings):
    """Settings of one worker.

    Attributes:
        topic: the input topic.
        policy_text: the policy file's text; the first worker of a deployment switches to it.
        batch_limit_s: batches are made smaller when they take longer; a part of the time after
            which a member that does not poll loses its partitions.
        control_every_s: how often the control topic is asked for news.
    """

    topic: str
    policy_text: str
    batch_limit_s: float = 75.0
    control_every_s: float = 0.5
