"""The report: Markdown for people, JSON for machines, two plots, a summary for the model card."""

from __future__ import annotations

import json
from pathlib import Path

from models.baselines.view import DIMENSIONS
from models.evaluate import sections, svg
from models.evaluate.findings import SHARED_LOOKS, Row
from models.evaluate.markdown import table_text


def write_report(out: Path, report: Row) -> list[Path]:
    """Writes report.md, report.json, summary.json and the plots; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    files = {
        "report.md": markdown(report),
        "report.json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "summary.json": json.dumps(summary(report), indent=1, ensure_ascii=False) + "\n",
        "shares.svg": _shares_plot(report, "general", 0.01),
        "literature.svg": _shares_plot(report, "literature", 0.001),
        "bank.svg": _bank_plot(report),
        "reliability.svg": svg.reliability(
            [(r["mean_score"], r["extraction"]) for r in report["reliability"]["scores"]],
            title="classes weighed alike, 100 requests",
        ),
    }
    for name, text in files.items():
        (out / name).write_text(text, "utf-8")
    return [out / name for name in files]


def summary(report: Row) -> Row:
    """What stands on the model card."""
    return {
        "scale": report["scale"], "benign_accounts": report["benign_accounts"],
        "hold_out": report["hold_out"], "bars": report["bars"],
        "other_bars": report["other_bars"],
    }  # fmt: skip


def markdown(report: Row) -> str:
    """The whole report as text."""
    parts = [
        "# Detection on traffic that training never saw",
        _preface(report),
        "## Against the bars, 100 requests (and 20)",
        "Figures are asked of the literature's setting; in the others the baselines are the bar.",
        table_text(sections.bar_rows(report["bars"])),
        "![TPR over attack share, the literature's setting](literature.svg)",
        "![TPR over attack share, general](shares.svg)",
        "## Against the other bars",
        sections.others(report),
    ]
    for setting in SHARED_LOOKS:
        for rate in report["rates"]:
            parts += [
                f"## {setting}: TPR at an account-FPR of {rate:g}",
                sections.cells(report, setting, rate),
            ]
    parts += [
        "## What the thresholds cost on benign accounts that set none",
        sections.costs(report),
    ]
    parts += ["## By family, source and language", sections.families(report)]
    parts += ["## Requests to the first alarm, exchanges lost before it", sections.alarms(report)]
    parts += ["## Precision among 1 M accounts with 1,000 attackers", sections.precision(report)]
    parts += ["## False alarms at p ≤ .05 by workload and language", sections.strata(report)]
    parts += [
        "## Simulated months of 30,000 benign accounts",
        "Split by account, calibration has seen the programs that the month's accounts run, as an "
        "operator's own has; split by program it has not. By workload: alarms beside that "
        "workload's share of the budget, at p ≤ .01.",
        sections.months(report),
    ]
    parts += [
        "## What alerts name first",
        "Pure harvests alarmed after 100 requests at an account-FPR of 0.01; right is a feature "
        "group that sees what was planted (`named_reasons.PLANTED`).",
        sections.reasons(report),
    ]
    parts += ["## Customers whom content cannot tell from harvesters", sections.depends(report)]
    parts += ["## Public templates", sections.templates(report)]
    parts += [
        "## Does more of the bank still pay?",
        "Models of parts of the bank and of nothing else, judged on the public templates; the "
        "interval resamples templates.",
        "![AUC over the size of the bank](bank.svg)",
        sections.curve(report),
    ]
    parts += ["## Captured tools, each judged without it", sections.captures(report)]
    parts += ["## Field cases, by the shipped models", sections.cases(report)]
    parts += ["## The worst ten mistakes", sections.mistakes(report)]
    parts += ["## Reliability", "![reliability](reliability.svg)", sections.reliability(report)]
    return "\n\n".join(parts) + "\n"


SETTINGS = """\
- *general*: benign accounts of every workload, hard negatives among them, four in ten mixed with \
chat; the attack's other requests are chat by programs that no training saw.
- *literature*: as published detectors were measured. Benign accounts are all of one data set \
(people's own chat messages, no hard negatives), split by account and not by program; the attack's \
prompts, of other sources, are mixed into the same data set by share. Every detector, ours too, \
is fitted with the same benign reference accounts of that data set; real prompts and accounts of \
the reference are in no judged account.
- *matched*: attack and benign programs draw the same items from the same lists, and mix in the \
same share of chat.
- Public templates are held out by origin; captured tools in folds of tools, \
judged by models that had everything else.
- Real prompts of the data folder are split by the hash of their words: what judged accounts send \
was in nobody's training. "Translated" harvests are those of programs in other languages than \
English."""

HELD_OUT = {
    "kind": "Whole attack families and benign workloads are held out in rotation: the model that "
    "judges an account never saw its kind, its program or its origin. Ordinary chat alone is held "
    "out by program, since every training mixes some in.",
    "program": "Programs and origins are held out in rotation.",
}


def _preface(report: Row) -> str:
    return (
        f"Scale {report['scale']:g} of the plan: {report['accounts']:,} accounts, of them "
        f"{report['benign_accounts']:,} benign, {report['requests']:,} requests, all composed. "
        f"{HELD_OUT[report['hold_out']]} Thresholds come from benign calibration accounts, for us "
        "and for the baselines alike; rates are measured on accounts of other programs. Intervals "
        "are 95 %, by resampling programs. A dash: too few calibration accounts to state the rate. "
        "A dagger: the rate is below 3 ÷ programs, so it is **composed only** and says nothing of "
        f"the field. {report['note']}\n\n{SETTINGS}\n- Baselines that embed prompts do so with "
        f"{DIMENSIONS} signed projections of hashed n-grams, not with a pretrained encoder."
    )


def _shares_plot(report: Row, setting: str, rate: float) -> str:
    series: dict[str, list[tuple[float, float]]] = {d: [] for d in report["detectors"]}
    for c in report["cells"]:
        if c["setting"] == setting and c["look"] == 100 and c["evasion"] == "none":
            for d, rates in c["tpr"].items():
                found = rates.get(f"{rate:g}")
                if found is not None:
                    series[d].append((c["share"], found["value"]))
    shares = sorted({x for points in series.values() for x, _ in points})
    title = f"{setting}: TPR, 100 requests, account-FPR {rate:g}"
    return svg.lines(series, shares, title=title, below="attack share")


def _bank_plot(report: Row) -> str:
    rows = report["learning_curve"]
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in (("AUC", row["auc"]), ("TPR", row["tpr"])):
            if value is not None:
                series.setdefault(f"{name}, {row['look']} requests", []).append(
                    (row["part"], value)
                )
    parts = sorted({row["part"] for row in rows})
    return svg.lines(
        series, parts, title="public templates, trained on the bank alone", below="part of the bank"
    )
