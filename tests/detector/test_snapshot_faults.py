"""Snapshots that are damaged, missing, foreign or of another life, and stores that fail.

Whatever is wrong: no error, never a wrong state, and the log stays enough.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector import snapshot_head
from detector.control import CONTROL_PARTITION
from detector.control_book import ControlBook
from detector.snapshot_head import Mark, Place
from detector.snapshot_names import folder_of
from detector.snapshot_store import SnapshotError, SnapshotStore
from detector.url_files import UrlFiles
from streams.log import TopicPartition
from streams.memory_log import MemoryLog
from tests.detector.snapshot_rig import OFTEN, PATIENT, files, run_to, told, whole_states
from tests.detector.worker_rig import (
    GROUP,
    INPUT,
    drain,
    ends,
    new_log,
    new_worker,
    read_all,
    small_day,
)

ONE = 1
"""These logs have one partition."""

PLACE = Place(GROUP, INPUT, ONE, 0)


def day_log() -> MemoryLog:
    """The day on a topic of one partition."""
    return new_log(small_day(), ONE)


def start(
    log: MemoryLog, folder: Path | str, member: str, size: int = 97
) -> tuple[CollectorRegistry, dict[int, object]]:
    """A worker that runs to the end and is killed: what it told, and all its state."""
    registry = CollectorRegistry()
    worker = new_worker(
        log,
        size=size,
        member=member,
        snapshots=str(folder),
        snapshot_settings=PATIENT,
        registry=registry,
    )
    drain(worker, log=log)
    found: dict[int, object] = dict(whole_states(worker))
    log.expire_member(GROUP, member)
    return registry, found


@cache
def wanted() -> dict[int, object]:
    """State at the end of the day without snapshots."""
    log = day_log()
    worker = new_worker(log)
    drain(worker, log=log)
    return dict(whole_states(worker))


@dataclass(frozen=True)
class Life:
    """A log whose worker was stopped three times, and the chain of snapshots that it left."""

    log: MemoryLog
    folder: Path
    chain: list[Path]

    def newest(self, committed: int = 10**9) -> tuple[int | None, int, tuple[str, ...] | None]:
        """Offset of what the store gives, how many it skipped, and digests of its tables."""
        book = ControlBook(self.log.reader([CONTROL_PARTITION]), GROUP)
        book.read_to_end(0.0)
        past = [
            Mark(found.command.offset, found.before_offset, found.refused)
            for found in book.past(TopicPartition(INPUT, 0), committed)
        ]
        book.close()
        found = SnapshotStore(str(self.folder)).newest(PLACE, committed, past)
        if found.loaded is None:
            return None, found.skipped, None
        return found.loaded.head.next_offset, found.skipped, found.loaded.state.digest()


def lived(folder: Path) -> Life:
    """Such a life, at nine tenths of the day."""
    log = day_log()
    for number in range(3):
        worker = new_worker(
            log, size=50, member=f"w{number}", snapshots=str(folder), snapshot_settings=PATIENT
        )
        run_to(worker, log, 0.3)
        worker.close()
    chain = files(folder)
    assert [path.name.split("-")[2] for path in chain] == ["full", "changed", "changed"]
    return Life(log, folder, chain)


def test_every_bit_and_every_length_is_noticed(tmp_path: Path) -> None:
    """The last file of a chain with any bit flipped, or cut at any length, is skipped for the one
    before it; with a damaged full one nothing is left. Never an error, never another state."""
    life = lived(tmp_path)
    chain, whole = life.chain, life.newest()
    assert whole[:2] == (int(chain[-1].name[:20]), 0)
    last = chain[-1].read_bytes()
    chain[-1].unlink()
    before = life.newest()
    rng = random.Random(6)  # noqa: S311 - it has to repeat
    near = [*range(200), *range(len(last) - 200, len(last))]
    for at in (*near[::9], *(rng.randrange(len(last)) for _ in range(60))):
        flipped = bytearray(last)
        flipped[at] ^= 1 << rng.randrange(8)
        for damaged in (bytes(flipped), last[:at]):
            chain[-1].write_bytes(damaged)
            offset, skipped, state = life.newest()
            assert (offset, skipped, state) == (before[0], 1, before[2]), at
    chain[-1].write_bytes(last + b"x")
    assert life.newest()[:2] == (before[0], 1)
    chain[-1].write_bytes(last)
    assert life.newest() == whole
    first = bytearray(chain[0].read_bytes())
    first[len(first) // 2] ^= 4
    chain[0].write_bytes(bytes(first))
    assert life.newest() == (None, 3, None)


@pytest.mark.parametrize("damage", ["last", "middle", "full", "all", "empty", "swapped"])
def test_a_worker_starts_in_spite_of_damage(damage: str, tmp_path: Path) -> None:
    """With the last file, one in the middle, or the full one of a chain damaged or missing, a
    worker takes what is left, or replays all, and stands where an undisturbed one stands."""
    life = lived(tmp_path)
    log, chain = life.log, life.chain
    if damage == "swapped":
        chain[1].write_bytes(chain[2].read_bytes())
    elif damage == "all":
        for path in chain:
            path.write_bytes(path.read_bytes()[:-30])
    elif damage == "empty":
        chain[-1].write_bytes(b"")
    elif damage == "middle":
        chain[1].unlink()
    else:
        at = chain[-1] if damage == "last" else chain[0]
        at.write_bytes(at.read_bytes().replace(b"ROWS", b"ROWZ", 1))
    registry, state = start(log, tmp_path, f"after-{damage}")
    assert state == wanted()
    skipped = {"last": 1, "empty": 1, "middle": 1, "full": 3, "all": 3, "swapped": 2}
    assert told(registry, "snapshots_skipped_total") == skipped[damage]
    used = damage in ("last", "empty", "middle", "swapped")
    assert told(registry, "recoveries_total", source="snapshot") == used
    assert told(registry, "recoveries_total", source="replay") == (not used)


def test_foreign_and_newer_files_are_left_alone(tmp_path: Path) -> None:
    """Files of other kinds, a snapshot of a later format version, and one of another partition that
    was renamed are skipped; the newest good one is taken, and all of them are still there."""
    life = lived(tmp_path)
    log, chain = life.log, life.chain
    folder = chain[0].parent
    (folder / "README").write_text("not ours")
    (folder / "00000000000000009999-full.snapshot.partial").write_bytes(b"half")
    later = folder / f"{1:020}-000009-full-0123abcd.snapshot"
    later.write_bytes(chain[0].read_bytes().replace(b"snapshot 1\n", b"snapshot 2\n"))
    renamed = folder / chain[-1].name.replace("-changed-", "-full-")
    shutil.copy(chain[-1], renamed)
    registry, state = start(log, tmp_path, "among-strangers")
    assert state == wanted()
    assert told(registry, "snapshots_skipped_total") == 1
    assert told(registry, "recoveries_total", source="snapshot") == 1
    assert later.exists()
    assert renamed.exists()


def test_another_partition_count_is_another_place(tmp_path: Path) -> None:
    """Snapshots of a topic with one partition are of no use once it has two, not even when a file
    is moved there."""
    chain = lived(tmp_path).chain
    two = tmp_path / folder_of(replace(PLACE, partitions=2))
    shutil.copytree(chain[0].parent, two)
    found = SnapshotStore(str(tmp_path)).newest(replace(PLACE, partitions=2), 10**9, [])
    assert (found.loaded, found.skipped) == (None, 3)
    found = SnapshotStore(str(tmp_path)).newest(replace(PLACE, partitions=3), 10**9, [])
    assert (found.loaded, found.skipped) == (None, 0)


def test_what_is_ahead_of_the_committed_offset_is_not_used(tmp_path: Path) -> None:
    """After an operator reset the group's offset, snapshots ahead of it are skipped, and gone once
    a new full one was written."""
    life = lived(tmp_path)
    chain = life.chain
    middle = int(chain[1].name[:20])
    assert life.newest(committed=middle)[:2] == (middle, 1)
    assert life.newest(committed=middle - 1)[:2] == (int(chain[0].name[:20]), 2)
    fresh = day_log()
    worker = new_worker(fresh, size=20, member="few")
    run_to(worker, fresh, 0.05)
    worker.close()
    registry = CollectorRegistry()
    worker = new_worker(
        fresh,
        size=20,
        snapshots=str(tmp_path),
        snapshot_settings=replace(PATIENT, changed_every_s=1.0),
        registry=registry,
    )
    run_to(worker, fresh, 0.05)
    assert told(registry, "snapshots_skipped_total") == 3
    worker.close()
    assert told(registry, "snapshots_total", kind="full") > 0
    assert not {*chain} & {*files(tmp_path)}


def test_another_feature_schema_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were written with other features are not read, as after an upgrade or a rollback;
    the log is replayed."""
    log = lived(tmp_path).log
    monkeypatch.setattr(snapshot_head, "schema_hash", lambda: "another")
    registry, state = start(log, tmp_path, "upgraded")
    assert state == wanted()
    assert told(registry, "recoveries_total", source="replay") == 1
    assert told(registry, "snapshots_skipped_total") == 3


