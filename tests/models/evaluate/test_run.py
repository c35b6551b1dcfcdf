"""The whole evaluation at a hundredth of its plan, on folders that nobody has seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.baselines import BASELINES
from models.command_line import ARTIFACTS
from models.evaluate.estimate import Estimate
from models.evaluate.fold_models import split_folders
from models.evaluate.plan import load_plan
from models.evaluate.report import write_report
from models.evaluate.run import Order, evaluate
from models.evaluate.shards import OURS
from tests.models.evaluate.foreign_folder import foreign_folder


@pytest.mark.slow
def test_a_hundredth_of_the_plan(tmp_path: Path) -> None:
    """It runs from an empty cache to a report that has every cell for us and every baseline, and
    templates, captures and cases of the folders given; a second run composes nothing, trains
    nothing and reports the same."""
    given = foreign_folder(tmp_path / "given")
    folders = split_folders(given.data, given.captures, tmp_path / "cache")
    order = Order(load_plan(), folders, 0.01, 2, given.cases, ARTIFACTS)
    stages: list[str] = []
    told: list[Estimate] = []
    report = evaluate(order, lambda stage, done, total: stages.append(stage), told.append)
    assert "requests composed and scored" in stages
    settings = {(c["setting"], c["look"], c["share"]) for c in report["cells"]}
    assert {("general", n, s) for n in (20, 100, 667, 1152) for s in (0.05, 1.0)} <= settings
    assert {("literature", 100, 0.25), ("matched", 100, 0.25)} <= settings
    assert all(set(c["tpr"]) == {OURS, *(b.name for b in BASELINES)} for c in report["cells"])
    assert {t["trained"] for t in report["templates"]} == {"bank alone", "other origins too"}
    assert {c["part"] for c in report["learning_curve"]} == {0.125, 0.25, 0.5, 1.0}
    assert report["captures"]["table"][0]["A_accounts"] == 1
    assert {c["cases"] for c in report["cases"]} == {"benign", "extraction"}
    stages.clear()
    again = evaluate(order, lambda stage, done, total: stages.append(stage), told.append)
    assert not set(stages) & {"requests composed and scored", "baselines"}
    assert json.dumps(again) == json.dumps(report)
    first, second = told
    assert (second.models, second.requests) == (0, 0)
    assert first.models > 0
    assert first.seconds > second.seconds
    files = write_report(tmp_path / "out", report)
    assert json.loads((tmp_path / "out/report.json").read_text("utf-8"))["cells"]
    text = (tmp_path / "out/report.md").read_text("utf-8")
    assert "figures mean nothing" in text
    assert all(path.stat().st_size > 300 for path in files)
