"""How often benign accounts are alarmed, by workload and by language, at the policy's p-values.

Scores are cross-fitted as for the shipped table: neither cue model nor classifier saw an account's
program, and its p-value is read from the accounts of all other programs. Strata are only reported;
one calibration holds for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from models.accounts import Account
from models.public_templates import read_templates
from models.simulated_month import simulate_months
from models.texts import bank_programs
from models.train import calibrates, held_out_scores
from models.workshop import Step, cross_fitted, gather

TWOFOLD = 2.0


@dataclass(frozen=True, slots=True)
class Stratum:
    """Alarms among the benign accounts of one stratum at one p-value.

    Attributes:
        by: "all", "workload" or "language". name: of the stratum.
        p_value: accounts at or below are alarmed.
        accounts, programs, alarms: counts.
        rate: alarms / accounts. low, high: its 95 % interval, see `rate_interval`.
        differs: the whole interval is more than twofold away from the rate of all accounts.
    """

    by: str
    name: str
    p_value: float
    accounts: int
    programs: int
    alarms: int
    rate: float
    low: float
    high: float
    differs: bool


def calibration_report(
    data: Path | None,
    captures: Path | None,
    p_values: Mapping[str, float],
    *,
    seed: int,
    step: Step,
) -> dict[str, Any]:
    """Strata and simulated months at each named p-value, ready for JSON.

    With the folders and the seed that `train` had, the scores are those of the shipped table.
    """
    material = gather(data, captures, seed, step)
    samples = cross_fitted(material, None, step).samples
    step("scoring by classifiers that did not see the program")
    scores, _ = held_out_scores(material, samples)
    use = calibrates(scores, material.accounts)
    accounts = [a for a, counts in zip(material.accounts, use.tolist(), strict=True) if counts]
    languages = _languages(data)
    return report_on(scores[use], accounts, languages, p_values, seed=seed)


def report_on(
    scores: NDArray[np.float64],
    accounts: Sequence[Account],
    languages: Mapping[str, str],
    p_values: Mapping[str, float],
    *,
    seed: int,
) -> dict[str, Any]:
    """The report on benign accounts with held-out scores, shape (a,); `languages` by program."""
    programs = np.array([a.group for a in accounts])
    found = without_own_program(scores, programs)
    keys = {
        "workload": np.array([a.kind for a in accounts]),
        "language": np.array([languages[a.group] for a in accounts]),
    }
    strata: list[Stratum] = []
    for p_value in p_values.values():
        alarmed = found <= p_value
        everybody = np.ones(len(alarmed), np.bool_)
        whole = _stratum("all", "all", p_value, alarmed, programs, everybody, None)
        strata.append(whole)
        for by, key in keys.items():
            rows = [
                _stratum(by, str(name), p_value, alarmed, programs, key == name, whole.rate)
                for name in np.unique(key)
            ]
            strata += sorted(rows, key=lambda s: (-s.accounts, s.name))
    single = np.arange(len(scores)).astype(str)
    months = {
        name: {
            "split by account": asdict(simulate_months(scores, single, p, seed=seed)),
            "split by program": asdict(simulate_months(scores, programs, p, seed=seed)),
        }
        for name, p in p_values.items()
    }
    return {
        "accounts": len(scores),
        "programs": len(np.unique(programs)),
        "p_values": dict(p_values),
        "strata": [asdict(s) for s in strata],
        "months": months,
    }


def without_own_program(
    scores: NDArray[np.float64], programs: NDArray[np.str_]
) -> NDArray[np.float64]:
    """p-values, shape (a,), of each account against those of all other programs."""
    table = np.sort(scores)
    above = len(table) - np.searchsorted(table, scores, side="left")
    others = np.full(len(scores), len(scores))
    _, unit = np.unique(programs, return_inverse=True)
    for members in np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1]):
        own = scores[members]
        above[members] -= (own[None, :] >= own[:, None]).sum(axis=1)
        others[members] -= len(members)
    return (1.0 + above) / (1.0 + others)


def rate_interval(rate: float, programs: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval (Clopper and Pearson 1934) with programs as the trials.

    Accounts of one program score alike; taking a program for one trial is right when they score
    the same and too wide when they do not.
    """
    tail = (1.0 - level) / 2.0
    k = rate * programs
    low = 0.0 if k <= 0 else float(stats.beta.ppf(tail, k, programs - k + 1))
    high = 1.0 if k >= programs else float(stats.beta.ppf(1.0 - tail, k + 1, programs - k))
    return low, high


def _stratum(
    by: str,
    name: str,
    p_value: float,
    alarmed: NDArray[np.bool_],
    programs: NDArray[np.str_],
    mine: NDArray[np.bool_],
    whole: float | None,
) -> Stratum:
    accounts, alarms = int(mine.sum()), int(alarmed[mine].sum())
    n_programs = len(np.unique(programs[mine]))
    rate = alarms / max(accounts, 1)
    low, high = rate_interval(rate, n_programs)
    differs = whole is not None and (low > TWOFOLD * whole or high < whole / TWOFOLD)
    return Stratum(by, name, p_value, accounts, n_programs, alarms, rate, low, high, differs)


def _languages(data: Path | None) -> dict[str, str]:
    """Language of every program, without its region."""
    programs = bank_programs()
    if data is not None:
        programs = [*programs, *read_templates(data)]
    return {p.id: p.lang.partition("-")[0] for p, _ in programs}