def test_a_topic_that_was_made_anew_is_not_mistaken(tmp_path: Path) -> None:
    """Another topic of the same name, group and length: the snapshot is not its state. What the
    last record in it was tells them apart."""
    lived(tmp_path)
    other = new_log([*reversed(small_day())], ONE)
    first = new_worker(other, member="w0")
    drain(first, log=other)
    state = whole_states(first)
    first.close()
    registry, found = start(other, tmp_path, "other")
    assert found == state
    assert told(registry, "recoveries_total", source="replay") == 1


def test_a_shorter_topic_is_not_mistaken(tmp_path: Path) -> None:
    """The topic was made anew and ends before the offset that was committed of the old one."""
    lived(tmp_path)
    short = new_log(small_day()[:30], ONE)
    worker = new_worker(short, member="w0")
    drain(worker, log=short)
    worker.close()
    group = short._store.groups[GROUP]
    group.committed[TopicPartition(INPUT, 0)] = 10**6
    registry = CollectorRegistry()
    worker = new_worker(
        short, snapshots=str(tmp_path), snapshot_settings=PATIENT, registry=registry
    )
    for _ in range(200):
        worker.turn()
    assert told(registry, "recoveries_total", source="snapshot") == 0
    assert {n: s.next_offset for n, s in worker.shards.items()} == ends(short, INPUT)
    assert len(worker.shards[0].partition.state.accounts) > 0
    worker.close()


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """No file of this process can grow past `limit` bytes meanwhile, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN, "Python ignores it"
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """The kernel refuses to write on: a warning and a count each time, nothing half is left behind,
    the outputs are all there; with room again the next snapshot is written."""
    log = day_log()
    registry = CollectorRegistry()
    often = replace(OFTEN, changed_every_s=1.0)
    worker = new_worker(
        log, size=20, snapshots=str(tmp_path), snapshot_settings=often, registry=registry
    )
    run_to(worker, log, 0.3)
    _until_written(worker, registry)
    good = files(tmp_path)
    with small_files(20_000):
        for _ in range(400):
            worker.turn()
            if told(registry, "snapshot_failures_total") >= 2:
                break
    assert told(registry, "snapshot_failures_total") >= 2
    assert [*tmp_path.rglob("*.partial")] == []
    assert {*good} <= {*files(tmp_path)}
    drain(worker, log=log)
    assert dict(whole_states(worker)) == wanted()
    worker.close()
    assert int(files(tmp_path)[-1].name[:20]) == ends(log, INPUT)[0]
    registry, state = start(log, tmp_path, "later")
    assert state == wanted()
    assert told(registry, "recoveries_total", source="snapshot") == 1


def _until_written(worker: object, registry: CollectorRegistry) -> None:
    for _ in range(10_000):
        worker.turn()  # type: ignore[attr-defined]
        if told(registry, "snapshots_total", kind="full") > 0:
            return
    raise AssertionError("no snapshot is written")


def test_a_disk_that_is_full_at_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that says only at the end that it is full leaves no file under its name."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = day_log()
    worker = new_worker(log, snapshots=str(tmp_path), snapshot_settings=PATIENT)
    drain(worker, log=log)
    monkeypatch.setattr(os, "fsync", full)
    worker.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("fault", ["a file in its place", "a package's own error"])
def test_a_store_that_cannot_be_reached(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither start nor run nor stop is held up by it; failures are counted."""
    folder = tmp_path / "snapshots"
    if fault == "a file in its place":
        folder.write_text("no folder")
    else:

        def broken(*_: object) -> None:
            raise RuntimeError("the package broke")

        monkeypatch.setattr(UrlFiles, "find", broken)
        monkeypatch.setattr(UrlFiles, "write", broken)
    log = day_log()
    first = new_worker(log, size=200, member="w0")
    run_to(first, log, 0.3)
    first.close()
    registry = CollectorRegistry()
    worker = new_worker(
        log,
        size=20,
        snapshots=str(folder),
        snapshot_settings=replace(OFTEN, changed_every_s=1.0),
        registry=registry,
    )
    drain(worker, log=log)
    assert dict(whole_states(worker)) == wanted()
    assert told(registry, "recoveries_total", source="replay") == 1
    assert told(registry, "snapshot_failures_total") > 0
    worker.close()


