"""Workers that keep snapshots: settings for a clock that ticks at each look, and what is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from detector.partition import Partition
from detector.record_reader import ReaderState
from detector.worker import Worker
from detector.worker_settings import SnapshotSettings
from streams.memory_log import MemoryLog
from tests.detector.worker_rig import INPUT, State, ends, state_of

PATIENT = SnapshotSettings(
    changed_every_s=1e12,
    full_every_s=1e12,
    write_limit_s=1e12,
    load_limit_s=1e12,
    last_s=1e12,
    most_link_share=1e12,
)
"""No bound in time, and snapshots at the end only: a second passes whenever the clock is looked at.
Nor is there a bound for chains: in these small states nearly all rows change."""

OFTEN = replace(PATIENT, changed_every_s=8.0, full_every_s=200.0, slice_bytes=8192)
"""A cut every few turns, its rows copied a few at a time while the stream goes on."""


def run_to(worker: Worker, log: MemoryLog, share: float) -> None:
    """Turns a worker until it committed that share of the topic."""
    total = sum(ends(log, INPUT).values())
    done = 0
    for _ in range(100_000):
        done += worker.turn()
        if done >= share * total:
            return
    raise AssertionError("the worker does not come on")


def turn(worker: Worker) -> int:
    """A turn, after which a snapshot whose rows were all copied is in the store."""
    done = worker.turn()
    cut = worker._keeper._cut if worker._keeper else None
    if cut is not None and cut.handed:
        assert cut.job.wait(60.0)
    return done


def whole_state(partition: Partition) -> tuple[State, ReaderState, float]:
    """All that later outputs depend on: tables, books, what the reader remembers, the clock."""
    dump = partition.dump()
    return state_of(partition), dump.reader, dump.clock_s


def whole_states(worker: Worker) -> dict[int, tuple[State, ReaderState, float]]:
    """The same by partition."""
    return {number: whole_state(shard.partition) for number, shard in worker.shards.items()}


def files(folder: Path) -> list[Path]:
    """All snapshots under a folder, oldest first."""
    return sorted(folder.rglob("*.snapshot"), key=lambda path: path.name)


def told(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """A metric's value; 0 where it was never told."""
    return registry.get_sample_value(f"stillwatch_{name}", labels) or 0.0
