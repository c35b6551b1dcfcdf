"""The whole evaluation at a hundredth of its plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.baselines import BASELINES
from models.command_line import ARTIFACTS
from models.evaluate.fold_models import Folders
from models.evaluate.plan import load_plan
from models.evaluate.report import write_report
from models.evaluate.run import Order, evaluate
from models.evaluate.shards import OURS


@pytest.mark.slow
def test_a_hundredth_of_the_plan(tmp_path: Path) -> None:
    """It runs from an empty cache to a report that has every cell for us and every baseline; a
    second run composes nothing and reports the same."""
    order = Order(
        load_plan(), Folders(None, None, None, tmp_path / "cache"), 0.01, 2, None, ARTIFACTS
    )
    stages: list[str] = []
    report = evaluate(order, lambda stage, done, total: stages.append(stage))
    assert "requests composed and scored" in stages
    settings = {(c["setting"], c["look"], c["share"]) for c in report["cells"]}
    assert {("general", n, s) for n in (20, 100, 667, 1152) for s in (0.05, 1.0)} <= settings
    assert {("literature", 100, 0.25), ("matched", 100, 0.25)} <= settings
    assert all(set(c["tpr"]) == {OURS, *(b.name for b in BASELINES)} for c in report["cells"])
    stages.clear()
    again = evaluate(order, lambda stage, done, total: stages.append(stage))
    assert set(stages) == {"report"}
    assert json.dumps(again) == json.dumps(report)
    files = write_report(tmp_path / "out", report)
    assert json.loads((tmp_path / "out/report.json").read_text("utf-8"))["cells"]
    text = (tmp_path / "out/report.md").read_text("utf-8")
    assert "figures mean nothing" in text
    assert all(path.stat().st_size > 300 for path in files)
