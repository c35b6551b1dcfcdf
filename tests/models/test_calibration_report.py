"""Alarm rates by stratum: counted plainly, with intervals that know how many programs there are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.accounts import Account
from models.calibration_report import rate_interval, report_on, without_own_program


def accounts(n_programs: int, copies: int) -> list[Account]:
    """Benign accounts; every tenth program judges, every second is German."""
    return [
        Account(f"p{i}#{c}", f"p{i}", "b", 0, "judge" if i % 10 == 0 else "chat", "bank", [])
        for i in range(n_programs)
        for c in range(copies)
    ]


def test_p_values_leave_the_own_program_out() -> None:
    """Against a recount, ties included: its own other accounts say nothing for an account."""
    rng = np.random.default_rng(3)
    scores = np.round(rng.random(60), 1)
    programs = np.array([f"p{i % 17}" for i in range(60)])
    got = without_own_program(scores, programs)
    for i in range(60):
        others = scores[programs != programs[i]]
        assert got[i] == (1 + (others >= scores[i]).sum()) / (1 + len(others))


def test_strata_are_counted_and_one_that_differs_is_marked() -> None:
    """Judges that score high are alarmed far more than all and are marked; languages are not; the
    report is plain JSON and the same for the same seed."""
    made = accounts(200, 2)
    scores = np.random.default_rng(5).random(len(made)) * 0.5
    scores[[a.kind == "judge" for a in made]] += 0.4
    languages = {a.group: "de" if int(a.group[1:]) % 2 else "en" for a in made}
    report = report_on(scores, made, languages, {"watch": 0.05}, seed=1)
    assert json.loads(json.dumps(report)) == report
    assert report == report_on(scores, made, languages, {"watch": 0.05}, seed=1)
    rows = {(s["by"], s["name"]): s for s in report["strata"]}
    assert set(rows) == {
        ("all", "all"), ("workload", "judge"), ("workload", "chat"),
        ("language", "de"), ("language", "en"),
    }  # fmt: skip
    for by in ("workload", "language"):
        mine = [s for s in report["strata"] if s["by"] == by]
        for field in ("accounts", "programs", "alarms"):
            assert sum(s[field] for s in mine) == rows["all", "all"][field]
    judge = rows["workload", "judge"]
    assert (judge["accounts"], judge["programs"]) == (40, 20)
    assert judge["rate"] > 0.3
    assert judge["differs"]
    assert [key for key, s in rows.items() if s["differs"] and key[0] == "language"] == []


def test_intervals_are_clopper_and_pearsons() -> None:
    """A published example (10 of 100 and none of 10), wide for few programs however many accounts
    they ran, and never beyond 0 and 1."""
    assert rate_interval(0.1, 100) == pytest.approx((0.0490, 0.1762), abs=1e-4)
    assert rate_interval(0.0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert rate_interval(1.0, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    low, high = rate_interval(0.05, 7)
    assert 0.0 <= low < 0.05 < high <= 1.0
