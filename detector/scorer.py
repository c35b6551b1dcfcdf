"""The scorer: feature vectors in, probability, p-value and what speaks for it out.

The account classifier is one plain graph (Gemm and element-wise operators only, so that it runs
whole on CUDA). A feature that the log does not tell is put at its benign median: what is unknown
neither agrees nor refutes.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.assessment import FeatureReading, GroupEvidence
from detector.calibration import Calibration
from detector.errors import ModelError
from detector.features import FEATURE_NAMES, GROUP_OF, GROUPS, schema_hash
from detector.gpu import open_session

_REMEDY = "train it with `python -m models train` or point `model_dir` at a released model"
MIN_EFFECT = 0.1
MOST_READINGS = 3


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the scorer needs of `account.json`; the rest of the card is for people.

    Attributes:
        version: version of the classifier; with an operator's calibration, that one's digest too.
        features: names of the graph's inputs, in order; length f.
        median, low, high: float32, shape (f,): median and 5 % and 95 % quantile of benign accounts.
        calibration: float64, shape (c,), ascending: scores of benign calibration accounts, each
            the largest over its scoring points.
    """

    version: str
    features: tuple[str, ...]
    median: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    calibration: NDArray[np.float64]


class Scorer:
    """The account classifier with its card. Makes its session once; thread-safe to call."""

    def __init__(
        self, model_dir: Path, *, require_gpu: bool = False, encoded: bool = False
    ) -> None:
        """Loads `account.onnx` and `account.json`; `encoded` says that a prompt encoder runs.

        Raises ModelError.
        """
        graph = model_dir / "account.onnx"
        self.card = load_card(model_dir / "account.json", encoded=encoded)
        self._columns = np.array([FEATURE_NAMES.index(name) for name in self.card.features])
        self._group_names = tuple(group.NAME for group in GROUPS)
        self._group_at = [self._group_names.index(GROUP_OF[n]) for n in self.card.features]
        f = len(self.card.features)
        # int64, shape (groups, f): 1 where the feature is of the group
        self._members = (np.array(self._group_at) == np.arange(len(GROUPS))[:, None]).astype("i8")
        # bool, shape (1 + groups + f, f): what each variant of `explain` puts back to the median
        self._put_back = np.concatenate(
            [np.zeros((1, f)), self._members, np.eye(f)], dtype=np.int64, casting="unsafe"
        ).astype(np.bool_)
        self._low, self._high = self.card.low.tolist(), self.card.high.tolist()
        self._session = open_session(
            graph, "the account classifier", _REMEDY, require_gpu=require_gpu
        )
        asked = self._session.get_inputs()[0]
        if asked.name != "features" or asked.shape[-1] != len(self.card.features):
            raise ModelError(str(graph), "the graph does not take the card's features", _REMEDY)
        self.provider = str(self._session.get_providers()[0])
        nothing = self.probabilities(self.card.median[None, :])
        self.prior_log_odds = float(log_odds(nothing)[0])
        """Log-odds of an account of which nothing is known: every input at its benign median."""

    def calibrated(self, calibration: Calibration) -> Scorer:
        """The same classifier with an operator's p-values; its version says so."""
        made = copy.copy(self)
        version = f"{self.card.version}+{calibration.stamp}"
        made.card = replace(self.card, version=version, calibration=calibration.table)
        return made

    def impute(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Model inputs, shape (n, f), of raw vectors, shape (n, N_FEATURES): NaN to the median."""
        picked = vectors[:, self._columns]
        return np.where(np.isnan(picked), self.card.median, picked).astype(np.float32)

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of extraction, shape (n,), of model inputs, shape (n, f)."""
        if not len(inputs):
            return np.zeros(0, np.float32)
        (out,) = self._session.run(None, {"features": inputs})
        result: NDArray[np.float32] = np.asarray(out, np.float32).reshape(-1)
        return result

    def p_values(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Conformal p-values, shape (n,): (1 + benign scores at or above) / (1 + benign scores).

        Split conformal prediction (Vovk et al. 2005) on the running maximum of benign accounts.
        """
        table = self.card.calibration
        above = len(table) - np.searchsorted(table, scores.astype(np.float64), side="left")
        result: NDArray[np.float64] = np.asarray((1.0 + above) / (1.0 + len(table)), np.float64)
        return result

    def explain(self, vectors: NDArray[np.float32]) -> list[tuple[GroupEvidence, ...]]:
        """What each feature group contributes to each account's log-odds, in one run of the graph.

        A group's readings are its features that speak loudest for extraction: the log-odds fall
        by at least MIN_EFFECT when the feature alone is put back to its benign median.

        Args:
            vectors: float32, shape (k, N_FEATURES), raw, NaN where unknown.

        Returns:
            k tuples, each in the order of the groups.
        """
        raw = vectors[:, self._columns]
        n_groups, f = self._members.shape
        inputs = self.impute(vectors)
        variants = np.where(self._put_back, self.card.median, inputs[:, None, :])
        logits = log_odds(self.probabilities(variants.reshape(-1, f))).reshape(len(raw), -1)
        falls = logits[:, :1] - logits[:, 1:]
        contributions = falls[:, :n_groups].tolist()
        effects = falls[:, n_groups:]
        order = np.argsort(-effects, axis=1, kind="stable")
        speaking = (effects >= MIN_EFFECT).sum(axis=1).tolist()
        known = ((~np.isnan(raw)).astype(np.int64) @ self._members.T > 0).tolist()
        out = []
        for i, features in enumerate(order.tolist()):
            readings: list[list[FeatureReading]] = [[] for _ in range(n_groups)]
            for c in features[: speaking[i]]:
                told = readings[self._group_at[c]]
                if len(told) < MOST_READINGS:
                    told.append(self._reading(c, float(raw[i, c])))
            out.append(
                tuple(
                    GroupEvidence(name, known[i][g], contributions[i][g], tuple(readings[g]))
                    for g, name in enumerate(self._group_names)
                )
            )
        return out

    def _reading(self, feature: int, value: float) -> FeatureReading:
        return FeatureReading(
            self.card.features[feature], value, self._low[feature], self._high[feature]
        )


def load_card(path: Path, *, encoded: bool = False) -> ModelCard:
    """Reads and checks a model card. Raises ModelError with one sentence that says what to do.

    It holds two calibration tables: with a prompt encoder (`encoded`) benign accounts score
    otherwise than without.
    """
    table = "calibration_encoded" if encoded else "calibration"
    if not path.exists():
        raise ModelError(str(path), "the model card is missing", _REMEDY)
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
        features = tuple(str(name) for name in card["features"])
        loaded = ModelCard(
            str(card["version"]),
            features,
            np.array(card["median"], np.float32),
            np.array(card["low"], np.float32),
            np.array(card["high"], np.float32),
            np.sort(np.array(card[table], np.float64)),
        )
        schema = str(card["schema"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            str(path), f"the model card cannot be read ({error!r})", _REMEDY
        ) from error
    unknown = [name for name in features if name not in GROUP_OF]
    if unknown:
        raise ModelError(str(path), f"the card names unknown features {unknown}", _REMEDY)
    arrays = (loaded.median, loaded.low, loaded.high)
    fits = all(a.shape == (len(features),) and np.isfinite(a).all() for a in arrays)
    if not fits or not len(loaded.calibration) or not np.isfinite(loaded.calibration).all():
        raise ModelError(str(path), "its numbers do not fit its features", _REMEDY)
    if schema != schema_hash():
        raise ModelError(
            str(path), f"the card is for feature schema {schema}, not {schema_hash()}", _REMEDY
        )
    return loaded


def log_odds(p: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-odds of probabilities, bounded at 1e-7 from 0 and 1."""
    clipped = np.clip(p.astype(np.float64), 1e-7, 1.0 - 1e-7)
    result: NDArray[np.float64] = np.log(clipped / (1.0 - clipped))
    return result
