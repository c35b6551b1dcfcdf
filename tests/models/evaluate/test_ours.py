"""Composed accounts are looked at where the service looks, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

from detector.pipeline import load_models
from models.command_line import ARTIFACTS
from models.evaluate.compose import Composition, jobs_of
from models.evaluate.ours import score_points, scoring_points
from models.evaluate.plan import Cell
from models.evaluate.units import read_world
from streams.traffic.answers import Filler


def test_scoring_points_grow_by_a_third() -> None:
    """The set points of an account's history up to a number of requests."""
    points = scoring_points(1152)
    assert points[:8] == [10, 20, 30, 50, 75, 100, 150, 200]
    assert all(b == a + a // 3 for a, b in pairwise(points[7:]))
    assert scoring_points(9) == []


def test_the_end_of_an_account_is_no_look_of_its_own() -> None:
    """Accounts of 25 requests have no score at 25, and `running_max` is that of the looks so far;
    what was harvested by a look never shrinks."""
    world = read_world(None, folds=2, hold_out="kind", every=12)
    cell = Cell("general", "extraction", 25, (20, 25), 1.0, "none", 8)
    work = Composition(world, 1, None, Filler(1))
    judged = [work.compose(job) for job in jobs_of(cell, world, 1)]
    points = score_points(judged, load_models(ARTIFACTS))
    assert set(range(8)) == set(points.account.tolist())
    assert 25 not in points.requests.tolist()
    assert {10, 20} <= set(points.requests.tolist())
    early, late = points.running_max(8, 20), points.running_max(8, 25)
    assert (late >= early).all()
    for account in range(8):
        mine = points.account == account
        order = points.requests[mine].argsort(kind="stable")
        taken = points.taken[mine][order].tolist()
        assert taken == sorted(taken)
        assert 0 < taken[-1] <= points.harvested[account] <= 25
