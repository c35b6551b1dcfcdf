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
ENOUGH_ITEMS = 48
"""Of fewer items it cannot be said that no two accounts ask the same."""
LIKELY_P = 0.1
"""An account with a p-value at or below has evidence of its own."""


@dataclass(frozen=True, slots=True)
class Background:
    """All accounts of the tenant, to compare with.

    Attributes:
        accounts: how many. parameters: by link key, how many accounts show it now.
        arrivals: accounts first seen, by hour.
        text, text_spread: mean and standard deviation of their extraction logits.
    """

    accounts: int
    parameters: Mapping[str, int]
    arrivals: Mapping[int, int]
    text: float = 0.0
    text_spread: float = 1.0


@dataclass(frozen=True, slots=True)
class Traits:
    """Figures of the accounts under one key (of a sample of them, the first and the last).

    Attributes:
        accounts: all of them. organisation: part of them that are of the most common one.
        disjoint, asked: see `Link`. saturation: mean part of their requests under the key.
        one_shot: part of their requests without history. repeated: part that showed it twice.
        scored, likely: how many were scored, and how many of those have evidence of their own.
        same_parameters: part with the most common parameters; `usual_parameters`: of all accounts;
            `top_parameters`: their link key.
        pace_spread: standard deviation of the log of requests an hour; None below ten accounts.
        wording: the larger of the mean extraction logits of their turns and of their system
            prompts, in standard deviations above all accounts' turns; None where none was read.
        foreign: part of their requests whose history they never wrote.
        pause: mean log of their pauses.
        pause_within: standard deviation of the log of an account's pauses, their mean;
            pause_across: of the accounts' mean logs; None below five accounts.
        young: part of them made in the week before they were first seen.
        arrival: information of the hours of arrival over those of all accounts, nats an account.
    """

    accounts: int
    organisation: float
    disjoint: float | None
    asked: int
    saturation: float
    one_shot: float
    repeated: float
    scored: int
    likely: int
    same_parameters: float
    usual_parameters: float
    top_parameters: str
    pace_spread: float | None
    arrival: float
    wording: float | None
    foreign: float
    pause: float | None
    pause_within: float | None
    pause_across: float | None
    young: float | None


