"""The table of bars says what was reached, and plots are whole."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from models.evaluate import svg
from models.evaluate.bars import bars_table
from models.evaluate.shards import OURS


def rate(value: float) -> dict[str, float]:
    """A rate with an interval of a tenth to both sides."""
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


@pytest.mark.parametrize(
    ("share", "ours", "rival", "reached", "ahead"),
    [
        (0.25, 0.96, 0.5, True, True),
        (0.25, 0.5, 0.55, False, False),  # at a small share any baseline above us counts
        (1.0, 0.9, 0.95, False, True),  # at a large one only beyond the interval
        (1.0, 0.5, 0.95, False, False),
    ],
)
def test_bars(share: float, ours: float, rival: float, reached: bool, ahead: bool) -> None:
    """Against the bar of that share, and against the best of the baselines."""
    cell = {
        "setting": "literature", "look": 100, "share": share, "evasion": "none", "programs": 9,
        "tpr": {
            OURS: {"0.001": rate(ours), "0.01": None},
            "weak": {"0.001": rate(0.01), "0.01": None},
            "strong": {"0.001": rate(rival), "0.01": None},
            "loud": {"0.001": rate(1.0), "0.01": None},
        },
    }  # fmt: skip
    known = {d: {"0.001": rate(0.001), "0.01": None} for d in (OURS, "weak", "strong")}
    known["loud"] = {"0.001": rate(0.1), "0.01": None}
    told, unknown = bars_table([cell], [{"setting": "literature", "look": 100, "fpr": known}])
    assert (told["reached"], told["ahead"]) == (reached, ahead)
    assert told["best_baseline"] == "strong"
    assert told["over_budget"] == ["loud"]
    elsewhere = {**cell, "setting": "general"}
    other, _ = bars_table([elsewhere], [{"setting": "general", "look": 100, "fpr": known}])
    assert (other["bar"], other["reached"], other["ahead"]) == (None, None, ahead)
    assert (unknown["reached"], unknown["ahead"], unknown["ours"]) == (None, None, None)


def test_plots_are_whole() -> None:
    """Plots parse as XML, draw every series, and names with marks in them do no harm."""
    shares = (0.05, 0.25, 1.0)
    series = {"ours <&>": [(s, s) for s in shares], "other": [(s, 0.0) for s in shares]}
    drawn = ET.fromstring(svg.lines(series, shares, title="t", below="share"))  # noqa: S314
    assert len(drawn.findall("{*}polyline")) == 2
    assert "ours <&>" in {t.text for t in drawn.findall("{*}text")}
    dots = ET.fromstring(svg.reliability([(0.1, 0.2), (0.9, 0.8)], title="t"))  # noqa: S314
    assert len(dots.findall("{*}circle")) == 2
