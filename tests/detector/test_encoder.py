"""The prompt encoder: a text's vector is its own, whatever stands beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from detector.encoder import (
    CARD,
    DIMENSIONS,
    GRAPH,
    HEAD_BYTES,
    HEAD_TOKENS,
    LENGTHS,
    TAIL_BYTES,
    TAIL_TOKENS,
    TOKENISER,
    Encoder,
    load_encoder,
    padded_length,
)
from detector.errors import ModelError
from tests.detector.builders import TEXTS, pieces_of
from tests.services.prompt_encoder import built_encoder, encoder_folder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The one that `make encoder` built."""
    return built_encoder()


def tokens(encoder: Encoder, *texts: str | bytes) -> list[list[int]]:
    """Tokens of each text."""
    text, pieces = pieces_of(*texts)
    return encoder.tokens(text, pieces["start"], pieces["stop"])


def test_vectors_are_unit_vectors(encoder: Encoder) -> None:
    """Of any text, an empty one too; none gives none."""
    found = encoder.encode(TEXTS)
    assert found.shape == (len(TEXTS), DIMENSIONS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert encoder.encode([]).shape == (0, DIMENSIONS)


def test_neighbours_change_no_bit(encoder: Encoder) -> None:
    """A text alone, among others, in another place or twice has the same bytes."""
    together = encoder.encode(TEXTS)
    turned = encoder.encode(TEXTS[::-1])[::-1]
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    twice = encoder.encode([*TEXTS, *TEXTS])[len(TEXTS) :]
    for other in (turned, alone, twice):
        assert other.tobytes() == together.tobytes()


def test_a_text_means_the_same_in_other_languages(encoder: Encoder) -> None:
    """A sentence is nearer to its translations than to another sentence of its own language."""
    harvest = encoder.encode(
        [
            "Write a new exam question about rivers together with its full solution.",
            "Schreibe eine neue Prüfungsfrage über Flüsse mit der vollständigen Lösung.",
            "Écris une nouvelle question d'examen sur les rivières avec sa solution complète.",
            "写一道关于河流的新考题并附上完整解答。",
        ]
    ).astype(np.float64)
    chat = encoder.encode(["My cat does not eat since yesterday, what should I do?"])[0]
    assert (harvest[1:] @ harvest[0]).min() > (harvest @ chat).max() + 0.2


def test_long_texts_are_read_at_both_ends(encoder: Encoder) -> None:
    """A change in the middle of a long text is not seen, one at the head or at the tail is; no
    text has more tokens than the longest length."""
    middle = " ".join(f"word{i}" for i in range(3000))
    texts = [
        f"Judge this. {middle} Answer in one word.",
        f"Judge this. {middle.replace('word1500', 'other')} Answer in one word.",
        f"Rewrite this. {middle} Answer in one word.",
        f"Judge this. {middle} Answer in Greek.",
    ]
    found = encoder.encode(texts)
    assert found[1].tobytes() == found[0].tobytes()
    assert found[2].tobytes() != found[0].tobytes()
    assert found[3].tobytes() != found[0].tobytes()
    assert [len(t) for t in tokens(encoder, *texts)] == [LENGTHS[-1]] * 4


def test_tokens_of_a_text_that_is_cut(encoder: Encoder) -> None:
    """Up to HEAD_TOKENS + TAIL_TOKENS a text is whole; past them its first and last are kept."""
    words = " ".join(["river"] * (HEAD_TOKENS + TAIL_TOKENS))
    (whole,) = tokens(encoder, words)
    assert len(whole) == LENGTHS[-1]
    (cut,) = tokens(encoder, "first " + words + " last")
    assert len(cut) == LENGTHS[-1]
    assert cut[:2] == tokens(encoder, "first")[0][:2]
    assert cut[-2:] == tokens(encoder, "last")[0][-2:]


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"\0\0\0", b"ok \xed\xa0\x80 ok", "字".encode() * 900]
)
def test_any_bytes_are_a_text(encoder: Encoder, raw: bytes) -> None:
    """Broken UTF-8, NUL bytes and characters cut in two by the limits raise nothing."""
    text, pieces = pieces_of(raw, b"x" * (HEAD_BYTES - 1) + "字".encode() * TAIL_BYTES)
    found = encoder.vectors(text, pieces["start"], pieces["stop"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_a_length_holds_its_tokens() -> None:
    """The shortest length that is enough."""
    assert [padded_length(n) for n in (3, 16, 17, 128)] == [16, 16, 32, 128]


@pytest.mark.parametrize("damaged", [GRAPH, TOKENISER, CARD])
def test_a_damaged_folder_is_refused(damaged: str, tmp_path: Path) -> None:
    """A file that is missing or is not the card's stops the start and names the remedy."""
    for name in (GRAPH, TOKENISER, CARD):
        shutil.copy(encoder_folder() / name, tmp_path / name)
    load_encoder(tmp_path)
    path = tmp_path / damaged
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="make encoder"):
        load_encoder(tmp_path)
    path.unlink()
    with pytest.raises(ModelError, match="make encoder"):
        load_encoder(tmp_path)


def test_the_card_says_what_it_is() -> None:
    """Version, hashes, source and licence."""
    card = json.loads((encoder_folder() / CARD).read_text("utf-8"))
    assert {"version", "sha256", "source", "source_sha256", "licence"} <= card.keys()
    assert built_encoder().version == card["version"]