def traits_of(
    link: Link, members: Sequence[tuple[Account, Shown]], background: Background
) -> Traits:
    """Figures of these accounts under a key; of a sample, evenly over the order of `members`."""
    sample = [*islice(members, 0, None, max(1, len(members) // SAMPLED_MEMBERS))]
    n = max(len(sample), 1)
    owners = Counter(a.organisation for a, _ in sample if a.organisation)
    scored = [a.p_value for a, _ in sample if a.p_value is not None]
    told = [a.parameters for a, _ in sample if a.parameters]
    top, count = Counter(told).most_common(1)[0] if told else ("", 0)
    usual = background.parameters.get(top, 0) / max(background.accounts, 1)
    texts = [a.text for a, _ in sample if a.text is not None]
    systems = [a.system for a, _ in sample if a.system is not None]
    said = [_mean(values) for values in (texts, systems) if len(values) >= 0.5 * n]
    paced = [
        (a.pause, a.pause_spread)
        for a, _ in sample
        if a.pause is not None and a.pause_spread is not None
    ]
    ages = [a.first_s - a.created_s for a, _ in sample if a.created_s is not None]
    return Traits(
        accounts=len(members),
        organisation=max(owners.values(), default=0) / n,
        disjoint=link.disjoint(),
        asked=link.asked(),
        saturation=sum(s.under / max(s.requests, 1) for _, s in sample) / n,
        one_shot=sum(a.one_shot / max(a.requests, 1) for a, _ in sample) / n,
        repeated=sum(s.under >= 2 for _, s in sample) / n,
        scored=len(scored),
        likely=sum(p <= LIKELY_P for p in scored),
        same_parameters=count / n,
        usual_parameters=usual,
        top_parameters=top,
        pace_spread=_pace_spread(sample, link.last_s),
        wording=(max(said) - background.text) / background.text_spread if said else None,
        foreign=sum(a.foreign / max(a.requests, 1) for a, _ in sample) / n,
        pause=_mean([mean for mean, _ in paced]) if paced else None,
        pause_within=_mean([spread for _, spread in paced]) if len(paced) >= 5 else None,
        pause_across=_spread([mean for mean, _ in paced]) if len(paced) >= 5 else None,
        arrival=_arrival([a for a, _ in sample], background),
        young=sum(age < 7 * 86_400.0 for age in ages) / len(ages) if ages else None,
    )


def _pace_spread(sample: Sequence[tuple[Account, Shown]], now_s: float) -> float | None:
    paces = [
        math.log(s.requests / max(now_s - a.first_s, 600.0))
        for a, s in sample
        if s.requests >= 3 and now_s - a.first_s > 0
    ]
    return _spread(paces) if len(paces) >= 10 else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _spread(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(sum((x - mean) ** 2 for x in values) / len(values))


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


@dataclass(frozen=True, slots=True)
class Typical:
    """What the accounts of a campaign have and few strangers: signs that a later one is of them.

    Attributes:
        parameters: their link key, "" where they tell nothing.
        wording: an extraction logit between what accounts ask and what these do; None where these
            ask as all do.
        pause: mean log of their pauses, None where those are not even or not alike.
    """

    parameters: str
    wording: float | None
    pause: float | None


def typical_of(t: Traits, background: Background) -> Typical:
    """What is typical of accounts with these figures."""
    telling = t.same_parameters >= 0.5 and t.usual_parameters <= 0.1 * t.same_parameters
    wording = None
    if t.wording is not None and t.wording >= 1.5:
        wording = background.text + 0.5 * t.wording * background.text_spread
    even = t.pause_within is not None and t.pause_across is not None
    even = even and (t.pause_within or 0.0) <= 0.4 and (t.pause_across or 0.0) <= 0.4
    return Typical(t.top_parameters if telling else "", wording, t.pause if even else None)


def parts_of(t: Traits, kind: str) -> dict[str, float]:
    """The evidence by name; their sum is the score."""
    parts = {
        "breadth": min(0.7 * math.log(t.accounts / 5), 4.0),
        "saturation": 6.0 * (t.saturation - 0.5),
        "one_shot": 4.0 * (min(t.one_shot + t.foreign, 1.0) - 0.6),
        "parameters": _clip(
            t.same_parameters * math.log((t.same_parameters + 0.02) / (t.usual_parameters + 0.02)),
            -1.0, 2.5,
        ),
        "arrival": _clip(t.arrival - 0.3, -0.5, 2.0),
    }  # fmt: skip
    if t.disjoint is not None:
        parts["shards"] = (
            20.0 * (t.disjoint - 0.9) if t.disjoint < 0.9 else min(t.asked / ENOUGH_ITEMS, 1.0)
        )
    if t.scored:  # binomial: 10 % of benign accounts against half of a campaign's
        ratio = t.likely * math.log(0.5 / LIKELY_P) + (t.scored - t.likely) * math.log(0.5 / 0.9)
        parts["own_evidence"] = _clip(ratio, -2.0, 4.0)
    if t.pace_spread is not None:
        parts["pace"] = _clip(2.0 * (0.7 - t.pace_spread), -2.0, 1.5)
    if t.wording is not None:
        parts["wording"] = _clip(1.5 * (t.wording - 1.0), -1.5, 4.0)
    if t.pause_within is not None and t.pause_across is not None:
        even = 2.0 * (1.0 - t.pause_within) + 2.0 * (0.5 - t.pause_across)
        parts["pauses"] = _clip(even, -1.0, 3.0)
    if t.foreign >= 0.05:
        parts["foreign"] = _clip(12.0 * t.foreign, 0.0, 4.0)
    if t.young is not None:
        parts["young"] = 2.0 * (t.young - 0.4)
    if kind == "handover":  # it holds the parameters already
        parts["parameters"] = 0.0
        parts["saturation"] = 2.0
    if kind == "pacing":  # shown only once it is even: how much else the account does is open
        parts["saturation"] = 0.0
        parts["lockstep"] = 10.0
    if t.organisation >= 0.5:  # one customer's own accounts: its organisation answers for them
        parts["organisation"] = -12.0
    return parts


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
