"""Switching workers to an operator's calibration, and to a policy with an alert budget."""

from __future__ import annotations

from pathlib import Path

import msgspec

from detector.control import CONTROL, Applied, ModelSwitch, PolicySwitch, SwitchRecord, read_control
from detector.pipeline import load_models
from tests.detector.test_calibration import calibration
from tests.detector.tiny_models import write_tiny_models
from tests.detector.worker_rig import (
    POLICY_TEXT,
    drain,
    new_log,
    new_worker,
    read_all,
    say,
    small_day,
)

BY = {"by": "analyst", "reason": "a test"}


def test_a_switch_may_name_a_calibration_and_a_policy_a_budget(tmp_path: Path) -> None:
    """Models with an operator's calibration are applied, under a version that names it; one made
    with other models, and a budget that it cannot state, are refused with what to do."""
    folder = write_tiny_models(tmp_path / "models")
    own, foreign = tmp_path / "own.json", tmp_path / "foreign.json"
    made = calibration(folder, [i / 3000 for i in range(2999)])
    made.write(own)
    msgspec.structs.replace(made, models="0" * 16).write(foreign)
    version = load_models(folder, calibration=own).version
    tiny = load_models(folder).version
    budget = POLICY_TEXT + "\n[budget]\nactive_accounts_per_day = 3000\nthrottle_per_day = {}\n"
    switches: list[SwitchRecord] = [
        ModelSwitch(**BY, folder=str(folder), version="v", calibration=str(foreign)),
        ModelSwitch(**BY, folder=str(folder), version=version, calibration=str(own)),
        PolicySwitch(**BY, text=budget.format(0.5), stamp="small"),
        PolicySwitch(**BY, text=budget.format(1), stamp="large"),
        ModelSwitch(**BY, folder=str(folder), version=tiny),
    ]
    log = new_log(small_day())
    worker = new_worker(log, load=load_models)
    for switch in switches:
        say(log, switch)
    drain(worker, log=log)
    marks = [body for r in read_all(log, CONTROL) if isinstance(body := read_control(r), Applied)]
    results = {result.offset: result.refused for mark in marks for result in mark.results}
    refused = [results[offset] for offset in sorted(results)[-len(switches) :]]
    assert "was made with models" in (refused[0] or "")
    assert refused[1] is refused[3] is None
    assert "budget.throttle_per_day = 0.5" in (refused[2] or "")
    assert "budget.throttle_per_day = 1 " in (refused[4] or "")
    worker.close()
