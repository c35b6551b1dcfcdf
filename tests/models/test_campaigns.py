"""The evaluation of campaigns: draws that share nothing, parts that add up, figures, a thin run."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detector.links.sighting import Sighting
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import default_policy_path, load_policy
from models.campaigns.draw import Part, parts_of, plant, programs_of
from models.campaigns.figures import by_fifth
from models.campaigns.plan import PlanError, load_plan, scaled
from models.campaigns.report import make_report, write_report
from models.campaigns.rivals import RIVALS, by_network, by_prompt, by_time, threshold
from models.campaigns.run import Order, evaluate_campaigns
from models.campaigns.sections import share
from models.campaigns.watch import Trace, load_trace, save_trace, watch
from models.campaigns.worlds import World, make_world
from models.command_line import ARTIFACTS
from streams.files import FileRecord
from streams.traffic.answers import Filler
from streams.traffic.stream import stream

SEED = 5
STRANGERS = Part("report", "strangers 0", "strangers", "strangers", 0, None, 30)
CROWD = Part("report", "crowd 1", "crowd", "course", 1, 0, 25)
CAMPAIGN = Part("report", "c 0", "campaign", "c", 0, 0, 25, 12)


@pytest.fixture(scope="module")
def models() -> Models:
    """The shipped models."""
    return load_models(ARTIFACTS)


@pytest.fixture(scope="module")
def traces(models: Models) -> list[Trace]:
    """Strangers, a course and a campaign, each watched alone."""
    policy = load_policy(default_policy_path())
    return [watch(part, SEED, models, policy) for part in (STRANGERS, CROWD, CAMPAIGN)]


def test_the_draws_share_no_program_and_no_account() -> None:
    """What thresholds are shaped on and what is reported come from other author batches and
    seeds."""
    tuning, report = (
        {p.id for p in programs_of("tuning")},
        {p.id for p in programs_of("report")},
    )
    assert tuning
    assert report
    assert not tuning & report
    name = "1,000 accounts 0"
    made = []
    for draw in ("tuning", "report"):
        part = next(p for p in parts_of(scaled(load_plan(), 0.01), draw) if p.name == name)
        planted = plant(part, SEED)
        made.append({planted.accounts.actor(n).pool[0].account for n in range(5)})
        assert planted.program in (tuning if draw == "tuning" else report)
    assert not made[0] & made[1]


def test_a_plan_has_what_the_report_is_held_to() -> None:
    """100,000 strangers, 200 crowds of ten kinds and more, both sizes, every evasion, a world for
    each."""
    plan = load_plan()
    parts = parts_of(plan, "report")
    assert sum(p.accounts for p in parts if p.kind == "strangers") >= 100_000
    crowds = [p for p in parts if p.kind == "crowd"]
    assert len(crowds) >= 200
    assert len({p.row for p in crowds}) >= 10
    sizes = {(row.accounts, row.each) for row in plan.rows if row.evasion == "none"}
    assert {(1000, 25), (25_000, 26)} <= sizes
    assert len({row.evasion for row in plan.rows}) == 7
    assert {p.world for p in parts if p.kind == "campaign"} == set(range(plan.worlds))


def test_no_two_campaigns_of_a_world_run_the_same_program() -> None:
    """Merging two would else be right and counted as a miss."""
    parts = [p for p in parts_of(load_plan(), "report") if p.kind == "campaign"]
    for world in range(4):
        mine = [plant(p, SEED).program for p in parts if p.world == world]
        assert len(set(mine)) == len(mine) > 5


def test_a_plan_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    """File and field are named."""
    path = tmp_path / "plan.toml"
    path.write_text("seed = 1\n", "utf-8")
    with pytest.raises(PlanError, match=r"plan\.toml.*strangers"):
        load_plan(path)


def test_parts_watched_alone_tell_what_they_tell_together(
    models: Models, traces: list[Trace]
) -> None:
    """Sightings of a world merged from its parts are those of one pipeline over one log."""
    groups = [plant(part, SEED).accounts for part in (STRANGERS, CROWD, CAMPAIGN)]
    lines = [msgspec.json.encode(r) for _, r in stream(groups, Filler(SEED))]
    records = [FileRecord("all", n, len(line), line, None) for n, line in enumerate(lines, 1)]
    policy = load_policy(default_policy_path())
    together = Pipeline(models, policy, PartitionSettings()).process(records).sightings
    world = make_world((STRANGERS, CROWD, CAMPAIGN), traces)
    assert together
    assert sorted(map(_key, world.in_order())) == sorted(map(_key, together))


def _key(sighting: Sighting) -> tuple[float, str, str, str, int]:
    found = sighting
    return found.at_s, found.account, found.kind, found.key, found.requests


def test_a_trace_is_read_as_it_was_written(tmp_path: Path, traces: list[Trace]) -> None:
    """Arrays and sightings survive the file; a missing file is an error."""
    save_trace(tmp_path / "trace.npz", traces[2])
    again = load_trace(tmp_path / "trace.npz")
    assert list(again.sightings) == list(traces[2].sightings)
    assert len(again.sightings) == len(traces[2].sightings) > 0
    for name in ("names", "account", "at_s", "prompt", "throttled_s", "features"):
        np.testing.assert_array_equal(getattr(again, name), getattr(traces[2], name))
    with pytest.raises(FileNotFoundError):
        load_trace(tmp_path / "none.npz")


def _world(account: list[int], **columns: list[int] | list[float]) -> World:
    """A world of one crowd with the columns given; what is not given is 1."""
    n, accounts = len(account), max(account) + 1
    ones = np.ones(n, np.uint64)
    hashes = {
        name: np.asarray(columns.get(name, ones), np.uint64)
        for name in ("prompt", "frame", "network", "model")
    }
    return World(
        parts=(CROWD, STRANGERS),
        names=np.array([f"a{i}" for i in range(accounts)]),
        part=np.array([0] * (accounts - 1) + [1]),
        account=np.array(account),
        at_s=np.asarray(columns.get("at_s", np.zeros(n)), np.float64),
        throttled_s=np.full(accounts, np.inf),
        features=np.zeros((accounts, 3), np.float32),
        sightings=((), ()),
        **hashes,
    )


def test_breadth_counts_accounts_not_requests() -> None:
    """Three accounts share a prompt, two a network; repeats count once and no prompt counts not at
    all."""
    world = _world([0, 0, 1, 2, 3], prompt=[7, 7, 7, 7, 0], network=[1, 2, 2, 3, 4])
    assert by_prompt(world).tolist() == [3, 3, 3, 0]
    assert by_network(world).tolist() == [2, 2, 1, 1]


def test_accounts_in_step_cluster_and_others_do_not() -> None:
    """Twenty accounts with the same twelve moments are one cluster; forty at moments of their own
    are none."""
    rng = np.random.default_rng(3)
    account, at_s = [], []
    for number in range(60):
        moments = np.arange(12) * 3600.0 if number < 20 else rng.uniform(0, 1e6, 12)
        account += [number] * 12
        at_s += moments.tolist()
    scores = by_time(_world(account, at_s=at_s))
    assert (scores[:20] == 20).all()
    assert (scores[20:] < 5).all()


def test_a_threshold_flags_no_crowd_that_it_was_set_on(traces: list[Trace]) -> None:
    """Neither the crowd's typical account nor a stranger is above it."""
    world = make_world((STRANGERS, CROWD), traces[:2])
    for score in RIVALS.values():
        scores = score(world)
        above = scores > threshold(scores, world)
        assert above[world.part == 0].sum() <= 1
        assert above[world.part == 1].mean() <= 0.5


