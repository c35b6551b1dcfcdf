"""The lake role on a log that goes away: told, waited for, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.lake_files import LakeFiles
from detector.lake_role import ASK_EVERY_S, LakeRole, LakeRoleSettings
from detector.lake_run import write_on
from detector.metrics import LakeMetrics
from streams.log import Evicted, LogError, LogRecord, TopicPartition, UnknownTopic, Unreachable
from streams.memory_log import MemoryLog
from tests.detector.test_lake_role import Monotonic, event_ids, ids, new_log, requests_of
from tests.detector.test_worker_faults import Until

N = 60
GONE = Unreachable("no answer")


class Rig:
    """Roles on one log whose next polls, and whose next makings, fail as told; None: it goes well.

    `connected` is what the gauge told before each step.
    """

    def __init__(
        self, folder: Path, polls: list[LogError | None], makes: Sequence[LogError] = ()
    ) -> None:
        self.log = new_log(*requests_of(N))
        self.registry = CollectorRegistry()
        self.metrics = LakeMetrics(self.registry)
        self.connected: list[float | None] = []
        self.stop = Until(self._done)
        self._folder, self._polls, self._makes = folder, polls, [*makes]

    def make(self) -> LakeRole:
        """A member that writes after each poll, or the error that is due."""
        if self._makes:
            raise self._makes.pop(0)
        return self._role()

    def _role(self) -> LakeRole:
        role = LakeRole(
            self.log,
            LakeFiles(self._folder),
            LakeRoleSettings(flush_rows=1, poll_records=7),
            self.metrics,
            member_id="one",
            monotonic_s=Monotonic(),
        )
        poll = role._consumer.poll

        def failing(most: int, timeout_s: float) -> list[LogRecord]:
            error = self._polls.pop(0) if self._polls else None
            if error is not None:
                raise error
            return poll(most, 0.0)

        role._consumer.poll = failing  # type: ignore[method-assign, assignment]
        return role

    def run(self, give_up_s: float = 60.0) -> dict[str, int]:
        """Works until all is committed."""
        return write_on(
            self._role(),
            self.make,
            self.metrics,
            self.stop,
            give_up_s=give_up_s,
            monotonic_s=Monotonic(),
        )

    def rejoins(self, reason: str) -> float | None:
        """How many there were for it."""
        return self.registry.get_sample_value("stillwatch_lake_rejoins_total", {"reason": reason})

    def _done(self) -> bool:
        self.connected.append(self.registry.get_sample_value("stillwatch_lake_log_connected"))
        return not self._polls and not self._makes and _committed(self.log) == N


def _committed(log: MemoryLog) -> int:
    return sum(log._store.groups["stillwatch-lake"].committed.values())


def test_a_log_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """Polls fail twice: the gauge tells it, a new member goes on from what was committed, and
    afterwards every record is in the lake once."""
    rig = Rig(tmp_path, [None, None, None, GONE, None, GONE])
    counts = rig.run()
    assert counts["facts"] >= N
    assert event_ids(tmp_path) == ids(N)
    assert 0.0 in rig.connected
    assert rig.connected[-1] == 1.0
    assert rig.rejoins("Unreachable") == 2.0


def test_connecting_again_takes_as_long_as_it_takes(tmp_path: Path) -> None:
    """No connection for a while: waits grow, and nothing is given up."""
    rig = Rig(tmp_path, [None, GONE], makes=[GONE] * 4)
    rig.run()
    assert rig.stop.waits == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert rig.rejoins("Unreachable") == 5.0
    assert event_ids(tmp_path) == ids(N)


def test_a_member_that_was_thrown_out_joins_anew(tmp_path: Path) -> None:
    """Nobody has its name: what it held is read again."""
    rig = Rig(tmp_path, [None, Evicted("thrown out")])
    rig.run()
    assert rig.rejoins("Evicted") == 1.0
    assert event_ids(tmp_path) == ids(N)


def test_an_error_that_stays_ends_it(tmp_path: Path) -> None:
    """A topic that is gone for longer than give_up_s comes out as it is."""
    rig = Rig(tmp_path, [UnknownTopic("stillwatch.alerts is gone")] * 1000)
    with pytest.raises(UnknownTopic, match="is gone"):
        rig.run(give_up_s=0.0)


def test_a_log_without_news_is_asked_whether_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty polls alone say nothing: after a while without records the ends are asked for."""
    clock, log = Monotonic(), new_log()
    settings, metrics = LakeRoleSettings(), LakeMetrics(CollectorRegistry())
    role = LakeRole(log, LakeFiles(tmp_path), settings, metrics, member_id="one", monotonic_s=clock)
    role.step(0.0)

    def gone() -> dict[TopicPartition, int]:
        raise GONE

    monkeypatch.setattr(role._consumer, "end_offsets", gone)
    role.step(0.0)
    clock.now_s += ASK_EVERY_S
    with pytest.raises(Unreachable):
        role.step(0.0)
