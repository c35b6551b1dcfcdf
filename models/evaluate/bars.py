"""The bars that detection is to clear, beside what was measured and the best baseline."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluate.findings import SHARED_LOOKS, Row
from models.evaluate.shards import OURS

BARS: tuple[tuple[int, float, float], ...] = (
    (100, 1.0, 0.99), (100, 0.5, 0.0), (100, 0.25, 0.95), (100, 0.1, 0.60), (100, 0.05, 0.30),
    (20, 1.0, 0.80),
)  # fmt: skip
"""(requests, share, least TPR at an account-FPR of BAR_RATES[0]); 0 where only baselines are a bar.
They hold as the literature measures; in the other settings the same cells have honest figures and
the baselines as their bar."""

BARRED = "literature"

NOT_BELOW_FROM = 0.5
"""From this share on only "not below beyond the interval" is asked, below it more than any."""

OVER_BUDGET = 2.0
BAR_RATES = (0.001, 0.01)
"""The bar is at the first; the second is told beside it, since few accounts can state the first."""


def bars_table(cells: Sequence[Row], costs: Sequence[Row]) -> list[Row]:
    """One row a bar, setting and rate: our TPR, the bar, the best baseline and which it is.

    A baseline whose false alarms on test accounts are more than OVER_BUDGET times the rate does not
    work at that rate; it is named, but is no rival in `ahead`; in `ahead_of_all` every one is.
    """
    out = []
    for setting in SHARED_LOOKS:
        for look, share, bar in BARS:
            cell = next(
                (
                    c for c in cells
                    if c["setting"] == setting and c["look"] == look and c["share"] == share
                    and c["evasion"] == "none"
                ),
                None,
            )  # fmt: skip
            if cell is None:
                continue
            cost = next(c for c in costs if (c["setting"], c["look"]) == (setting, look))
            asked = bar if setting == BARRED else 0.0
            out += [_row(cell, cost, share, asked, rate) for rate in BAR_RATES]
    return out


def _row(cell: Row, cost: Row, share: float, bar: float, rate: float) -> Row:
    found = {d: rates.get(f"{rate:g}") for d, rates in cell["tpr"].items()}
    fpr = {d: rates.get(f"{rate:g}") for d, rates in cost["fpr"].items()}
    ours = found.pop(OURS)
    told = {d: r for d, r in found.items() if r is not None and fpr[d] is not None}
    rivals = {d: r for d, r in told.items() if fpr[d]["value"] <= OVER_BUDGET * rate}
    best = max(rivals, key=lambda d: rivals[d]["value"], default=None)
    highest = max(told, key=lambda d: told[d]["value"], default=None)
    return {
        "setting": cell["setting"], "requests": cell["look"], "share": share, "rate": rate,
        "bar": bar or None, "ours": ours, "programs": cell["programs"], "our_fpr": fpr[OURS],
        "reached": None if ours is None or not bar else ours["value"] >= bar,
        "best_baseline": best, "best": rivals[best] if best else None,
        "ahead": _ahead(ours, rivals[best] if best else None, share),
        "ahead_of_all": _ahead(ours, told[highest] if highest else None, share),
        "over_budget": sorted(told.keys() - rivals.keys()),
    }  # fmt: skip


def _ahead(ours: Row | None, other: Row | None, share: float) -> bool | None:
    if ours is None or other is None:
        return None
    if share >= NOT_BELOW_FROM:
        return bool(ours["high"] >= other["value"])
    return bool(ours["value"] > other["value"])
