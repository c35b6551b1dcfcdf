"""Workers that start from snapshots: the same state and outputs as one that was never disturbed."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.control import (
    Allow,
    Confirm,
    Disallow,
    ModelSwitch,
    PolicySwitch,
    SwitchRecord,
    Undo,
)
from detector.output_records import ALERTS, DEAD_LETTERS
from detector.pipeline import load_models
from detector.policy import parse_policy
from detector.record_reader import ReaderState
from streams.memory_log import MemoryLog
from tests.detector.mixed_day import FORGETFUL, mixed_day
from tests.detector.snapshot_rig import (
    OFTEN,
    PATIENT,
    files,
    run_to,
    told,
    whole_states,
)
from tests.detector.test_worker import BY, FAR_S, SHADOW_TEXT, entry
from tests.detector.tiny_models import write_tiny_models
from tests.detector.worker_rig import (
    GROUP,
    INPUT,
    PARTITIONS,
    State,
    Told,
    drain,
    ends,
    new_log,
    new_worker,
    say,
    small_day,
)
from tests.detector.worker_rig import told as put_out

Whole = dict[int, tuple[State, ReaderState, float]]


@cache
def undisturbed(seed: int) -> tuple[Whole, Told]:
    """One worker without snapshots over the whole mixed day."""
    log = new_log(mixed_day(seed))
    registry = CollectorRegistry()
    worker = new_worker(log, size=300, settings=FORGETFUL, registry=registry)
    drain(worker, log=log)
    for name in ("accounts_evicted", "duplicates", "dead_letters", "late"):
        labels = {"kind": "MalformedRecord"} if name == "dead_letters" else {}
        assert told(registry, f"{name}_total", **labels) > 5, name
    return whole_states(worker), outputs_of(log)


def outputs_of(log: MemoryLog) -> Told:
    """All outputs. One partition of the dead letters takes those of several of the input, whose
    order among each other is the worker's."""
    found = put_out(log)
    letters = {number: sorted(part, key=str) for number, part in found[DEAD_LETTERS].items()}
    return {**found, DEAD_LETTERS: letters}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("store", ["folder", "object store"])
def test_workers_that_die_and_stop_anywhere_are_as_one(
    seed: int, store: str, tmp_path: Path
) -> None:
    """Killed or stopped at random places, with batches of random sizes, over evictions, duplicates,
    joined spans, late and unreadable records: all that the last worker holds, what it remembers of
    ids and spans too, and all outputs are those of one worker without snapshots. Most of them
    started from a snapshot, of which some were cut in the middle of traffic."""
    rng = random.Random(seed)  # noqa: S311 - it has to repeat
    url = str(tmp_path) if store == "folder" else f"memory://mixed-{seed}"
    log = new_log(mixed_day(seed))
    registry = CollectorRegistry()
    number = 0
    while True:
        member = f"w{number}"
        worker = new_worker(
            log,
            size=rng.choice([5, 23, 61, 150]),
            member=member,
            settings=FORGETFUL,
            snapshots=url,
            snapshot_settings=OFTEN,
            registry=registry,
        )
        if number == 6:
            drain(worker, log=log)
            break
        run_to(worker, log, rng.uniform(0.02, 0.2))
        if rng.random() < 0.5:
            worker.close()
        else:
            log.expire_member(GROUP, member)
        number += 1
        registry = CollectorRegistry()
    state, outputs = undisturbed(seed)
    assert whole_states(worker) == state
    assert outputs_of(log) == outputs
    assert sum(map(len, outputs[ALERTS].values())) > 5
    assert told(registry, "recoveries_total", source="snapshot") == PARTITIONS
    worker.close()


def test_rows_of_one_moment_are_copied_while_they_change(tmp_path: Path) -> None:
    """A full snapshot whose rows are taken one a turn, while every turn changes rows, is the state
    at its cut: a worker that starts from it and replays stands where the other one stands."""
    log = new_log(small_day())
    slow = replace(PATIENT, changed_every_s=1.0, full_every_s=1e9, slice_bytes=1)
    registry = CollectorRegistry()
    worker = new_worker(
        log, size=3, snapshots=str(tmp_path), snapshot_settings=slow, registry=registry
    )
    run_to(worker, log, 0.9)
    assert told(registry, "snapshots_total", kind="full") > 0
    assert told(registry, "snapshots_total", kind="changed") > 0
    log.expire_member(GROUP, "w")
    registry = CollectorRegistry()
    again = new_worker(
        log, member="again", snapshots=str(tmp_path), snapshot_settings=PATIENT, registry=registry
    )
    drain(again, log=log)
    assert told(registry, "recoveries_total", source="snapshot") > 0
    plain = new_log(small_day())
    other = new_worker(plain)
    drain(other, log=plain)
    assert whole_states(again) == whole_states(other)
    again.close()


