"""The range of each feature over benign accounts, from the model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from detector.errors import ModelError
from detector.features import FEATURE_NAMES

_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class FeatureRange(msgspec.Struct, frozen=True):
    """One feature over benign accounts.

    Attributes:
        known: share of the accounts whose log tells it.
        range: 5th, 50th and 95th percentile over those; None where no log does.
    """

    known: _Share
    range: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class BenignRange:
    """Every feature over `accounts` benign accounts; a feature that is missing is not known."""

    accounts: int
    features: dict[str, FeatureRange]


class _Ranges(msgspec.Struct):
    accounts: Annotated[int, msgspec.Meta(ge=1)]
    features: dict[str, FeatureRange]


class _Card(msgspec.Struct):
    benign_features: _Ranges | None = None


def load_benign_range(card: Path) -> BenignRange | None:
    """Reads the ranges of a model card (account.json); None for a card without them.

    Raises ModelError.
    """
    try:
        ranges = msgspec.json.decode(card.read_bytes(), type=_Card).benign_features
    except (OSError, ValueError) as error:  # DecodeError and ValidationError are ValueErrors
        raise ModelError(
            str(card), f"its ranges of benign accounts cannot be read ({error})",
            "train it with `python -m models train`",
        ) from error  # fmt: skip
    if ranges is None:
        return None
    known = {name: found for name, found in ranges.features.items() if name in FEATURE_NAMES}
    return BenignRange(ranges.accounts, known)
