"""When snapshots are written, what is told of them, and how the settings come to the worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from detector.cli.worker import make_keeper
from detector.metrics import WorkerMetrics
from detector.settings import load_settings
from detector.snapshot_store import SnapshotError
from tests.detector.snapshot_rig import PATIENT, files, told, turn
from tests.detector.worker_rig import INPUT, drain, ends, new_log, new_worker, small_day


def test_settings_make_a_keeper(tmp_path: Path) -> None:
    """Without a place there is no keeper; the two periods reach it; a URL of no use is told at
    once."""
    log = new_log()
    metrics = WorkerMetrics(CollectorRegistry())
    assert make_keeper(log, load_settings(), metrics) is None
    settings = load_settings(
        None, snapshots=str(tmp_path), snapshot_every_s=7.0, snapshot_full_every_s=70.0
    )
    keeper = make_keeper(log, settings, metrics)
    assert keeper is not None
    assert (keeper.settings.changed_every_s, keeper.settings.full_every_s) == (7.0, 70.0)
    with pytest.raises(SnapshotError, match="nosuch"):
        make_keeper(log, load_settings(None, snapshots="nosuch://x"), metrics)


def test_the_metrics_tell_of_snapshots_and_recoveries(tmp_path: Path) -> None:
    """Number, seconds and bytes of what is written, its age, the pauses, and what a start came
    from, are on the page that /metrics serves; a partition that went is off the gauges."""
    log = new_log(small_day(), 1)
    registry = CollectorRegistry()
    often = replace(PATIENT, changed_every_s=1.0)
    first = new_worker(
        log, size=20, snapshots=str(tmp_path), snapshot_settings=often, registry=registry
    )
    for _ in range(100):
        turn(first)
    written = sum(told(registry, "snapshots_total", kind=kind) for kind in ("full", "changed"))
    assert told(registry, "snapshots_total", kind="full") >= 1
    assert told(registry, "snapshots_total", kind="changed") >= 1
    seconds = sum(
        told(registry, "snapshot_seconds_count", kind=kind) for kind in ("full", "changed")
    )
    assert seconds == written
    assert told(registry, "snapshot_pause_seconds_count") >= 2 * written
    assert told(registry, "snapshot_written_bytes_total") >= sum(
        path.stat().st_size for path in files(tmp_path)
    )
    assert told(registry, "snapshot_bytes", partition="0") > 100
    first.close()
    page = generate_latest(registry).decode()
    assert 'stillwatch_snapshot_bytes{partition="0"}' not in page
    registry = CollectorRegistry()
    second = new_worker(
        log,
        size=20,
        member="second",
        snapshots=str(tmp_path),
        snapshot_settings=replace(PATIENT, changed_every_s=1e9),
        registry=registry,
    )
    drain(second, log=log)
    for _ in range(20):
        second.turn()  # the ends are asked for now and then, and with them the age is told
    page = generate_latest(registry).decode()
    for line in (
        'stillwatch_recoveries_total{source="snapshot"} 1.0',
        'stillwatch_recovery_seconds_count{source="snapshot"} 1.0',
        'stillwatch_rebuild_remaining_records{partition="0"} 0.0',
        "stillwatch_snapshots_skipped_total 0.0",
        "stillwatch_snapshot_failures_total 0.0",
    ):
        assert line in page
    assert told(registry, "snapshot_age_seconds", partition="0") > 0
    second.close()


def test_long_chains_are_not_built(tmp_path: Path) -> None:
    """Once the changed snapshots would hold more than a full one, a full one is written instead."""
    log = new_log(small_day(), 1)
    registry = CollectorRegistry()
    short = replace(PATIENT, changed_every_s=1.0, full_every_s=1e12, most_link_share=1.0)
    worker = new_worker(
        log, size=20, snapshots=str(tmp_path), snapshot_settings=short, registry=registry
    )
    for _ in range(200):
        turn(worker)
    worker.close()
    assert told(registry, "snapshots_total", kind="full") > 2


def test_a_large_state_is_not_written_at_the_last_moment(tmp_path: Path) -> None:
    """When a partition goes whose changes are larger than set, the stop does not wait for them."""
    log = new_log(small_day(), 1)
    worker = new_worker(
        log,
        snapshots=str(tmp_path),
        snapshot_settings=replace(PATIENT, changed_every_s=1e9, last_bytes=10_000),
    )
    drain(worker, log=log)
    worker.close()
    assert files(tmp_path) == []
    assert ends(log, INPUT)[0] > 0


def test_an_idle_worker_writes_nothing(tmp_path: Path) -> None:
    """While nothing comes, the last snapshot holds, however often one is due."""
    log = new_log(small_day(), 1)
    registry = CollectorRegistry()
    often = replace(PATIENT, changed_every_s=1.0, full_every_s=1.0)
    worker = new_worker(
        log, size=500, snapshots=str(tmp_path), snapshot_settings=often, registry=registry
    )
    drain(worker, log=log)
    for _ in range(50):
        turn(worker)
    before = told(registry, "snapshots_total", kind="full")
    for _ in range(500):
        turn(worker)
    assert told(registry, "snapshots_total", kind="full") == before > 0
    worker.close()
