"""Made-up accounts and vectors to learn from."""

from __future__ import annotations

import numpy as np

from detector.features import N_FEATURES
from models.accounts import Account
from models.vectors import Samples
from tests.detector.builders import ask

N_ACCOUNTS, POINTS = 40, 3


def made_up_accounts() -> list[Account]:
    """Two accounts a program, every third program extraction, some of them captured."""
    return [
        Account(
            name=f"a{i}",
            group=f"p{i // 2}",
            batch=f"tool{i // 8}" if i % 10 == 0 else "b",
            label=int(i // 2 % 3 == 0),
            kind="chat",
            source="captures" if i % 10 == 0 else "bank",
            requests=[ask(f"text {i}")],
        )
        for i in range(N_ACCOUNTS)
    ]


def made_up_samples(seed: int = 3) -> Samples:
    """Vectors of which a few features tell the label, a tenth of the numbers unknown."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(N_ACCOUNTS), POINTS)
    label = np.array([a.label for a in made_up_accounts()])[owner]
    x = rng.normal(0.0, 1.0, (len(owner), N_FEATURES)) + 0.8 * label[:, None]
    x[rng.random(x.shape) < 0.1] = np.nan
    requests = np.tile(np.array([10, 20, 50]), N_ACCOUNTS)
    return Samples(x.astype(np.float32), owner, requests)
