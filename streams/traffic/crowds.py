"""Innocent crowds: accounts that share a prompt, a sheet, a tool or an owner, and harvest nothing.

Each kind is a false friend of a campaign's link. Most share frame, parameters and client, ask
items that nobody else asks, or run on a common clock; all of that is what such crowds really do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from streams.traffic.bank import Program
from streams.traffic.frames import wrapped
from streams.traffic.group import Group, Traits, make_group
from streams.traffic.identity import opaque
from streams.traffic.lists import draw_list
from streams.traffic.scene import Scene
from streams.traffic.sources import source
from streams.traffic.timing import DAY_S, Job, Pace

SIZES = (20, 2000)
"""Least and most accounts of a crowd."""


def framework_defaults(scene: Scene) -> Traits:
    """A framework's default prompts: many unrelated developers, own tasks, no common list."""
    rng = scene.rng
    return Traits(
        kind="framework_defaults",
        members=scene.size(100, 2000),
        programs=scene.some(int(rng.integers(1, 4)), "agent", "rag", "code", "research", "plan"),
        items=scene.own(),
        requests=(float(rng.uniform(8, 40)), 0.9),
        share=(0.3, 1.0),
        window_s=scene.day,
        active=(0.2, 0.9),
        same_habits=bool(rng.random() < 0.6),
        own_frames=float(rng.uniform(0, 0.3)),
        side=scene.some(8, "chat", "code", "support"),
        **scene.one_service(),
    )


def course(scene: Scene) -> Traits:
    """A course on one exercise sheet: the same items, before the same deadline, new accounts."""
    rng = scene.rng
    sheet = int(rng.integers(5, 25))
    return Traits(
        kind="course",
        members=scene.size(30, 600),
        programs=scene.some(1, "tutor", "code", "testgen", "data"),
        items=scene.same(sheet),
        requests=(sheet * float(rng.uniform(0.8, 2.0)), 0.4),
        share=(0.6, 1.0),
        window_s=scene.hours(2, 10),
        active=(0.2, 0.8),
        waves=int(rng.integers(1, 4)) if rng.random() < 0.4 else 0,  # lessons begin on the hour
        timing="sitting",
        changes={"item_count": 10 * sheet, "end_users": 0},
        networks=scene.networks(int(rng.integers(1, 6))),
        plan_limit=200.0,
        time_zone_h=1.0,
        fresh_s=scene.fresh(float(rng.uniform(2, 40))),
        side=scene.some(6, "chat", "code"),
        side_pace="sitting",
        **scene.one_service(),
    )


def hackathon(scene: Scene) -> Traits:
    """A hackathon: new accounts, one starter kit, the same credits, each its own project."""
    rng = scene.rng
    budget = int(rng.integers(30, 120))
    return Traits(
        kind="hackathon",
        members=scene.size(20, 400),
        programs=scene.some(int(rng.integers(1, 3)), "agent", "code", "rag", "game", "content"),
        items=scene.own(),
        requests=(budget * 1.2, 0.6),
        cap=budget,
        share=(0.2, 0.9),
        window_s=scene.hours(8, 16),
        active=(0.4, 1.0),
        timing="sitting",
        own_frames=0.5,
        networks=scene.networks(int(rng.integers(1, 4))),
        plan_limit=1000.0,
        fresh_s=scene.fresh(float(rng.uniform(0.5, 3))),
        side=scene.some(12, "agent", "code", "game", "content", "chat"),
        side_pace="sitting",
        **scene.one_service(),
    )


def staff(scene: Scene) -> Traits:
    """A company's staff on the internal assistant: one owner, office hours."""
    rng = scene.rng
    return Traits(
        kind="staff",
        members=scene.size(20, 1000),
        programs=scene.some(int(rng.integers(1, 4)), "support", "content", "search", "summarise"),
        each="request" if rng.random() < 0.5 else "account",
        items=scene.own(),
        requests=(float(rng.uniform(5, 25)), 0.8),
        share=(0.7, 1.0),
        window_s=scene.hours(8, 11),
        active=(0.3, 1.0),
        timing="sitting",
        organisation=opaque("org_", rng, 6),
        networks=scene.networks(int(rng.integers(1, 5))),
        time_zone_h=float(rng.integers(-8, 9)),
        side=scene.some(6, "chat", "content"),
        side_pace="sitting",
        **scene.one_service(),
    )