def test_a_store_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that never answers is waited for as long as is set, at a start, while running and at
    the stop; the stream goes on."""
    forever = threading.Event()

    def hang(*_: object) -> list[str]:
        forever.wait(60.0)
        raise SnapshotError("x", "hung")

    monkeypatch.setattr(UrlFiles, "find", hang)
    monkeypatch.setattr(UrlFiles, "write", hang)
    log = day_log()
    first = new_worker(log, size=200, member="w0")
    run_to(first, log, 0.3)
    first.close()
    registry = CollectorRegistry()
    short = replace(OFTEN, changed_every_s=1.0, load_limit_s=20.0, write_limit_s=30.0, last_s=10.0)
    worker = new_worker(
        log, size=20, snapshots=str(tmp_path), snapshot_settings=short, registry=registry
    )
    drain(worker, log=log)
    assert dict(whole_states(worker)) == wanted()
    assert told(registry, "recoveries_total", source="replay") == 1
    assert told(registry, "snapshot_failures_total") > 1
    worker.close()
    forever.set()


def test_a_slow_store_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut whose rows change faster than they can be written is given up at the set bound."""
    open_ = threading.Event()

    def slow(_: UrlFiles, path: str, fill: object) -> None:
        open_.wait(60.0)
        raise SnapshotError(path, "too late")

    monkeypatch.setattr(UrlFiles, "write", slow)
    registry = CollectorRegistry()
    log = day_log()
    tight = replace(OFTEN, changed_every_s=100.0, slice_bytes=1, most_early_bytes=5000)
    worker = new_worker(
        log, size=20, snapshots=str(tmp_path), snapshot_settings=tight, registry=registry
    )
    drain(worker, log=log)
    assert told(registry, "snapshot_failures_total") > 1
    open_.set()
    worker.close()


def test_retention_may_pass_a_snapshot(tmp_path: Path) -> None:
    """Records that the topic no longer holds are in the snapshot: the state reaches further back
    than the log. Without it the worker knows less."""
    life = lived(tmp_path)
    log, chain = life.log, life.chain
    start_at = int(chain[-1].name[:20])
    records = [r for r in read_all(log, INPUT) if r.offset >= start_at]
    assert 0 < len(records) < start_at
    log._store.partition_at(TopicPartition(INPUT, 0)).drop_before(start_at)
    registry, state = start(log, tmp_path, "after-retention")
    assert state == wanted()
    assert told(registry, "recoveries_total", source="snapshot") == 1
