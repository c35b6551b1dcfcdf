"""Figures of one world: every campaign's and crowd's outcome, for us and for the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.links import FAMILY_OF
from models.campaigns.draw import Part, Planted
from models.campaigns.judge import Found, Judgement
from models.campaigns.rivals import Scores, typical
from models.campaigns.worlds import World

Row = dict[str, Any]
EARLY = 0.10
"""A campaign is to be told of before this part of its exchanges is through."""

FIFTH = 5
FLAGGED_SHARE = 0.1
"""A crowd counts as flagged where a campaign is mostly of it, or so many of it are throttled."""


def world_figures(
    world: World,
    planted: Mapping[str, Planted],
    judgement: Judgement,
    rivals: Mapping[str, Scores],
    limits: Mapping[str, float],
) -> Row:
    """Outcomes of a world as plain data."""
    campaigns: list[Row] = []
    crowds: list[Row] = []
    for number, part in enumerate(world.parts):
        if part.kind == "strangers":
            continue
        row = campaign_figures if part.kind == "campaign" else crowd_figures
        made = row(world, number, planted[part.name], judgement)
        made["rivals"] = {
            name: typical(scores, world, number) > limits[name] for name, scores in rivals.items()
        }
        (campaigns if part.kind == "campaign" else crowds).append(made)
    kind = np.array([part.kind for part in world.parts])[world.part]
    ours = np.isfinite(judgement.throttled_s)
    return {
        "world": next((p.world for p in world.parts if p.world is not None), 0),
        "accounts": {k: int((kind == k).sum()) for k in ("strangers", "crowd", "campaign")},
        "requests": len(world.at_s),
        "sightings": sum(map(len, world.sightings)),
        "campaigns": campaigns,
        "crowds": crowds,
        "throttled": {k: int((ours & (kind == k)).sum()) for k in np.unique(kind).tolist()},
        "watched": {
            k: int((judgement.watched & (kind == k)).sum()) for k in np.unique(kind).tolist()
        },
        "own_throttled": {
            k: int((np.isfinite(world.throttled_s) & (kind == k)).sum())
            for k in np.unique(kind).tolist()
        },
        "stray": [
            {"size": f.size, "score": f.score, "links": sorted(f.links)}
            for f in judgement.found
            if world.parts[f.owner].kind == "strangers"
        ],
        "rival_accounts": {
            name: {
                k: int(((scores > limits[name]) & (kind == k)).sum())
                for k in np.unique(kind).tolist()
            }
            for name, scores in rivals.items()
        },
    }


def campaign_figures(world: World, number: int, planted: Planted, judgement: Judgement) -> Row:
    """Whether, when and how a campaign was found, and what went through until then."""
    part = world.parts[number]
    mine = world.members(number)
    at = world.part[world.account] == number
    times, who = world.at_s[at], world.account[at]
    found = [f for f in judgement.found if f.owner == number]
    alert_s = min((f.at_s for f in found), default=np.inf)
    stop = np.minimum(judgement.throttled_s, world.throttled_s)
    named = {FAMILY_OF.get(kind, kind) for f in found for kind in f.links}
    return {
        **_named(part, planted),
        "accounts": len(mine),
        "exchanges": len(times),
        "alerts": len(found),
        "alerted": bool(found),
        "alert_h": None if not found else round((alert_s - float(times[0])) / 3600, 3),
        "leak_at_alert": round(float((times < alert_s).mean()), 4),
        "early": bool(found) and float((times < alert_s).mean()) < EARLY,
        "leak_at_throttle": round(float((times < stop[who]).mean()), 4),
        "leak_own_alone": round(float((times < world.throttled_s[who]).mean()), 4),
        "fifth": by_fifth(times, who, alert_s, stop),
        "throttled": round(float(np.isfinite(judgement.throttled_s[mine]).mean()), 4),
        "watched": round(float(judgement.watched[mine].mean()), 4),
        "own_throttled": round(float(np.isfinite(world.throttled_s[mine]).mean()), 4),
        "purity": _purity(found, number),
        "planted": sorted(planted.links),
        "named": sorted(named),
        "score": max((f.score for f in found), default=0.0),
    }


def by_fifth(
    times: NDArray[np.float64],
    who: NDArray[np.int64],
    alert_s: float,
    stop: NDArray[np.float64],
) -> Row | None:
    """Of members with five requests and more after the alert: how many are throttled when the
    fifth comes; None where there is no such member. `times` are sorted."""
    after = times >= alert_s
    if not after.any():
        return None
    order = np.argsort(who[after], kind="stable")
    owner, at = who[after][order], times[after][order]
    members, first, count = np.unique(owner, return_index=True, return_counts=True)
    long = count >= FIFTH
    if not long.any():
        return None
    fifth = at[first[long] + FIFTH - 1]
    return {
        "members": int(long.sum()),
        "throttled": round(float((stop[members[long]] <= fifth).mean()), 4),
    }


def crowd_figures(world: World, number: int, planted: Planted, judgement: Judgement) -> Row:
    """Whether an innocent crowd was flagged."""
    mine = world.members(number)
    found = [f for f in judgement.found if f.owner == number]
    throttled = float(np.isfinite(judgement.throttled_s[mine]).mean())
    return {
        **_named(world.parts[number], planted),
        "accounts": len(mine),
        "flagged": bool(found) or throttled >= FLAGGED_SHARE,
        "alerts": len(found),
        "throttled": round(throttled, 4),
        "watched": round(float(judgement.watched[mine].mean()), 4),
        "own_throttled": round(float(np.isfinite(world.throttled_s[mine]).mean()), 4),
        "named": sorted({kind for f in found for kind in f.links}),
        "score": max((f.score for f in found), default=0.0),
    }


def _purity(found: list[Found], number: int) -> float | None:
    """Part of the members of a campaign's alerts that are its own."""
    total = sum(sum(f.owners.values()) for f in found)
    return round(sum(f.owners[number] for f in found) / total, 4) if total else None


def _named(part: Part, planted: Planted) -> Row:
    return {
        "row": part.row, "number": part.number, "world": part.world, "program": planted.program,
        "family": planted.family, "lang": planted.lang,
    }  # fmt: skip
