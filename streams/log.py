"""The log: what Stillwatch asks of Kafka, in five protocols and four nouns.

`streams.memory_log` is the in-process twin; a Kafka client fits behind the same protocols. One
behaviour suite (tests/streams/log_behaviour.py) runs on both.

Two offsets a partition, both "the next record", never "the last one":

- The **position** (consumed): the offset of the record that the next `poll` returns first. It
  belongs to one consumer, starts at the committed offset (or at the earliest record when nothing
  was committed) and moves by `poll` and `seek` only.
- The **committed offset**: the offset of the first record that is not yet handled. It belongs to
  the group, outlives every consumer, and moves by `send_transaction` and `commit` only.

Readers are `read_committed`: outputs of a transaction are returned after it committed, all
together, and those of an aborted one never.

Clients are not thread-safe: one thread owns a consumer or producer. Callers pass event times;
only `timeout_s` is real time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.errors import StreamsError

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One partition of a topic: the unit of order, of ownership and of state."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as read from the log.

    `timestamp_s` is the record's own time (UTC epoch seconds, whole milliseconds as in Kafka), not
    the event time inside `value`. A tombstone (Kafka's null value) has an empty `value`.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    timestamp_s: float
    headers: Headers = ()
    tombstone: bool = False


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """A record to be written.

    `value` None is a tombstone. The partition is `partition` where given, else that of
    `partition_key`, else that of `key` (see `streams.partitioner`); a verdict's key is
    `tenant/scope/id` while its partition key is the account. `timestamp_s` as in `LogRecord`.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_s: float
    headers: Headers = ()
    partition_key: bytes | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """Who commits: what a transaction needs to fence a member that lost its partitions (KIP-447).

    `generation` and `member_id` are the broker's; callers hand them on and never read them.
    """

    group_id: str
    generation: int
    member_id: str
    instance_id: str | None = None


class LogError(StreamsError):
    """Root of what a log raises. `topic`, `partition` and `offset` are None where not known."""

    def __init__(
        self,
        message: str,
        *,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        super().__init__(message)


class UnknownTopic(LogError):
    """The topic does not exist, or has no such partition."""


class RecordRefused(LogError):
    """The record can never be written: too large, or a time that no log can store."""


class LogFull(LogError):
    """A bounded partition has no room until its readers commit. Retry after they did."""


class OffsetOutOfRange(LogError):
    """The position is no longer (or not yet) in the log. `seek`, then go on."""


class Fenced(LogError):
    """Another member or producer took over. Drop the partitions' state and rejoin, or exit."""


class GroupMoved(Fenced):
    """The group rebalanced while this was being committed: nothing was written.

    Poll, which takes part in the rebalance; what is then still owned may be committed again.
    """


class Evicted(Fenced):
    """The group threw this member out: it was silent for too long, or somebody removed it.

    Nobody took its name. Drop the partitions' state and join anew with a new consumer.
    """


class Unreachable(LogError):
    """The log does not answer; it may come back."""


class RebalanceListener(Protocol):
    """What a group consumer tells its owner while the owner waits inside `poll`.

    It may come on another thread than the owner's; what it raises comes out of that `poll`.
    """

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions go to another member after this call; committing here still works."""

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are now ours; positions stand at the committed offsets; seek works."""


class LogReader(Protocol):
    """Reads named partitions without a group: rebuilding tables, silent replay."""

    def poll(self, max_records: int, timeout_s: float) -> list[LogRecord]:
        """Up to `max_records` records, in offset order within a partition; moves the positions.

        Waits at most `timeout_s` for the first record; an empty list means that none came.
        Raises OffsetOutOfRange (positions unmoved) when the log no longer holds a position.
        """

    def positions(self) -> dict[TopicPartition, int]:
        """The position of every partition that is read (assigned, for a group consumer)."""

    def end_offsets(self) -> dict[TopicPartition, int]:
        """For the same partitions, the offset that the next committed record will get or pass.

        Asks the log, also where there is no such partition: a poll cannot tell a log without news
        from one that does not answer. Raises Unreachable.
        """

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Sets a position. Raises UnknownTopic when the partition is not among those read."""

    def close(self) -> None:
        """Gives up the connection, and the partitions of a group; commits nothing."""


class LogConsumer(LogReader, Protocol):
    """A member of a consumer group. Joining, revoking and assigning happen inside `poll`.

    `poll` raises Evicted when the group threw this member out (it was silent for too long).
    """

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions this member owns; empty before the first `poll`."""

    def committed(self) -> dict[TopicPartition, int | None]:
        """The group's committed offset of each assigned partition; None where there is none."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commits offsets alone, for consumers without outputs.

        Raises Fenced, and commits nothing, when this member does not own one of the partitions.
        """

    def group_metadata(self) -> GroupMetadata:
        """Identity for `send_transaction`; take it anew for each transaction.

        Raises GroupMoved when there is none that would fence: before the first `poll`, and after
        the group threw this member out.
        """

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """`poll` returns nothing of these until `resume`. A revoked partition forgets the pause."""

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Undoes `pause`."""


class LogProducer(Protocol):
    """Writes records. A producer made with a transactional id only writes in transactions."""

    def send(self, records: Iterable[OutputRecord]) -> None:
        """Writes the records and returns when the log holds them; not atomic over records.

        Raises UnknownTopic, RecordRefused, LogFull; LogError on a transactional producer.
        """

    def send_transaction(
        self,
        outputs: Sequence[OutputRecord],
        offsets: Mapping[TopicPartition, int],
        group: GroupMetadata | None = None,
    ) -> None:
        """Writes all outputs and commits all input offsets of `group`, or does nothing at all.

        `offsets` are the next offsets to handle; they need `group`. When the call returns, both
        are visible. When it raises, neither is: LogFull may be retried with the same arguments;
        RecordRefused and UnknownTopic will come again; after GroupMoved the same may be sent again
        for what is still owned after the next `poll`; after any other Fenced the caller owns
        nothing more. After Unreachable nobody knows: a new producer of the same id settles it.
        LogError on a producer without a transactional id.
        """

    def settle(self, group_id: str, partition: TopicPartition) -> None:
        """Clears what a producer of this id left open in the group's offsets, once before its first
        transaction; `partition` is one that the group reads. Changes no offset.

        LogError on a producer without a transactional id.
        """

    def close(self) -> None:
        """Releases the connection. Nothing is pending between calls."""


class Log(Protocol):
    """Makes clients of one log."""

    def partitions_for(self, topic: str) -> int:
        """Number of partitions. Raises UnknownTopic."""

    def consumer(
        self,
        group_id: str,
        topics: Sequence[str],
        *,
        member_id: str,
        listener: RebalanceListener | None = None,
    ) -> LogConsumer:
        """A new member of the group; `member_id` is unique in it. Raises UnknownTopic."""

    def reader(self, partitions: Sequence[TopicPartition]) -> LogReader:
        """A reader that starts at the earliest record of each partition. Raises UnknownTopic."""

    def producer(self, transactional_id: str | None = None) -> LogProducer:
        """A producer. One with the same `transactional_id` made before is fenced from now on."""
