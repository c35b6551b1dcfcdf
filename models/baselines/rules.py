"""Hand-weighted rules, in the manner of open-source log watchers.

Glasswally (MIT) adds up the verdicts of some sixteen workers with weights set by hand. These were
written anew; their weights are guesses, as there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines.baseline import Baseline
from models.baselines.view import View

_PHRASES = re.compile(
    r"step[ -]by[ -]step|chain of thought|show your (reasoning|work)|think aloud|"
    r"training data|fine-?tun|dataset|instruction.{0,20}(pair|response)|generate \d+|"
    r"schritt für schritt|étape par étape|paso a paso|пошагово|一步一步|逐步|ステップ|단계별",
    re.IGNORECASE,
)
BUSY_PER_HOUR = 60.0
READ_CHARS = 500


class Rules(Baseline):
    """A weighted sum of seven rules."""

    name = "hand-weighted rules"
    paper = "in the manner of Glasswally (MIT)"

    def fit(self, views: Sequence[View], labels: NDArray[np.int8]) -> None:
        """Nothing is learnt."""

    def score(self, view: View) -> float:
        """The sum, in [0, 1]."""
        n = max(len(view), 1)
        phrases = sum(bool(_PHRASES.search(p[:READ_CHARS])) for p in view.prompts) / n
        heads = [p[:40] for p in view.prompts]
        common = max((heads.count(h) for h in set(heads)), default=0) / n
        distinct = len(set(view.prompts)) / n
        template = common * distinct
        times = view.times_s[~np.isnan(view.times_s)]
        rate = len(times) / max(np.ptp(times) / 3600.0, 0.1) if len(times) > 1 else 0.0
        gaps = np.diff(np.sort(times))
        steady = float(gaps.std() < 0.3 * gaps.mean()) if len(gaps) > 4 else 0.0
        hot = float(np.nanmean(view.temperature) >= 0.9) if _known(view.temperature) else 0.0
        long = float(np.nanmean(view.output_tokens) > 500) if _known(view.output_tokens) else 0.0
        return float(
            0.35 * phrases + 0.2 * template + 0.1 * min(rate / BUSY_PER_HOUR, 1.0) + 0.1 * steady
            + 0.05 * hot + 0.1 * long + 0.1 * float(view.logprobs.mean() if n else 0.0)
        )  # fmt: skip


def _known(values: NDArray[np.float64]) -> bool:
    return bool((~np.isnan(values)).any())
