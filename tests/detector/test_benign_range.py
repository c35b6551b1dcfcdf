"""The benign range of the model card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.benign_range import load_benign_range
from detector.errors import ModelError
from detector.features import FEATURE_NAMES
from detector.settings import packaged_models


def test_the_card_that_ships_has_every_feature() -> None:
    """With percentiles in order, and the share of accounts whose log tells it."""
    found = load_benign_range(packaged_models() / "account.json")
    assert found is not None
    assert found.accounts > 1000
    assert tuple(found.features) == FEATURE_NAMES
    for feature in found.features.values():
        assert (feature.range is None) == (feature.known == 0.0)
        assert list(feature.range or ()) == sorted(feature.range or ())


def test_a_card_without_ranges_gives_none(tmp_path: Path) -> None:
    """A card of an older release is no error; features it names and we do not know are left out."""
    card = tmp_path / "account.json"
    card.write_text("{}")
    assert load_benign_range(card) is None
    feature = {"known": 0.5, "range": [0.0, 1.0, 2.0]}
    ranges = {"accounts": 3, "features": {FEATURE_NAMES[0]: feature, "gone": feature}}
    card.write_text(json.dumps({"benign_features": ranges}))
    found = load_benign_range(card)
    assert found is not None
    assert found.features[FEATURE_NAMES[0]].range == (0.0, 1.0, 2.0)
    assert len(found.features) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"benign_features": {"accounts": 0, "features": {}}}'])
def test_a_damaged_card_is_refused(text: str, tmp_path: Path) -> None:
    """With the file's name."""
    card = tmp_path / "account.json"
    card.write_text(text)
    with pytest.raises(ModelError, match=r"account\.json"):
        load_benign_range(card)
