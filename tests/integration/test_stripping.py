"""A log that tells less must not look worse: fields are stripped from benign accounts."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from streams.traffic.masks import apply_profile
from tests.detector.runs import Run, run
from tests.integration.benign_accounts import benign_accounts


@cache
def stripped(profile: str) -> Run:
    """All the accounts after the profile, as one log."""
    requests = []
    for name, made in benign_accounts().items():
        for request in apply_profile(profile, made):
            request.account = name
            requests.append(request)
    requests.sort(key=lambda r: r.event_time_s or 0.0)
    return run(requests)


@pytest.mark.parametrize("profile", ["no_outputs", "no_parameters", "no_addresses", "no_end_users"])
def test_stripping_never_raises_a_verdict(profile: str) -> None:
    """Without outputs, parameters, addresses or end users no benign account's hardest verdict is
    harder than with them, and no account is lost."""
    whole, less = stripped("full").worst(), stripped(profile).worst()
    names = list(benign_accounts())
    assert len(names) >= 100
    assert {s.account for s in stripped(profile).outputs.scores} == set(names)
    raised = [name for name in names if less.get(name, 0) > whole.get(name, 0)]
    assert raised == []


def test_stripping_leaves_unknown_not_zero() -> None:
    """What a stripped log does not tell is unknown in the vector, and known in the whole log."""
    known = {}
    for profile in ("full", "no_outputs"):
        last = {s.account: s.vector for s in stripped(profile).outputs.scores}
        known[profile] = {name: ~np.isnan(v) for name, v in last.items()}
    lost = [known["full"][a].sum() - known["no_outputs"][a].sum() for a in benign_accounts()]
    gained = [(known["no_outputs"][a] & ~known["full"][a]).sum() for a in benign_accounts()]
    assert min(lost) > 0
    assert max(gained) == 0
