"""Which process runs on which core, where the system lets us say so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def every_core() -> set[int]:
    """The cores of this machine that we may use."""
    if not hasattr(os, "sched_setaffinity"):
        return set(range(os.cpu_count() or 1))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    found = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before)
    return found


def ours() -> set[int]:
    """The one core that is measured: the last."""
    return {max(every_core())}


def others() -> set[int]:
    """Every other core, for what stands beside the measured process; ours where it is alone."""
    return every_core() - ours() or ours()


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """Runs the block, and every process started in it, on these cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
