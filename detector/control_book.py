"""What the control topic says: every switch, and where each took effect in each partition."""

from __future__ import annotations

from dataclasses import dataclass

from detector.control import (
    CONTROL_PARTITION,
    MAX_REFUSAL_CHARS,
    Applied,
    Assigned,
    PolicySwitch,
    SwitchRecord,
    read_control,
)
from streams.errors import MalformedRecord
from streams.log import LogReader, TopicPartition

READ_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Command:
    """A control record that asks for something.

    Attributes:
        offset: where it stands on the control topic.
        switch: None when the record cannot be read; `unreadable` says why.
    """

    offset: int
    switch: SwitchRecord | None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A command that took effect, or was refused, before input offset `before_offset`."""

    command: Command
    before_offset: int
    refused: bool


@dataclass(frozen=True, slots=True)
class _Mark:
    before_offset: int
    refused: bool


class ControlBook:
    """All control records read so far, for the workers of one group.

    Attributes:
        commands: every command in the order of the topic.
    """

    def __init__(self, reader: LogReader, group: str) -> None:
        """`reader` reads the control topic's one partition, from its start."""
        self.commands: list[Command] = []
        self._reader = reader
        self._group = group
        self._marks: dict[TopicPartition, dict[int, _Mark]] = {}
        self._tokens: set[str] = set()

    def read(self, timeout_s: float = 0.0) -> None:
        """Takes in what was written since. Waits at most `timeout_s` when nothing was."""
        while records := self._reader.poll(READ_RECORDS, timeout_s):
            timeout_s = 0.0
            for record in records:
                try:
                    body = read_control(record)
                except MalformedRecord as error:
                    self.commands.append(Command(record.offset, None, str(error)))
                    continue
                if isinstance(body, Applied):
                    self._mark(body)
                elif isinstance(body, Assigned):
                    self._tokens.add(body.token)
                else:
                    self.commands.append(Command(record.offset, body))

    def read_to_end(self, timeout_s: float) -> None:
        """Takes in all that is committed at the moment of the call; waits `timeout_s` a read."""
        end = self._reader.end_offsets()[CONTROL_PARTITION]
        while self._reader.positions()[CONTROL_PARTITION] < end:
            self.read(timeout_s)

    def saw(self, token: str) -> bool:
        """Whether an `Assigned` record with this token was read; it is then forgotten."""
        if token in self._tokens:
            self._tokens.clear()
            return True
        return False

    def last_policy(self) -> PolicySwitch | None:
        """The policy that was switched to last, None while none was."""
        for command in reversed(self.commands):
            if isinstance(command.switch, PolicySwitch):
                return command.switch
        return None

    def past(self, partition: TopicPartition, committed: int | None) -> list[Past]:
        """What was applied up to the committed offset, in order; nothing when that is None.

        A marker past the committed offset belongs to a run that an operator took back by resetting
        the group's offsets: its commands count as not applied. Of two markers of one command the
        later one holds.
        """
        if committed is None:
            return []
        by_offset = {command.offset: command for command in self.commands}
        found = [
            Past(by_offset[offset], mark.before_offset, mark.refused)
            for offset, mark in self._marks.get(partition, {}).items()
            if mark.before_offset <= committed and offset in by_offset
        ]
        return sorted(found, key=lambda past: past.before_offset)

    def close(self) -> None:
        """Gives the reader up."""
        self._reader.close()

    def _mark(self, applied: Applied) -> None:
        if applied.group != self._group:
            return
        marks = self._marks.setdefault(TopicPartition(applied.topic, applied.partition), {})
        for result in applied.results:
            marks.pop(result.offset, None)  # the later marker also stands later in the order
            marks[result.offset] = _Mark(applied.before_offset, result.refused is not None)


def refusal(reason: str) -> str:
    """A reason as a marker holds it: one line, cut."""
    return " ".join(reason.split())[:MAX_REFUSAL_CHARS]
