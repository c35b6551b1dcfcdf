"""A consumer group of the in-process log: who owns which partition, and what is committed.

Cooperative and sticky, as Kafka's CooperativeStickyAssignor: members keep what they own as far as
the shares stay even, and a partition is free for its next owner only once the last one gave it up.
The caller (`streams.memory_log`) holds the log's lock.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.log import LogError, TopicPartition


class MemoryGroup:
    """State of one group. `committed` holds the offset of the next record to handle."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.generation = 0
        self.members: dict[str, tuple[TopicPartition, ...]] = {}
        self.owners: dict[TopicPartition, str] = {}
        self.committed: dict[TopicPartition, int] = {}
        self._target: dict[TopicPartition, str] = {}
        self._ever_read: set[TopicPartition] = set()

    def join(self, member_id: str, wanted: Sequence[TopicPartition]) -> None:
        """Adds a member that reads `wanted`. Raises LogError when the name is taken."""
        if member_id in self.members:
            raise LogError(f"group {self.group_id!r} has a member {member_id!r} already")
        self.members[member_id] = tuple(wanted)
        self._ever_read.update(wanted)
        self._assign()

    def leave(self, member_id: str) -> None:
        """Removes a member; what it owned is free at once."""
        del self.members[member_id]
        self.owners = {tp: owner for tp, owner in self.owners.items() if owner != member_id}
        self._assign()

    def reads(self, partition: TopicPartition) -> bool:
        """Whether some member has ever read it: its records wait for this group's commits."""
        return partition in self._ever_read

    def to_revoke(self, member_id: str) -> list[TopicPartition]:
        """What the member owns and must give up."""
        return sorted(
            tp
            for tp, owner in self.owners.items()
            if owner == member_id and self._target.get(tp) != member_id
        )

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """The owner has given these up."""
        for tp in partitions:
            del self.owners[tp]

    def claim(self, member_id: str) -> list[TopicPartition]:
        """Takes for the member what is meant for it and free; returns that."""
        free = sorted(
            tp
            for tp, target in self._target.items()
            if target == member_id and tp not in self.owners
        )
        self.owners.update(dict.fromkeys(free, member_id))
        return free

    def _assign(self) -> None:
        """New targets. Even shares a topic; the larger shares go to those who own most of it."""
        self.generation += 1
        self._target = {}
        for topic in sorted({tp.topic for wanted in self.members.values() for tp in wanted}):
            partitions = sorted(
                {tp for wanted in self.members.values() for tp in wanted if tp.topic == topic}
            )
            readers = sorted(
                member
                for member, wanted in self.members.items()
                if any(tp.topic == topic for tp in wanted)
            )
            owned = {
                member: [tp for tp in partitions if self.owners.get(tp) == member]
                for member in readers
            }
            share, larger = divmod(len(partitions), len(readers))
            by_size = sorted(readers, key=lambda member: (-len(owned[member]), member))
            quota = {member: share + (i < larger) for i, member in enumerate(by_size)}
            for member in readers:
                for tp in owned[member][: quota[member]]:
                    self._target[tp] = member
                    quota[member] -= 1
            rest = (tp for tp in partitions if tp not in self._target)
            for member in readers:
                for _ in range(quota[member]):
                    self._target[next(rest)] = member
