"""The report on campaigns: Markdown for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.campaigns import sections
from models.campaigns.figures import Row
from models.campaigns.plan import CampaignPlan, load_plan
from models.evaluate.markdown import table_text


def make_report(plan: CampaignPlan, scale: float, worlds: Sequence[Row], draw: str) -> Row:
    """All tables as plain data."""
    rows = sections.campaign_rows(worlds, plan.bootstrap, plan.seed)
    order = {row.name: at for at, row in enumerate(plan.rows)}
    rows.sort(key=lambda row: order[row["row"]])
    first = worlds[0]["accounts"] if worlds else {"strangers": 0}
    return {
        "scale": scale,
        "whole_plan": plan == load_plan(),
        "draw": draw,
        "worlds": len(worlds),
        "strangers": first["strangers"],
        "crowds": sum(len(w["crowds"]) for w in worlds),
        "crowd_accounts": sum(w["accounts"]["crowd"] for w in worlds),
        "campaign_accounts": sum(w["accounts"]["campaign"] for w in worlds),
        "requests_judged": sum(w["requests"] for w in worlds),
        "sightings_judged": sum(w["sightings"] for w in worlds),
        "bars": sections.bar_rows(worlds, rows),
        "campaigns": rows,
        "detectors": sections.rival_rows(worlds, rows),
        "crowd_kinds": sections.crowd_rows(worlds),
        "links": sections.link_rows(worlds),
        "acted_on": {
            name: {
                kind: sum(w[name].get(kind, 0) for w in worlds)
                for kind in ("campaign", "crowd", "strangers")
            }
            for name in ("throttled", "watched", "own_throttled")
        },
        "stray": [dict(stray, world=w["world"]) for w in worlds for stray in w["stray"]],
        "worst": sections.worst_rows(worlds),
    }


def write_report(out: Path, report: Row) -> list[Path]:
    """Writes campaigns.md and campaigns.json; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    files = {
        "campaigns.md": markdown(report),
        "campaigns.json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        (out / name).write_text(text, "utf-8")
    return [out / name for name in files]


def markdown(report: Row) -> str:
    """The whole report as text."""
    acted = report["acted_on"]
    parts = [
        "# Campaigns: accounts that act together",
        _preface(report),
        "## Against the bars",
        _table(report["bars"], ("bar", "wanted", "measured", "holds")),
        "## Campaigns by size and evasion",
        "`early`: told of before a tenth of the day's exchanges was through. Leaks are shares of "
        "all answered exchanges of the campaign: before its alert (of those that had one), and "
        "before each account's own throttle, by the campaign or by the account's own verdict; "
        "`own alone`: had there been no campaigns. `fifth`: of members that sent five requests "
        "and more after the alert, the share that was throttled when the fifth came.",
        _table(
            report["campaigns"],
            ("row", "campaigns", "accounts", "alerted", "early", "leak_at_alert",
             "leak_at_throttle", "leak_own_alone", "fifth", "throttled", "alerts", "purity"),
        ),
        "## Beside other ways to group accounts",
        "Share of the campaigns flagged. The others see the whole day at once; their thresholds "
        "are the lowest that flag no crowd, and no more than one stranger in ten thousand, of "
        "the tuning draw. They flag a campaign, or a crowd, where half of its accounts are above.",
        _table(report["detectors"], tuple(report["detectors"][0])),
        "## Innocent crowds",
        "`flagged`: a campaign was told of that is mostly of the crowd, or a tenth of it was "
        "throttled by one.",
        _table(
            report["crowd_kinds"],
            ("kind", "crowds", "accounts", "flagged", "throttled", "watched", "own_throttled",
             "highest_score"),
        ),
        "## Accounts acted on",
        _table(
            [{"verdict of": name, **acted[name]} for name in acted],
            ("verdict of", "campaign", "crowd", "strangers"),
        ),
        f"Campaigns told of that are mostly of strangers: {len(report['stray'])}.",
        "## Links named",
        "Of the campaigns told of: how many had the link planted, how many of those alerts name "
        "it, and how many alerts name it though it was not planted.",
        _table(report["links"], ("link", "planted", "named", "invented")),
        "## Missed or late",
        _table(
            report["worst"],
            ("row", "world", "program", "family", "lang", "accounts", "leak_at_alert", "throttled",
             "score"),
        ),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _preface(report: Row) -> str:
    said = [
        f"Made by `python -m models evaluate-campaigns --scale {report['scale']:g}` on the "
        f"{report['draw']} draw: {report['worlds']} worlds of one day, each with the same "
        f"{report['strangers']:,} unrelated benign accounts, its own crowds ({report['crowds']} in "
        f"all, {report['crowd_accounts']:,} accounts) and campaigns "
        f"({report['campaign_accounts']:,} accounts). {report['requests_judged']:,} requests and "
        f"{report['sightings_judged']:,} sightings were judged.",
        "All of it is composed: figures say what the detector does on traffic of this kind, not "
        "what it would do on a provider's. Programs, seeds and sizes are disjoint from those "
        "that its thresholds were shaped on (the tuning draw: other author batches of the bank). "
        "The account classifier was trained on the whole bank, so the leak by own verdicts "
        "alone is flattered.",
        "Intervals are 95 %: Wilson for shares of campaigns, resampled campaigns for means.",
    ]
    if not report["whole_plan"]:
        said.append(
            "**This is a run at a part of the plan, with fewer and smaller campaigns: it shows "
            "that the protocol runs, and its figures mean little.**"
        )
    return "\n\n".join(said)


def _table(rows: Sequence[Row], names: Sequence[str]) -> str:
    head = [name.replace("_", " ") for name in names]
    return table_text([head, *([_text(row.get(name)) for name in names] for row in rows)])


def _text(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case {"value": found, "low": low, "high": high}:
            return f"{_short(found)} ({_short(low)}–{_short(high)})"
        case {"value": found}:
            return _short(found)
        case float():
            return _short(value)
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
