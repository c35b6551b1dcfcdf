"""Keeps the lake role running: a log that goes away is waited for, and the role made anew."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import structlog

from detector.lake_role import LakeRole
from detector.metrics import LakeMetrics
from detector.retries import Retries
from streams.log import LogError

STEP_S = 1.0
"""How long a step waits for records."""

log = structlog.get_logger()


def write_on(
    role: LakeRole,
    make: Callable[[], LakeRole],
    metrics: LakeMetrics,
    stop: threading.Event,
    *,
    give_up_s: float,
    monotonic_s: Callable[[], float],
) -> Counter[str]:
    """Works until `stop` is set, then writes what is held; returns what happened, over all.

    What a role held when it failed is read again: it was not committed.

    Args:
        make: a role in place of one that failed.
        give_up_s: so long it tries on after an error that is neither a log that does not answer
            nor a group that threw it out.

    Raises:
        LakeError: the store cannot be written.
        Fenced: another has the name.
        LogError: the log cannot be read, and trying again did not help.
    """
    counts: Counter[str] = Counter()
    retries = Retries(give_up_s)
    now: LakeRole | None = role
    while True:
        try:
            if now is None:
                now = make()
            _work(now, metrics, stop, retries, monotonic_s)
        except LogError as error:
            wait_s = retries.failed(error, monotonic_s())
            log.warning(f"joining anew in {wait_s:.1f} s: {error}")
            metrics.connected.set(0)
            metrics.rejoins.labels(type(error).__name__).inc()
        else:
            return counts + now.counts
        finally:
            if now is not None:
                _leave(now)
        if now is not None:
            counts += now.counts
            now = None
        if stop.wait(wait_s):
            return counts


def _work(
    role: LakeRole,
    metrics: LakeMetrics,
    stop: threading.Event,
    retries: Retries,
    monotonic_s: Callable[[], float],
) -> None:
    while not stop.is_set():
        flushes = role.counts["flushes"]
        role.step(STEP_S)
        metrics.connected.set(1)
        if role.counts["flushes"] > flushes:
            retries.went_well()
        else:
            retries.quiet(monotonic_s())
    role.flush()


def _leave(role: LakeRole) -> None:
    try:
        role.close()
    except LogError as error:
        log.warning(f"a connection ended without a farewell: {error}")
