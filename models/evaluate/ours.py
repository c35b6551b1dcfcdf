"""Our scores of composed accounts at their scoring points, as the service would give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.kernels import next_point
from detector.pipeline import Models
from models.evaluate.compose import Judged
from models.vectors import sample_vectors

LEAST_REQUESTS = 10
"""An account is first scored as a whole after so many; see `models.train_account.worst_scores`."""


@dataclass(frozen=True, slots=True)
class Points:
    """Scores of accounts at scoring points.

    Attributes:
        account: int32, shape (k,): number of the account among those given.
        requests: int32, shape (k,): its requests at that point.
        taken: int32, shape (k,): exchanges harvested by then.
        score: float32, shape (k,): the larger of both looks.
        best: float32, shape (a, N_FEATURES): the vector of each account's largest score.
        harvested: int32, shape (a,): exchanges harvested in each account's whole life.
    """

    account: NDArray[np.int32]
    requests: NDArray[np.int32]
    taken: NDArray[np.int32]
    score: NDArray[np.float32]
    best: NDArray[np.float32]
    harvested: NDArray[np.int32]

    def running_max(self, accounts: int, look: int) -> NDArray[np.float64]:
        """Largest score up to `look` requests, shape (accounts,); -inf where never scored."""
        out = np.full(accounts, -np.inf)
        use = self.requests <= look
        np.maximum.at(out, self.account[use], self.score[use].astype(np.float64))
        return out


def scoring_points(most: int) -> list[int]:
    """Requests after which every account is scored, up to `most`."""
    points, n = [], 0
    while (n := int(next_point(n))) <= most:
        points.append(n)
    return points


def score_points(judged: Sequence[Judged], models: Models) -> Points:
    """Runs accounts through the detector's state and its scorer."""
    samples = sample_vectors([j.account for j in judged], models.cues)
    length = np.array([len(j.account.requests) for j in judged])[samples.account]
    planned = scoring_points(int(length.max(initial=0)))
    # the end of an account is a look that the service takes only where it is a scoring point
    use = (samples.requests < length) | np.isin(samples.requests, planned)
    use &= samples.requests >= LEAST_REQUESTS
    x, owner, requests = samples.x[use], samples.account[use], samples.requests[use]
    score = models.scorer.probabilities(models.scorer.impute(x))
    order = np.lexsort((score, owner))
    best = np.full((len(judged), samples.x.shape[1]), np.nan, np.float32)
    best[owner[order]] = x[order]  # the last one written is the largest
    taken_by = [np.concatenate([[0], np.cumsum(j.harvest)]) for j in judged]
    taken = [
        int(taken_by[a][min(r, len(taken_by[a]) - 1)])
        for a, r in zip(owner.tolist(), requests.tolist(), strict=True)
    ]
    return Points(
        owner.astype(np.int32), requests.astype(np.int32), np.array(taken, np.int32),
        score.astype(np.float32), best,
        np.array([int(j.harvest.sum()) for j in judged], np.int32),
    )  # fmt: skip
