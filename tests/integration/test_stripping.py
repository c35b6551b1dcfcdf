"""A log that tells less must not look worse: fields are stripped from benign accounts."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import pytest

from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program, load_bank
from streams.traffic.masks import apply_profile
from streams.traffic.personas import compose_account
from streams.traffic.staples import staple_programs
from tests.detector.builders import T0_S
from tests.detector.runs import Run, run

REQUESTS = 60
EVERY = 4
"""Of each benign kind every fourth program runs, and always its first."""


@cache
def accounts() -> dict[str, list[ApiRequest]]:
    """One benign account a program by its name, which holds kind and program."""
    benign = [*(p for p in load_bank() if p.label == "benign"), *staple_programs()]
    kinds: dict[str, list[Program]] = defaultdict(list)
    for program in benign:
        kinds[program.kind].append(program)
    chosen = [p for kind in sorted(kinds) for p in kinds[kind][::EVERY]]
    return {
        f"{program.kind} {program.id}": compose_account(
            program,
            requests=REQUESTS,
            start_s=T0_S,
            seed=[4, number],
            others=benign,
            filler=Filler(4),
        )
        for number, program in enumerate(chosen)
    }


@cache
def stripped(profile: str) -> Run:
    """All the accounts after the profile, as one log."""
    requests = []
    for name, made in accounts().items():
        for request in apply_profile(profile, made):
            request.account = name
            requests.append(request)
    requests.sort(key=lambda r: r.event_time_s or 0.0)
    return run(requests)


@pytest.mark.parametrize(
    "profile", ["no_outputs", "no_parameters", "no_addresses", "no_end_users"]
)
def test_stripping_never_raises_a_verdict(profile: str) -> None:
    """Without outputs, parameters, addresses or end users no benign account's hardest verdict is
    harder than with them, and no account is lost."""
    whole, less = stripped("full").worst(), stripped(profile).worst()
    names = list(accounts())
    assert len(names) >= 100
    assert {s.account for s in stripped(profile).outputs.scores} == set(names)
    raised = [name for name in names if less.get(name, 0) > whole.get(name, 0)]
    assert raised == []


def test_stripping_leaves_unknown_not_zero() -> None:
    """What a stripped log does not tell is unknown in the vector, and known in the whole log."""
    known = {}
    for profile in ("full", "no_outputs"):
        last = {s.account: s.vector for s in stripped(profile).outputs.scores}
        known[profile] = {name: ~(v != v) for name, v in last.items()}
    lost = [known["full"][a].sum() - known["no_outputs"][a].sum() for a in accounts()]
    gained = [(known["no_outputs"][a] & ~known["full"][a]).sum() for a in accounts()]
    assert min(lost) > 0
    assert max(gained) == 0
