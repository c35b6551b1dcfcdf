"""How much a key's breadth surprises: evidence, in nats, that its accounts act as one.

Each part compares what the accounts under a key do with what unrelated users of one tool do. Parts
add up as if they were independent, which they are not: the sum is a score to be calibrated on
benign crowds (`CohortSettings.alert_score`), not a probability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from detector.links.crowd import Account, Link, Shown

SAMPLED_MEMBERS = 256
LIKELY_P = 0.1
"""An account with a p-value at or below has evidence of its own."""


@dataclass(frozen=True, slots=True)
class Background:
    """All accounts of the tenant, to compare with.

    Attributes:
        accounts: how many. parameters: by link key, how many accounts show it now.
        arrivals: accounts first seen, by hour.
    """

    accounts: int
    parameters: Mapping[str, int]
    arrivals: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Traits:
    """Figures of the accounts under one key (of a sample of them, the first and the last).

    Attributes:
        accounts: all of them. organisations: different ones among those that name one.
        disjoint: see `Link.disjoint`. saturation: mean part of their requests under the key.
        one_shot: part of their requests without history. repeated: part that showed it twice.
        scored, likely: how many were scored, and how many of those have evidence of their own.
        same_parameters: part with the most common parameters; `usual_parameters`: of all accounts.
        pace_spread: standard deviation of the log of requests an hour; None below ten accounts.
        arrival: information of the hours of arrival over those of all accounts, nats an account.
    """

    accounts: int
    one_organisation: bool
    disjoint: float | None
    saturation: float
    one_shot: float
    repeated: float
    scored: int
    likely: int
    same_parameters: float
    usual_parameters: float
    pace_spread: float | None
    arrival: float
    young: float | None


def sample_of(link: Link) -> list[tuple[str, Shown]]:
    """Up to SAMPLED_MEMBERS members, evenly over the order in which they came."""
    step = max(1, len(link.members) // SAMPLED_MEMBERS)
    return [*islice(link.members.items(), 0, None, step)]


def traits_of(link: Link, accounts: Mapping[str, Account], background: Background) -> Traits:
    """Figures of the accounts under a key."""
    sample = [(accounts[name], shown) for name, shown in sample_of(link) if name in accounts]
    n = max(len(sample), 1)
    organisations = {a.organisation for a, _ in sample}
    scored = [a.p_value for a, _ in sample if a.p_value is not None]
    told = [a.parameters for a, _ in sample if a.parameters]
    top, count = Counter(told).most_common(1)[0] if told else ("", 0)
    usual = background.parameters.get(top, 0) / max(background.accounts, 1)
    ages = [a.first_s - a.created_s for a, _ in sample if a.created_s is not None]
    return Traits(
        accounts=len(link.members),
        one_organisation=len(organisations) == 1 and None not in organisations,
        disjoint=link.disjoint(),
        saturation=sum(s.under / max(s.requests, 1) for _, s in sample) / n,
        one_shot=sum(a.one_shot / max(a.requests, 1) for a, _ in sample) / n,
        repeated=sum(s.under >= 2 for _, s in sample) / n,
        scored=len(scored),
        likely=sum(p <= LIKELY_P for p in scored),
        same_parameters=count / n,
        usual_parameters=usual,
        pace_spread=_pace_spread(sample, link.last_s),
        arrival=_arrival([a for a, _ in sample], background),
        young=sum(age < 7 * 86_400.0 for age in ages) / len(ages) if ages else None,
    )


def _pace_spread(sample: Sequence[tuple[Account, Shown]], now_s: float) -> float | None:
    paces = [
        math.log(s.requests / max(now_s - a.first_s, 600.0))
        for a, s in sample
        if s.requests >= 3 and now_s - a.first_s > 0
    ]
    if len(paces) < 10:
        return None
    mean = sum(paces) / len(paces)
    return math.sqrt(sum((x - mean) ** 2 for x in paces) / len(paces))


def _arrival(sample: Sequence[Account], background: Background) -> float:
    hours = Counter(int(a.first_s // 3600) for a in sample)
    total, n = sum(background.arrivals.values()), len(sample)
    if n < 5 or not total:
        return 0.0
    gain = sum(
        k / n * math.log((k / n) / max(background.arrivals.get(h, 1) / total, 1.0 / total))
        for h, k in hours.items()
    )
    return max(gain - (len(hours) - 1) / (2 * n), 0.0)  # Miller-Madow


def parts_of(t: Traits, kind: str) -> dict[str, float]:
    """The evidence by name; their sum is the score."""
    parts = {
        "breadth": min(0.7 * math.log(t.accounts / 5), 4.0),
        "saturation": 6.0 * (t.saturation - 0.5),
        "one_shot": 4.0 * (t.one_shot - 0.6),
        "parameters": _clip(
            t.same_parameters * math.log((t.same_parameters + 0.02) / (t.usual_parameters + 0.02)),
            -1.0, 2.5,
        ),
        "arrival": _clip(t.arrival - 0.3, -0.5, 2.0),
    }  # fmt: skip
    if t.disjoint is not None:
        parts["shards"] = 20.0 * (t.disjoint - 0.9) if t.disjoint < 0.9 else 1.0
    if t.scored:  # binomial: 10 % of benign accounts against half of a campaign's
        ratio = t.likely * math.log(0.5 / LIKELY_P) + (t.scored - t.likely) * math.log(0.5 / 0.9)
        parts["own_evidence"] = _clip(ratio, -4.0, 4.0)
    if t.pace_spread is not None:
        parts["pace"] = _clip(2.0 * (0.7 - t.pace_spread), -2.0, 1.5)
    if t.young is not None:
        parts["young"] = 2.0 * (t.young - 0.4)
    if kind == "pacing":  # shown only once it is even: how much else the account does is open
        parts["saturation"] = 0.0
        parts["lockstep"] = 8.0
    if t.one_organisation:
        parts["one_organisation"] = -8.0
    return parts


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
