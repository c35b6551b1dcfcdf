"""The bars beside the table of shares: captures, templates, languages, cases, months, reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.evaluate.findings import Row

LANGUAGE_ACCOUNTS = 400
"""Only languages with so many benign accounts are held to the bar."""

Bar = tuple[str, float, float, bool]
"""What is asked, the bar, what was measured, and whether more is better."""


def other_bars(report: Row) -> list[Row]:
    """One row a bar whose figures the report has."""
    found = [
        *_templates(report["templates"]), *_captures(report["captures"]),
        *_languages(report["benign_strata"]), *_cases(report["cases"] or ()),
        *_months(report["months"]), *_reasons(report["reasons"]),
    ]  # fmt: skip
    return [
        {
            "what": what, "bar": bar, "at": "least" if more else "most",
            "measured": round(value, 4), "reached": value >= bar if more else value <= bar,
        }
        for what, bar, value, more in found
    ]  # fmt: skip


def _templates(rows: Sequence[Row]) -> Iterator[Bar]:
    for row in rows:
        if row["by"] != "all":
            continue
        where = f"templates, {row['look']} requests, trained on {row['trained']}"
        if row["trained"] == "bank alone":
            yield f"{where}: AUC", 0.78, row["auc"], True
        else:
            yield f"{where}: AUC", 0.84, row["auc"], True
            if row["tpr"] is not None:
                yield f"{where}: TPR at 5 %", 0.42, row["tpr"], True


def _captures(found: Row | None) -> Iterator[Bar]:
    if found is None:
        return
    for row in found["table"]:
        where = f"captures at {row['stretch']}"
        yield f"{where}: A_ at throttle within 200", 0.55, row["A_throttle"], True
        yield f"{where}: A_ at watch within 200", 0.75, row["A_watch"], True
        yield f"{where}: B_ at watch", 0.15, row["B_watch"], False
    names = {name.split("@")[0] for name in found["benign_throttled"]}
    yield "captures: B_ ever at throttle", 1, len(names), False


def _languages(rows: Sequence[Row]) -> Iterator[Bar]:
    times = [
        r["times_pooled"]
        for r in rows
        if r["by"] == "lang" and r["accounts"] >= LANGUAGE_ACCOUNTS
    ]  # fmt: skip
    if times:
        named = (
            f"{len(times)} languages of {LANGUAGE_ACCOUNTS} accounts and more, alarms at p ≤ .05"
        )
        yield f"{named}: largest, times the pooled rate", 2.0, max(times), False
        yield f"{named}: smallest, times the pooled rate", 0.5, min(times), True


def _cases(rows: Sequence[Row]) -> Iterator[Bar]:
    for row in rows:
        where = f"field cases mixed into {row['mixed_into']}"
        if row["cases"] == "benign":
            yield f"{where}: benign at throttle", 0, row["throttle"], False
            yield f"{where}: benign at watch", 0.1, row["watch"] / row["count"], False
            continue
        # which texts carry a cue the file does not say: all of them, and those where ours fires
        yield f"{where}: extraction at watch, all cases", 0.8, row["watch"] / row["count"], True
        if row["with_cue"]:
            yield f"{where}: watched by the cue", 0.8, row["by_cue"] / row["with_cue"], True


def _months(rows: Sequence[Row]) -> Iterator[Bar]:
    for row in rows:
        if row["split by"] == "account":
            yield (
                f"months inside their budget's interval, p ≤ {row['p ≤']:g}",
                0.9,
                row["months inside"],
                True,
            )


def _reasons(rows: Sequence[Row]) -> Iterator[Bar]:
    for row in rows[:1]:
        yield "alerts whose first reason is what was planted", 0.9, row["right"], True