def reseller_users(scene: Scene) -> Traits:
    """A reseller's end users: its preamble before everything, behind it anything."""
    rng = scene.rng
    preamble = f"{source('company', rng, 'en', 0)}. {source('policy', rng, 'en', 0)}"
    programs = [
        wrapped(scene.pick("chat", "code", "content", "tutor"), preamble) for _ in range(40)
    ]
    return Traits(
        kind="reseller_users",
        members=scene.size(50, 2000),
        programs=tuple(programs),
        items=scene.own(),
        requests=(float(rng.uniform(5, 30)), 1.0),
        window_s=scene.day,
        active=(0.1, 0.9),
        same_habits=False,
        same_names=False,
        own_frames=0.2,
        organisation=opaque("org_", rng, 6) if rng.random() < 0.5 else None,
        networks=scene.networks(int(rng.integers(3, 12))),
        **scene.one_service(),
    )


def ci_runners(scene: Scene) -> Traits:
    """One review action in many repositories: nothing else on the account, every diff a new one."""
    rng = scene.rng
    tests = rng.random() < 0.4
    pace: Pace = "cron" if rng.random() < 0.4 else "events"
    return Traits(
        kind="ci_runners",
        members=scene.size(50, 1500),
        programs=scene.some(int(rng.integers(1, 3)), "code", "testgen", "audit", "monitor"),
        items=scene.same(int(rng.integers(3, 40))) if tests else scene.own(),
        requests=(float(rng.uniform(4, 40)), 1.0),
        window_s=scene.day,
        active=(0.5, 1.0),
        timing=pace,
        changes={"end_users": 0, "resample": 1},
        own_frames=float(rng.uniform(0, 0.2)),
        networks=scene.networks(int(rng.integers(10, 60))),
        **scene.one_service(),
    )


def app_own_keys(scene: Scene) -> Traits:
    """An app with fixed prompts on its users' own keys: one question each, texts of their own."""
    rng = scene.rng
    pace: Pace = "events" if rng.random() < 0.5 else "human"
    return Traits(
        kind="app_own_keys",
        members=scene.size(50, 2000),
        programs=scene.some(1, "translation", "summarise", "content", "extract"),
        items=scene.own(),
        requests=(float(rng.uniform(3, 25)), 1.0),
        share=(0.5, 1.0),
        window_s=scene.day,
        active=(0.1, 0.8),
        timing=pace,
        side=scene.some(6, "chat", "content", "translation"),
        **scene.one_service(),
    )


def viral_prompt(scene: Scene) -> Traits:
    """A prompt gone viral: everybody tries it once or thrice within hours, beside ordinary use."""
    rng = scene.rng
    return Traits(
        kind="viral_prompt",
        members=scene.size(100, 2000),
        programs=scene.some(1, "content", "roleplay", "game", "chat"),
        items=scene.own() if rng.random() < 0.6 else scene.same(int(rng.integers(1, 5))),
        requests=(float(rng.uniform(6, 20)), 0.8),
        share=(0.05, 0.3),
        window_s=scene.hours(4, 24),
        active=(0.05, 0.5),
        timing="sitting",
        same_habits=False,
        own_frames=0.15,
        side=scene.some(10, "chat", "content", "tutor"),
        side_pace="sitting",
    )


def benchmark_labs(scene: Scene) -> Traits:
    """One public benchmark run by many labs: the same items, all of them or a sample."""
    rng = scene.rng
    length = int(rng.integers(30, 150))
    return Traits(
        kind="benchmark_labs",
        members=scene.size(20, 150),
        programs=scene.some(1, "evaluate", "judge"),
        items=scene.same(length),
        requests=(length * float(rng.uniform(0.5, 1.0)), 0.3),
        cap=200,
        share=(0.8, 1.0),
        window_s=scene.hours(6, 24),
        active=(0.05, 0.5),
        timing="batch",
        params={"temperature": 0.0},
        changes={"item_count": length, "end_users": 0},
        side=scene.some(6, "chat", "code"),
    )


