"""Baselines: other ways to group accounts. Each gives every account a score, larger is worse.

Thresholds are set on the tuning draw so that no innocent crowd is flagged, for all alike. They see
the whole day at once, which the cohort book does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import MiniBatchKMeans

from models.campaigns.worlds import World

Scores = NDArray[np.float64]
BIN_S = 300.0
HASHES, ROWS = 24, 3
SIMILAR = 0.5
LEAST_ACTIONS = 5
ACCOUNTS_PER_CLUSTER = 150
LEAST_CLUSTER = 15


def _breadth(account: NDArray[np.int64], key: NDArray[np.uint64], accounts: int) -> Scores:
    """Of each account: accounts under the widest of its keys (key 0 is none), shape (accounts,)."""
    use = key != 0
    pairs = np.unique(np.stack([key[use], account[use].astype(np.uint64)]), axis=1)
    _, at, breadth = np.unique(pairs[0], return_inverse=True, return_counts=True)
    out = np.zeros(accounts)
    np.maximum.at(out, pairs[1].astype(np.int64), breadth[at].astype(np.float64))
    return out


def by_network(world: World) -> Scores:
    """Accounts behind the busiest of the account's /24 networks."""
    return _breadth(world.account, world.network, len(world.names))


def by_prompt(world: World) -> Scores:
    """Accounts that sent the account's most common prompt word for word."""
    return _breadth(world.account, world.prompt, len(world.names))


def by_frame(world: World) -> Scores:
    """Accounts with the account's system prompt and tools, byte by byte."""
    return _breadth(world.account, world.frame, len(world.names))


def by_time(world: World) -> Scores:
    """SynchroTrap-like (Cao et al. 2014, CCS): size of the cluster of accounts whose actions fall
    together in time.

    An action is (model, five minutes). Pairs come from min-hash bands, are kept at an estimated
    Jaccard similarity of a half, and joined by single linkage.
    """
    accounts = len(world.names)
    bins = (world.at_s // BIN_S).astype(np.uint64) ^ (world.model & np.uint64(0xFFFFFFFF0000))
    pairs = np.unique(np.stack([world.account.astype(np.uint64), bins]), axis=1)
    owner = pairs[0].astype(np.int64)
    sketch = np.full((accounts, HASHES), np.iinfo(np.uint64).max, np.uint64)
    for k in range(HASHES):
        hashed = _mixed(pairs[1], k)
        np.minimum.at(sketch[:, k], owner, hashed)
    busy = np.flatnonzero(np.bincount(owner, minlength=accounts) >= LEAST_ACTIONS)
    left, right = [], []
    for band in range(0, HASHES, ROWS):
        keys = sketch[busy, band : band + ROWS]
        order = np.lexsort(keys.T)
        same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
        left.append(busy[order[:-1][same]])
        right.append(busy[order[1:][same]])
    a, b = np.concatenate(left), np.concatenate(right)
    near = (sketch[a] == sketch[b]).mean(axis=1) >= SIMILAR
    graph = coo_matrix((np.ones(int(near.sum())), (a[near], b[near])), (accounts, accounts))
    _, cluster = connected_components(graph, directed=False)
    size = np.bincount(cluster)[cluster].astype(np.float64)
    return np.where(size > 1, size, 0.0)


def by_features(world: World) -> Scores:
    """Clusters of account features (MiniBatchKMeans on the detector's own rows): how tight the
    account's cluster is, 0 where it is small."""
    x = world.features.astype(np.float64)
    known = np.isfinite(x).any(axis=0)  # a feature that no account of the world has says nothing
    x = np.where(np.isfinite(x), x, np.nan)[:, known]
    middle = np.nanmedian(x, axis=0)
    x = np.where(np.isfinite(x), x, middle)
    spread = np.quantile(x, 0.95, axis=0) - np.quantile(x, 0.05, axis=0)
    x = np.clip((x - middle) / np.where(spread > 0, spread, 1.0), -3, 3)
    clusters = max(8, len(x) // ACCOUNTS_PER_CLUSTER)
    model = MiniBatchKMeans(clusters, random_state=0, n_init=1, batch_size=4096, max_iter=20)
    cluster = model.fit_predict(x)
    away = np.linalg.norm(x - model.cluster_centers_[cluster], axis=1)
    count = np.bincount(cluster, minlength=clusters)
    tight = 1 / (1e-3 + np.bincount(cluster, away, clusters) / np.maximum(count, 1))
    return np.asarray(np.where(count >= LEAST_CLUSTER, tight, 0.0)[cluster], np.float64)


RIVALS: Mapping[str, Callable[[World], Scores]] = MappingProxyType(
    {
        "address or /24 grouping": by_network,
        "exact prompt overlap": by_prompt,
        "exact system prompt and tools": by_frame,
        "SynchroTrap-like action times": by_time,
        "clusters of account features": by_features,
    }
)


def _mixed(values: NDArray[np.uint64], k: int) -> NDArray[np.uint64]:
    """A hash of the family's member `k` (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = values * np.uint64(2 * k + 1) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(k + 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)


def typical(scores: Scores, world: World, part: int) -> float:
    """The median score of a part's accounts: above a threshold, half of them are flagged."""
    return float(np.median(scores[world.part == part]))


def threshold(scores: Scores, world: World) -> float:
    """The lowest threshold that flags no innocent crowd, and at most one stranger in ten thousand:
    a score must be above it."""
    strangers = [n for n, p in enumerate(world.parts) if p.kind == "strangers"]
    alone = scores[np.isin(world.part, strangers)]
    crowds = [n for n, p in enumerate(world.parts) if p.kind == "crowd"]
    return max(float(np.quantile(alone, 1 - 1e-4)), *(typical(scores, world, n) for n in crowds))