def test_a_rebalance_hands_snapshots_over(tmp_path: Path) -> None:
    """A second worker takes half of the partitions from the snapshots that the first one wrote when
    they went; when it leaves, the first takes them back in the same way."""
    log = new_log(small_day())
    registries = CollectorRegistry(), CollectorRegistry()
    first, second = (
        new_worker(
            log,
            size=64,
            member=name,
            snapshots=str(tmp_path),
            snapshot_settings=PATIENT,
            registry=registry,
        )
        for name, registry in zip(("first", "second"), registries, strict=True)
    )
    for _ in range(1000):
        first.turn()
        second.turn()
        if len(first.shards) == len(second.shards) == PARTITIONS // 2:
            break
    run_to(second, log, 0.05)
    second.close()
    drain(first, log=log)
    plain = new_log(small_day())
    other = new_worker(plain)
    drain(other, log=plain)
    assert whole_states(first) == whole_states(other)
    assert told(registries[0], "recoveries_total", source="snapshot") == PARTITIONS // 2
    first.close()


@pytest.mark.parametrize("dies", [False, True])
def test_switches_are_in_a_snapshot_once(dies: bool, tmp_path: Path) -> None:
    """Switches of every kind, each followed by a stop or a kill: the worker that comes next starts
    from a snapshot, judges by the policy and the models then in force, applies no switch twice and
    misses none. One without snapshots replays to the same state."""
    folder = write_tiny_models(tmp_path / "models")
    tiny = load_models(folder)
    account = "somebody"
    switches: list[SwitchRecord] = [
        PolicySwitch(**BY, text=SHADOW_TEXT, stamp=parse_policy(SHADOW_TEXT, "x").stamp),
        Undo(**BY, tenant="default", scope="account", scope_id=account, until_s=FAR_S),
        Allow(**BY, entry=entry(account)),
        ModelSwitch(**BY, folder=str(folder), version=tiny.version),
        ModelSwitch(**BY, folder="no/such/folder", version="no/version"),
        Disallow(**BY, tenant="default", scope="account", scope_id=account),
        Confirm(**BY, tenant="default", scope="account", scope_id=account),
    ]
    log = new_log(small_day())
    url = str(tmp_path / "snapshots")
    for number, switch in enumerate(switches):
        worker = new_worker(
            log,
            size=40,
            load=load_models,
            member=f"w{number}",
            snapshots=url,
            snapshot_settings=OFTEN if dies else PATIENT,
        )
        run_to(worker, log, 0.06)
        say(log, switch)
        worker.turn()
        run_to(worker, log, 0.04)
        if dies:
            log.expire_member(GROUP, f"w{number}")
        else:
            worker.close()
    registry = CollectorRegistry()
    last = new_worker(
        log,
        load=load_models,
        member="last",
        snapshots=url,
        snapshot_settings=PATIENT,
        registry=registry,
    )
    drain(last, log=log)
    live = whole_states(last)
    marks = {number: shard.marks for number, shard in last.shards.items()}
    assert all(len(found) == len(switches) + 1 for found in marks.values())
    assert {shard.partition.model for shard in last.shards.values()} == {tiny.version}
    assert all(shard.partition.policy.shadow for shard in last.shards.values())
    assert told(registry, "recoveries_total", source="snapshot") > 0
    assert told(registry, "snapshots_skipped_total") == 0
    last.close()
    plain = new_worker(log, load=load_models, member="plain")
    drain(plain, log=log)
    assert whole_states(plain) == live
    assert {number: shard.marks for number, shard in plain.shards.items()} == marks
    plain.close()


def test_a_clean_stop_leaves_nothing_to_replay(tmp_path: Path) -> None:
    """Each partition's last snapshot is at its committed offset; a second stop, with nothing done
    in between, writes none."""
    log = new_log(small_day())
    worker = new_worker(log, snapshots=str(tmp_path), snapshot_settings=PATIENT)
    drain(worker, log=log)
    worker.close()
    assert {int(path.name[:20]) for path in files(tmp_path)} == {*ends(log, INPUT).values()}
    before = files(tmp_path)
    again = new_worker(log, member="again", snapshots=str(tmp_path), snapshot_settings=PATIENT)
    drain(again, log=log)
    again.close()
    assert files(tmp_path) == before


def test_old_snapshots_are_removed(tmp_path: Path) -> None:
    """However long a worker runs, two full snapshots of a partition are kept with what builds on
    them, and no half of a file."""
    log = new_log(mixed_day(1))
    often = replace(PATIENT, changed_every_s=1.0, full_every_s=25.0)
    registry = CollectorRegistry()
    worker = new_worker(
        log,
        size=20,
        settings=FORGETFUL,
        snapshots=str(tmp_path),
        snapshot_settings=often,
        registry=registry,
    )
    drain(worker, log=log)
    worker.close()
    assert told(registry, "snapshots_total", kind="full") > 2 * PARTITIONS
    for folder in {path.parent for path in files(tmp_path)}:
        names = sorted(path.name for path in folder.iterdir())
        fulls = [name for name in names if "-full-" in name]
        assert len(fulls) == 2
        assert names[0] == fulls[0]
        assert all(name.endswith(".snapshot") for name in names)