def browser_extension(scene: Scene) -> Traits:
    """A browser extension: a few fixed prompts on pages that each user reads, a daily cap."""
    rng = scene.rng
    cap = int(rng.integers(8, 40))
    return Traits(
        kind="browser_extension",
        members=scene.size(100, 2000),
        programs=scene.some(int(rng.integers(2, 6)), "summarise", "translation", "content"),
        each="request",
        items=scene.own(),
        requests=(cap * float(rng.uniform(0.4, 1.2)), 0.7),
        cap=cap,
        window_s=scene.day,
        active=(0.1, 0.8),
        timing="human",
        fresh_s=scene.fresh(float(rng.uniform(20, 400))),
        **scene.one_service(),
    )


def one_customer(scene: Scene) -> Traits:
    """One customer with many keys: a batch of its own, cut over them, started and stopped at once.

    Only the owner tells it from a campaign."""
    rng = scene.rng
    members, each = scene.size(20, 300), int(rng.integers(10, 80))
    return Traits(
        kind="one_customer",
        members=members,
        programs=scene.some(1, "label", "classify", "extract", "translation", "content", "data"),
        items=draw_list(
            rng, ("range", "stride", "sampled")[int(rng.integers(3))], accounts=members, each=each
        ),
        requests=(float(each), 0.1),
        cap=each,
        window_s=scene.hours(3, 20),
        active=(0.7, 0.7),
        waves=1 if rng.random() < 0.5 else 0,
        timing=Job(jitter=float(rng.uniform(0.05, 0.6))),
        organisation=opaque("org_", rng, 6),
        networks=scene.networks(int(rng.integers(1, 4))),
        plan_limit=20_000.0,
        **scene.one_service(),
    )


def automation(scene: Scene) -> Traits:
    """A template of an automation service: a prompt step in everybody's workflow, by event."""
    rng = scene.rng
    return Traits(
        kind="automation",
        members=scene.size(50, 1500),
        programs=scene.some(int(rng.integers(1, 3)), "extract", "classify", "support", "data"),
        items=scene.own(),
        requests=(float(rng.uniform(5, 40)), 1.0),
        window_s=scene.day,
        active=(0.5, 1.0),
        timing="events",
        changes={"end_users": 0},
        own_frames=float(rng.uniform(0, 0.4)),
        networks=scene.networks(int(rng.integers(2, 10))),
        **scene.one_service(),
    )


def coding_agent(scene: Scene) -> Traits:
    """A coding agent's client: its long system prompt and tools, everyone's own repository."""
    rng = scene.rng
    return Traits(
        kind="coding_agent",
        members=scene.size(50, 1000),
        programs=scene.some(int(rng.integers(1, 3)), "agent", "code"),
        items=scene.own(),
        requests=(float(rng.uniform(15, 60)), 0.8),
        share=(0.6, 1.0),
        window_s=scene.day,
        active=(0.1, 0.6),
        timing="human",
        side=scene.some(6, "chat", "code"),
        **scene.one_service(),
    )


CROWDS: Mapping[str, Callable[[Scene], Traits]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            framework_defaults, course, hackathon, staff, reseller_users, ci_runners, app_own_keys,
            viral_prompt, benchmark_labs, browser_extension, one_customer, automation, coding_agent,
        )
    }
)  # fmt: skip
"""Kind -> how a crowd of it is drawn."""


def draw_crowd(
    name: str,
    kind: str,
    programs: Sequence[Program],
    *,
    start_s: float,
    seed: tuple[int, ...],
    span_s: float = DAY_S,
    most: int = SIZES[1],
) -> Group:
    """One crowd of a kind, of at most `most` accounts. Raises KeyError for an unknown kind."""
    scene = Scene(tuple(programs), start_s, span_s, np.random.default_rng([*seed, 12]))
    traits = CROWDS[kind](scene)
    return make_group(name, replace(traits, members=min(traits.members, most)), seed)
