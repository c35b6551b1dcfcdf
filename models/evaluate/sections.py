"""The report's sections as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluate.findings import Row
from models.evaluate.markdown import Table, number_text, rate_text, rows_text, table_text
from models.evaluate.shards import OURS


def bar_rows(bars: Sequence[Row]) -> Table:
    """Head and rows of the table of bars."""
    rows = [
        ["setting", "requests", "share", "FPR", "measured", "bar", "ours", "best baseline", "bar?",
         "baselines?", "all of them?", "over their budget"]
    ]  # fmt: skip
    for b in bars:
        best = f"{rate_text(b['best'])} {b['best_baseline']}" if b["best_baseline"] else "–"
        told = {None: "–", True: "yes", False: "**no**"}
        rows.append(
            [b["setting"], str(b["requests"]), f"{b['share']:.0%}", f"{b['rate']:g}",
             rate_text(b["our_fpr"], short=True), f"{b['bar']:.2f}" if b["bar"] else "–",
             rate_text(b["ours"]), best, told[b["reached"]], told[b["ahead"]],
             told[b["ahead_of_all"]], ", ".join(b["over_budget"])]
        )  # fmt: skip
    return rows


def others(report: Row) -> str:
    """The other bars."""
    rows = [["what", "bar", "measured", "reached?"]]
    for b in report["other_bars"]:
        sign = "≥" if b["at"] == "least" else "≤"
        rows.append(
            [b["what"], f"{sign} {b['bar']:g}", f"{b['measured']:g}",
             "yes" if b["reached"] else "**no**"]
        )  # fmt: skip
    return table_text(rows)


def cells(report: Row, setting: str, rate: float) -> str:
    """Every detector in every cell of a setting at one rate."""
    detectors = report["detectors"]
    cells = [c for c in report["cells"] if c["setting"] == setting]
    if all(c["tpr"][d][f"{rate:g}"] is None for c in cells for d in detectors):
        return "Too few calibration accounts state this rate."
    rows = [["requests", "share", "evasion", "programs", *detectors]]
    for c in sorted(cells, key=lambda c: (c["evasion"] != "none", c["look"], c["share"])):
        found = [rate_text(c["tpr"][d][f"{rate:g}"], short=d != OURS) for d in detectors]
        mark = _dagger(report, setting, c["look"], rate)
        rows.append(
            [str(c["look"]) + mark, f"{c['share']:.0%}", c["evasion"], str(c["programs"]), *found]
        )
    return table_text(rows)


def _dagger(report: Row, setting: str, look: int, rate: float) -> str:
    for cost in report["false_positives"]:
        if cost["setting"] == setting and cost["look"] == look:
            return "†" if rate < cost["composed_only_below"] else ""
    return ""


def costs(report: Row) -> str:
    """What thresholds cost on benign accounts that set none."""
    rates = [f"{r:g}" for r in report["rates"]]
    rows = [["setting", "requests", "calibration", "test", "programs",
             *(f"{d} at {r}" for d in (OURS, "bag of words") for r in rates)]]  # fmt: skip
    for c in report["false_positives"]:
        fpr = [rate_text(c["fpr"][d][r]) for d in (OURS, "bag of words") for r in rates]
        rows.append([c["setting"], str(c["look"]), str(c["calibration_accounts"]),
                     str(c["test_accounts"]), str(c["programs"]), *fpr])  # fmt: skip
    return table_text(rows)


def families(report: Row) -> str:
    """Our TPR by family, source and language."""
    rates = [f"{r:g}" for r in report["rates"]]
    rows = [["by", "name", "share", "programs", *(f"TPR at {r}" for r in rates)]]
    rows += [
        [
            f["by"],
            f["name"],
            f"{f['share']:.0%}",
            str(f["programs"]),
            *(rate_text(f["tpr"][r]) for r in rates),
        ]
        for f in report["families"]
    ]
    return table_text(rows)


def alarms(report: Row) -> str:
    """Requests to the first alarm and exchanges lost before it."""
    rows = [["requests", "share", "evasion", "FPR", "caught", "median requests", "caught by",
             "exchanges lost: mean, median"]]  # fmt: skip
    for a in report["to_alarm"]:
        by = ", ".join(f"{n}: {v:.2f}" for n, v in a["caught_by"].items())
        at = "–" if a["median_requests"] is None else f"{a['median_requests']:g}"
        rows.append([str(a["requests"]), f"{a['share']:.0%}", a["evasion"], f"{a['rate']:g}",
                     f"{a['caught']:.2f}", at, by,
                     f"{a['leaked_mean']:g}, {a['leaked_median']:g}"])  # fmt: skip
    return table_text(rows)


def precision(report: Row) -> str:
    """Precision at scale."""
    rows = [["share", "detector", "FPR", "precision at the rate set", "at the rate measured"]]
    rows += [
        [
            f"{p['share']:.0%}",
            p["detector"],
            f"{p['rate']:g}",
            number_text(p["at_set"]),
            number_text(p["at_measured"]),
        ]
        for p in report["precision"]
        if p["share"] in (1.0, 0.25)
    ]
    return table_text(rows)


def strata(report: Row) -> str:
    """False alarms by workload and language."""
    rows = [["by", "name", "accounts", "programs", "rate", "times the pooled rate"]]
    rows += [
        [
            s["by"],
            s["name"],
            str(s["accounts"]),
            str(s["programs"]),
            rate_text(s),
            f"{s['times_pooled']:.2f}",
        ]
        for s in report["benign_strata"]
    ]
    return table_text(rows)


def depends(report: Row) -> str:
    """Customers whom content cannot tell from harvesters."""
    rates = [f"{r:g}" for r in report["rates"]]
    rows = [["requests", "programs", "accounts", *(f"alarmed at {r}" for r in rates)]]
    rows += [
        [
            str(c["look"]),
            str(c["programs"]),
            str(c["accounts"]),
            *(rate_text(c["tpr"][OURS][r]) for r in rates),
        ]
        for c in report["cells"]
        if c["setting"] == "depends"
    ]
    return table_text(rows)


def templates(report: Row) -> str:
    """Public templates."""
    rows = [["trained on", "requests", "by", "name", "extraction", "AUC", "TPR at 5 %",
             "bag of words: AUC", "TPR at 5 %"]]  # fmt: skip
    rows += [
        [
            t["trained"],
            str(t["look"]),
            t["by"],
            t["name"],
            str(t["accounts"]),
            f"{t['auc']:.3f}",
            number_text(t["tpr"]),
            f"{t['bag_auc']:.3f}",
            number_text(t["bag_tpr"]),
        ]
        for t in report["templates"]
    ]
    return table_text(rows)


def curve(report: Row) -> str:
    """Learning curve over the size of the bank."""
    rows = [["part of the bank", "requests", "AUC", "TPR at 5 %"]]
    rows += [
        [
            f"{c['part']:.3g}",
            str(c["look"]),
            f"{c['auc']:.3f} ({c['low']:.3f}–{c['high']:.3f})",
            number_text(c["tpr"]),
        ]
        for c in report["learning_curve"]
    ]
    return table_text(rows)


def months(report: Row) -> str:
    """Simulated months, all and by workload."""
    return rows_text(report["months"]) + "\n\n" + rows_text(report["month_strata"])


def reasons(report: Row) -> str:
    """What alerts name first."""
    return rows_text(report["reasons"])


def captures(report: Row) -> str:
    """Captured tools."""
    found = report["captures"]
    if found is None:
        return "Not measured: no captures were given."
    named = ", ".join(found["benign_throttled"]) or "none"
    return rows_text(found["table"]) + f"\n\nBenign captures at `throttle` or above: {named}."


def cases(report: Row) -> str:
    """Field cases, the wrongly accused by name."""
    if not report["cases"]:
        return "Not measured: no cases were given."
    named = "\n".join(
        f"- {c['cases']}, mixed into {c['mixed_into']}: "
        + ("wrongly accused: " if c["cases"] == "benign" else "missed: ")
        + (", ".join(c["named"]) or "none")
        for c in report["cases"]
    )
    return rows_text(
        [
            {k: "–" if v is None else v for k, v in c.items() if k != "named"}
            for c in report["cases"]
        ]
    ) + (f"\n\n{named}")


def mistakes(report: Row) -> str:
    """The worst ten mistakes with what spoke."""
    lines = []
    for m in report["mistakes"]:
        groups = "; ".join(
            f"{g['group']} {g['contribution']:+.2f}"
            + (" (" + ", ".join(f"{n} {v:g}" for n, v in g["features"].items()) + ")"
               if g["features"] else "")
            for g in m["groups"]
        )  # fmt: skip
        score = "never scored" if m["score"] is None else f"{m['score']:.3f}"
        lines.append(f"- {m['mistake']} ({score}): `{m['program']}`, {m['family']}, {m['lang']}: "
                     f"{groups}")  # fmt: skip
    return "\n".join(lines) or "None: nothing was judged."


def reliability(report: Row) -> str:
    """Whether scores and p-values mean what they say."""
    found = report["reliability"]
    return rows_text(found["scores"]) + "\n\n" + rows_text(found["p_values"])