def test_the_fifth_request_after_the_alert_is_what_counts() -> None:
    """An account throttled at its fourth counts, one at its sixth does not, one that sends four is
    not asked."""
    times = np.array([0.0, *range(10, 16), *range(10, 16), *range(10, 14)])
    who = np.array([0, *[0] * 6, *[1] * 6, *[2] * 4])
    order = np.argsort(times, kind="stable")
    stop = np.array([13.0, 15.0, np.inf])
    found = by_fifth(times[order], who[order], 10.0, stop)
    assert found == {"members": 2, "throttled": 0.5}
    assert by_fifth(times[order], who[order], 99.0, stop) is None


def test_intervals_of_shares_are_wilsons() -> None:
    """20 of 20 leave room below (0.839), none of 20 above; by Wilson's formula."""
    found = share([True] * 20)
    assert found is not None
    assert found["low"] == pytest.approx(0.8389, abs=1e-3)
    assert share([]) is None


@pytest.mark.slow
def test_a_thin_run_from_an_empty_cache_to_its_report(tmp_path: Path) -> None:
    """Every row, kind of crowd and baseline is in the report; a second run composes nothing and
    says the same."""
    plan = scaled(load_plan(), 0.002)
    order = Order(plan, ARTIFACTS, tmp_path / "cache", 2)
    told: list[tuple[str, int]] = []
    worlds = evaluate_campaigns(order, lambda stage, done, total: told.append((stage, total)))
    report = make_report(plan, 0.002, worlds, "report")
    assert {r["row"] for r in report["campaigns"]} == {row.name for row in plan.rows}
    assert len(report["crowd_kinds"]) >= 10
    assert [d["detector"] for d in report["detectors"]] == ["stillwatch", *RIVALS]
    assert report["crowds"] == plan.crowds
    told.clear()
    again = evaluate_campaigns(order, lambda stage, done, total: told.append((stage, total)))
    assert told[0] == ("accounts composed and watched", 1)
    assert json.dumps(again) == json.dumps(worlds)
    files = write_report(tmp_path / "out", report)
    text = files[0].read_text("utf-8")
    assert "figures mean little" in text
    assert json.loads(files[1].read_text("utf-8"))["bars"]
