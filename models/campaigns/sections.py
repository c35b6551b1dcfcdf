"""Tables of the report on campaigns, from the figures of all worlds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from models.campaigns.figures import Row

OURS = "stillwatch"
_Z = NormalDist().inv_cdf(0.975)
BARS = (
    ("1,000 accounts", 0.95),
    ("25,000 accounts", 0.95),
)
"""Rows of the plan of which at least this share is to be told of early."""

EVASION_BAR, PRECISION_BAR, LINKS_BAR = 0.80, 0.98, 0.90


def share(hits: Sequence[bool]) -> Row | None:
    """A share of independent campaigns or crowds with its 95 % interval (Wilson 1927)."""
    n = len(hits)
    if not n:
        return None
    p, z2 = sum(hits) / n, _Z * _Z
    middle, half = (p + z2 / (2 * n)), _Z * float(np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return {"value": p, "low": max(0.0, low), "high": min(1.0, high), "n": n}


def mean(values: Sequence[float], resamples: int, seed: int) -> Row | None:
    """A mean over campaigns with its 95 % interval by resampling campaigns."""
    if not values:
        return None
    x = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    low, high = np.quantile(x[draws].mean(axis=1), [0.025, 0.975])
    return {"value": float(x.mean()), "low": float(low), "high": float(high), "n": len(x)}


def campaign_rows(worlds: Sequence[Row], resamples: int, seed: int) -> list[Row]:
    """One row for each row of the plan: found, early, leaks, throttled by the fifth request."""
    out = []
    for name, campaigns in _by_row(worlds, "campaigns").items():
        fifth = [c["fifth"]["throttled"] for c in campaigns if c["alerted"] and c["fifth"]]

        def of(field: str, among: Sequence[Row] = campaigns) -> Row | None:
            return mean([float(c[field]) for c in among], resamples, seed)

        out.append(
            {
                "row": name,
                "campaigns": len(campaigns),
                "accounts": sum(c["accounts"] for c in campaigns),
                "exchanges": sum(c["exchanges"] for c in campaigns),
                "alerted": share([c["alerted"] for c in campaigns]),
                "early": share([c["early"] for c in campaigns]),
                "leak_at_alert": of("leak_at_alert", [c for c in campaigns if c["alerted"]]),
                "leak_at_throttle": of("leak_at_throttle"),
                "leak_own_alone": of("leak_own_alone"),
                "fifth": mean(fifth, resamples, seed),
                "throttled": of("throttled"),
                "alerts": sum(c["alerts"] for c in campaigns),
                "purity": mean(
                    [c["purity"] for c in campaigns if c["purity"] is not None], resamples, seed
                ),
            }
        )
    return out


def rival_rows(worlds: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Share of the campaigns that each way of grouping flags, crowds that it flags, precision."""
    names = list(worlds[0]["rival_accounts"]) if worlds else []
    out = []
    for detector in (OURS, *names):
        found: Row = {"detector": detector}
        for name, campaigns in _by_row(worlds, "campaigns").items():
            hits = [c["alerted"] if detector == OURS else c["rivals"][detector] for c in campaigns]
            found[name] = share(hits)
        crowds = [c for w in worlds for c in w["crowds"]]
        flagged = [c["flagged"] if detector == OURS else c["rivals"][detector] for c in crowds]
        found["crowds flagged"] = f"{sum(flagged)} of {len(flagged)}"
        accounts = [
            w["throttled"] if detector == OURS else w["rival_accounts"][detector] for w in worlds
        ]
        found["precision"] = precision(accounts)
        out.append(found)
    return out


def precision(counts: Sequence[Row]) -> float | None:
    """Members of planted campaigns among all accounts acted on."""
    hit = sum(c.get("campaign", 0) for c in counts)
    every = sum(sum(c.values()) for c in counts)
    return hit / every if every else None


