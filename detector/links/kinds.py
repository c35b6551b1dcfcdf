"""Which kinds of link hold a campaign together: by its keys, and by what its members do alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detector.links import FAMILY_OF
from detector.links.campaign import LinkCount
from detector.links.crowd import Account, Link

LISTED_SHARE = 0.2
"""A kind is named where at least this part of the members shows it."""
LEAST_SHARED = 3
"""A key counts where so many members show it, and no more strangers than members do."""
SHOWN = 200
EVEN_PAUSES, LIKE_PAUSES = 0.4, 0.4
SIGNUP_S = 3 * 86_400.0
CHURN_KEYS = 1.9
"""Mean number of keys of an account; ordinary customers have one or two."""
LATE_S = 900.0
FAILOVER_S = 2.5 * 3600.0
ALIKE = 0.6


def kinds_of(members: Sequence[Account], disjoint: float | None) -> tuple[LinkCount, ...]:
    """Kinds of link that the members share, by name."""
    shared: Counter[str] = Counter()
    links: dict[str, Link] = {}
    for account in members:
        for link in account.links:
            links[link.key] = link
            shared[link.key] += 1
    own = {
        key
        for key, count in shared.items()
        if count >= LEAST_SHARED and count >= 0.5 * len(links[key].members)
    }
    keys = Counter(FAMILY_OF[links[key].kind] for key in own)
    shown: dict[str, list[str]] = {}
    for account in members:
        for kind in dict.fromkeys(FAMILY_OF[k.kind] for k in account.links if k.key in own):
            shown.setdefault(kind, []).append(account.name)
    if disjoint is not None and disjoint >= 0.9:
        shown["shard"] = [account.name for account in members]
    for kind, names in _alike(members).items():
        shown[kind] = [*dict.fromkeys([*shown.get(kind, []), *names])]
    least = max(LISTED_SHARE * len(members), LEAST_SHARED)
    return tuple(
        LinkCount(
            kind=kind, keys=max(keys[kind], 1), accounts=len(names), shown_by=tuple(names[:SHOWN])
        )
        for kind, names in sorted(shown.items())
        if len(names) >= (LEAST_SHARED if kind == "failover" else least)
    )


def _alike(members: Sequence[Account]) -> dict[str, list[str]]:
    """Members by what they do alike without a common key."""
    return {
        "continuity": [a.name for a in members if a.foreign >= 2],
        "key_churn": _churning(members),
        "pacing": _paced(members),
        "parameters": _same_parameters(members),
        "signup": _made_together(members),
        "failover": _woken(members),
    }


def _churning(members: Sequence[Account]) -> list[str]:
    """Members with several keys, where that is the rule: some customers rotate theirs too."""
    told = [a for a in members if a.keys]
    if sum(a.keys for a in told) < CHURN_KEYS * len(told):
        return []
    return [a.name for a in told if a.keys >= 2]


def _paced(members: Sequence[Account]) -> list[str]:
    """Members with even pauses, all about as long as those of the one in the middle."""
    even = [
        (a.pause, a.name)
        for a in members
        if a.pause is not None and a.pause_spread is not None and a.pause_spread <= EVEN_PAUSES
    ]
    if not even:
        return []
    middle = sorted(even)[len(even) // 2][0]
    return [name for pause, name in even if abs(pause - middle) <= LIKE_PAUSES]


def _same_parameters(members: Sequence[Account]) -> list[str]:
    """Members with the most common parameters, where most have them."""
    told = Counter(a.parameters for a in members if a.parameters)
    if not told:
        return []
    top, count = told.most_common(1)[0]
    if count < ALIKE * len(members):
        return []
    return [a.name for a in members if a.parameters == top]


def _made_together(members: Sequence[Account]) -> list[str]:
    """Members made within SIGNUP_S, where most were."""
    made = sorted((a.created_s, a.name) for a in members if a.created_s is not None)
    best: list[str] = []
    first = 0
    for last, (created_s, _) in enumerate(made):
        while created_s - made[first][0] > SIGNUP_S:
            first += 1
        if last - first + 1 > len(best):
            best = [name for _, name in made[first : last + 1]]
    return best if len(best) >= ALIKE * len(members) else []


def _woken(members: Sequence[Account]) -> list[str]:
    """Members that came soon after others were blocked, where more came than before."""
    stopped = sorted(a.failed_s for a in members if a.failed_s is not None)
    if len(stopped) < LEAST_SHARED:
        return []
    block_s = stopped[len(stopped) // 4] - LATE_S  # each notices at its next request
    woken = [a.name for a in members if block_s < a.first_s <= block_s + FAILOVER_S]
    before = sum(block_s - FAILOVER_S <= a.first_s <= block_s for a in members)
    return woken if len(woken) > 1.5 * before else []
