"""The hashed cue model: its readings equal plain arithmetic on the n-grams."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from detector.cues import EDGE_TOKENS, LOGIT_BOUND, SAMPLE, SAMPLE_HEAD, HashedCues, load_cues
from detector.errors import ModelError
from detector.fingerprint import ngram_rows
from detector.intents import INTENTS, N_INTENTS
from tests.detector.builders import BUCKETS, TEXTS, pieces_of, seeded_cues
from tests.detector.test_fingerprint import pair, tokens_of


def test_logits_are_the_weighted_sum() -> None:
    """logit = bias + scale · Σ w / √m over the piece's n-grams, held within the bound."""
    model = seeded_cues()
    buffer, pieces = pieces_of(*TEXTS)
    read = model.read(buffer, pieces, np.ones(len(pieces), np.bool_))
    indptr, at, _ = ngram_rows(buffer, pieces, BUCKETS)
    for p in range(len(pieces)):
        grams = at[indptr[p] : indptr[p + 1]]
        sums = model.weights[grams].astype(np.int64).sum(axis=0)
        want = model.bias + model.scale * sums / np.sqrt(max(len(grams), 1))
        bounded = np.clip(want, -LOGIT_BOUND, LOGIT_BOUND)
        np.testing.assert_allclose(read.logits[p], bounded, rtol=1e-5, atol=1e-5)


def test_logits_are_bounded() -> None:
    """Whatever the weights, a logit stays within the bound."""
    seeded = seeded_cues()
    wild = HashedCues("wild", seeded.weights, seeded.scale * 1e6, seeded.bias)
    buffer, pieces = pieces_of(*TEXTS)
    logits = wild.read(buffer, pieces, np.ones(len(pieces), np.bool_)).logits
    assert np.abs(logits).max() == LOGIT_BOUND


def test_samples_edges_and_counts() -> None:
    """The sample is the first 44 and last 20 token pairs; the edges are the first and last five
    words."""
    model = seeded_cues()
    buffer, pieces = pieces_of(*TEXTS)
    read = model.read(buffer, pieces, np.ones(len(pieces), np.bool_))
    for p, text in enumerate(TEXTS):
        tokens = tokens_of(text)
        pairs = [pair(a, b) for a, b in itertools.pairwise(tokens)]
        if len(pairs) > SAMPLE:
            pairs = pairs[:SAMPLE_HEAD] + pairs[SAMPLE_HEAD - SAMPLE :]
        assert read.n_tokens[p] == len(tokens)
        assert read.sample[p, : read.n_sample[p]].tolist() == pairs
        opening, closing = 1, 2
        for token in tokens[:EDGE_TOKENS]:
            opening = pair(opening, token)
        for token in tokens[::-1][:EDGE_TOKENS]:
            closing = pair(closing, token)
        assert read.edges[p].tolist() == [opening, closing]
    assert read.tag.tolist() == ["<think>" in t for t in TEXTS]


def test_only_wanted_pieces_are_read_and_alike() -> None:
    """A piece's reading does not depend on its neighbours or on which others are read."""
    model = seeded_cues()
    buffer, pieces = pieces_of(*TEXTS)
    every = model.read(buffer, pieces, np.ones(len(pieces), np.bool_))
    wanted = np.arange(len(pieces)) % 3 == 1
    some = model.read(buffer, pieces, wanted)
    assert (some.slot >= 0).tolist() == wanted.tolist()
    assert some.slot[wanted].tolist() == list(range(int(wanted.sum())))
    for name in ("logits", "sample", "n_sample", "n_tokens", "edges", "tag"):
        assert getattr(some, name).tobytes() == getattr(every, name)[wanted].tobytes()


def test_nothing_wanted() -> None:
    """A batch without new pieces, or without any piece, has no readings."""
    model = seeded_cues()
    buffer, pieces = pieces_of("text")
    assert model.read(buffer, pieces, np.zeros(1, np.bool_)).logits.shape == (0, N_INTENTS)
    buffer, pieces = pieces_of()
    assert model.read(buffer, pieces, np.zeros(0, np.bool_)).slot.shape == (0,)


def save(folder: Path, model: HashedCues, **card: object) -> Path:
    """Writes the model as a released one."""
    path = folder / "cues.npz"
    np.savez(path, weights=model.weights, scale=model.scale, bias=model.bias)
    path.with_suffix(".json").write_text(
        json.dumps({"version": "1", "intents": list(INTENTS), **card})
    )
    return path


def test_load(tmp_path: Path) -> None:
    """A saved model reads as it did before."""
    model = seeded_cues()
    loaded = load_cues(save(tmp_path, model))
    buffer, pieces = pieces_of(*TEXTS)
    wanted = np.ones(len(pieces), np.bool_)
    assert loaded.version == "1"
    assert (
        loaded.read(buffer, pieces, wanted).logits.tobytes()
        == model.read(buffer, pieces, wanted).logits.tobytes()
    )


def test_load_refuses(tmp_path: Path) -> None:
    """A missing model, a broken file, a missing card and other intents stop the start."""
    with pytest.raises(ModelError, match="missing"):
        load_cues(tmp_path / "cues.npz")
    path = save(tmp_path, seeded_cues(), intents=["extraction"])
    with pytest.raises(ModelError, match="other intents"):
        load_cues(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_cues(path)
    save(tmp_path, seeded_cues())
    path.write_bytes(b"not a zip file")
    with pytest.raises(ModelError, match="cannot be read"):
        load_cues(path)


def test_load_refuses_arrays_of_the_wrong_shape(tmp_path: Path) -> None:
    """Arrays that do not fit the intents would be read past their end; they are refused."""
    seeded = seeded_cues()
    short = HashedCues("short", seeded.weights[:, :3], seeded.scale, seeded.bias)
    with pytest.raises(ModelError):
        load_cues(save(tmp_path, short))