def crowd_rows(worlds: Sequence[Row]) -> list[Row]:
    """Innocent crowds by kind."""
    out = []
    for name, crowds in sorted(_by_row(worlds, "crowds").items()):
        accounts = sum(c["accounts"] for c in crowds)

        def part(field: str, of: Sequence[Row] = crowds, n: int = accounts) -> float:
            return float(sum(c[field] * c["accounts"] for c in of)) / n

        out.append(
            {
                "kind": name, "crowds": len(crowds), "accounts": accounts,
                "flagged": sum(c["flagged"] for c in crowds), "throttled": part("throttled"),
                "watched": part("watched"), "own_throttled": part("own_throttled"),
                "highest_score": max(c["score"] for c in crowds),
            }
        )  # fmt: skip
    return out


def link_rows(worlds: Sequence[Row]) -> list[Row]:
    """Each kind of link: how often it was planted in a campaign that was told of, and named."""
    planted: Counter[str] = Counter()
    named: Counter[str] = Counter()
    invented: Counter[str] = Counter()
    for campaign in (c for w in worlds for c in w["campaigns"] if c["alerted"]):
        have, said = set(campaign["planted"]), set(campaign["named"])
        planted.update(have)
        named.update(have & said)
        invented.update(said - have)
    return [
        {"link": kind, "planted": planted[kind], "named": named[kind], "invented": invented[kind]}
        for kind in sorted(planted | invented)
    ]


def worst_rows(worlds: Sequence[Row], most: int = 12) -> list[Row]:
    """Campaigns that were missed or told of late, the worst first."""
    found = [c for w in worlds for c in w["campaigns"] if not c["early"]]
    found.sort(key=lambda c: (-c["leak_at_alert"], c["row"], c["number"]))
    names = ("row", "world", "program", "family", "lang", "accounts", "leak_at_alert", "throttled",
             "score")  # fmt: skip
    return [{name: c[name] for name in names} for c in found[:most]]


def bar_rows(worlds: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """What the figures are held to."""
    by_name = {row["row"]: row for row in rows}
    out = [
        _bar(f"{name}: told of before a tenth is through", by_name[name]["early"], least)
        for name, least in BARS
        if name in by_name
    ]
    out += [
        _bar(f"{name}: members throttled from their fifth request on", by_name[name]["fifth"], 0.95)
        for name, _ in BARS
        if name in by_name
    ]
    evading = [r for r in rows if r["row"] not in {"100 accounts", *(n for n, _ in BARS)}]
    evading.sort(key=lambda r: (r["alerted"]["value"], r["row"]))
    if evading:
        out.append(_bar(f"the worst evasion ({evading[0]['row']})", evading[0]["alerted"], None))
    if len(evading) > 1:
        name = f"the next worst ({evading[1]['row']})"
        out.append(_bar(name, evading[1]["alerted"], EVASION_BAR))
    acted = precision([w["throttled"] for w in worlds])
    out.append(_bar("precision at throttle", _value(acted), PRECISION_BAR))
    crowds = [c for w in worlds for c in w["crowds"]]
    flagged = sum(c["flagged"] for c in crowds)
    out.append(
        {
            "bar": f"innocent crowds flagged, of {len(crowds)}", "wanted": "0",
            "measured": {"value": flagged}, "holds": flagged == 0,
        }
    )  # fmt: skip
    links = link_rows(worlds)
    planted = sum(r["planted"] for r in links)
    said = sum(r["named"] for r in links) / planted if planted else None
    out.append(_bar("planted links named by the alert", _value(said), LINKS_BAR))
    return out


def _bar(name: str, measured: Row | None, least: float | None) -> Row:
    held = None if measured is None or least is None else measured["value"] >= least
    wanted = "–" if least is None else f"≥ {least:g}"
    return {"bar": name, "wanted": wanted, "measured": measured, "holds": held}


def _value(found: float | None) -> Row | None:
    return None if found is None else {"value": found}


def _by_row(worlds: Sequence[Row], kind: str) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for made in (c for w in worlds for c in w[kind]):
        found[made["row"]].append(made)
    return dict(found)
