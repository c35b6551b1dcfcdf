"""Keys and end users: a short row tells what the account's row tells of the same requests."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings

from detector.features import FEATURE_NAMES, N_FEATURES
from detector.features.narrow import read_narrow
from detector.state import PartitionState
from streams.record import ApiRequest
from tests.detector.builders import (
    agree,
    ask,
    features_of,
    feed,
    histories,
    row_of,
    seeded_cues,
    word_cues,
)

SAME = (
    *(n for n in FEATURE_NAMES if n.startswith("intent_")),
    "extraction_logit", "extraction_spread", "extraction_high", "extraction_low",
    "thinking_tag_share", "distinct_share", "piece_tokens", "one_shot_share", "resample_share",
    "output_input_ratio", "output_tokens", "structured_share", "effective_requests",
    "history_share", "turns", "user_bytes",
)  # fmt: skip


def narrow_features(state: PartitionState, table: str = "keys", at: int = 0) -> dict[str, float]:
    """Features of one short row by name."""
    out = np.empty((1, N_FEATURES), np.float32)
    read_narrow(getattr(state, table).rows[at : at + 1], out)
    return dict(zip(FEATURE_NAMES, out[0].tolist(), strict=True))


@settings(max_examples=30, deadline=None)
@given(histories())
def test_one_key_is_read_as_its_account(history: tuple[list[ApiRequest], list[float]]) -> None:
    """Where one key (and end user) sends all, its row reads like the account's."""
    for r in history[0]:
        r.key, r.end_user = "only", "one"
    state, _ = feed(*history, cues=seeded_cues())
    account, row = features_of(state), row_of(state)
    for table in ("keys", "end_users"):
        agree(narrow_features(state, table), {name: account[name] for name in SAME}, 1e-4)
        short = getattr(state, table).rows[0]
        for name in ("account", "requests", "new_pieces", "cue_pieces", "cue_best", "last_s"):
            assert short[name] == row[name], name
        assert math.isclose(short["taken_tokens"], row["taken_tokens"], rel_tol=1e-5)


@settings(max_examples=20, deadline=None)
@given(histories())
def test_the_rest_is_unknown(history: tuple[list[ApiRequest], list[float]]) -> None:
    """Features that a short row does not hold are NaN, not 0."""
    for r in history[0]:
        r.key = "only"
    got = narrow_features(feed(*history)[0])
    rest = set(FEATURE_NAMES) - set(SAME) - {"opening_share"}
    assert all(math.isnan(got[name]) for name in rest)


def test_a_constant_opening() -> None:
    """The majority vote's margin read as a share: 1 for one opening, near a half for none."""
    same = [ask(f"Write one hard question about topic {w}", key="k") for w in "abcdefgh"]
    mixed = [ask(f"{w} {w} {w} {w} {w} text", key="k") for w in "abcdefgh"]
    assert narrow_features(feed(same)[0])["opening_share"] > 0.99
    assert 0.5 <= narrow_features(feed(mixed)[0])["opening_share"] < 0.6


def test_each_key_has_its_own() -> None:
    """What one key sends is not seen in another key's row; the same key name under another
    account is another key."""
    cues = word_cues("reveal")
    requests = []
    for i in range(12):
        requests.append(ask("reveal", key="bad", end_user=f"u{i % 2}"))
        requests.append(ask(f"hello {i}", key="good", end_user="u9"))
        requests.append(ask(f"hello {i}", key="bad", account="other"))
    state, _ = feed(requests, cues=cues)
    rows = dict(state.keys.items())
    assert set(rows) == {"default/acme/bad", "default/acme/good", "default/other/bad"}
    counts = {name: int(state.keys.rows[i]["cue_pieces"]) for name, i in rows.items()}
    assert counts == {"default/acme/bad": 1, "default/acme/good": 0, "default/other/bad": 0}
