"""Plain words: folded letters, ends of sentences, and what is quoted."""

from __future__ import annotations

import numpy as np
import pytest

from detector.plain_text import (
    ASK,
    CLOSE,
    COLON,
    COMMA,
    END,
    LINE,
    MAX_PLAIN,
    OPEN,
    plain_piece,
)
from detector.tokens import HEAD_BYTES, TAIL_BYTES

SIGNS = {END: "|", LINE: "/", ASK: "?", OPEN: "[", CLOSE: "]", COLON: ":", COMMA: ","}


def plain(text: str) -> str:
    """The plain form with its control bytes as signs."""
    raw = np.frombuffer(text.encode("utf-8"), np.uint8)
    room = np.empty(MAX_PLAIN, np.uint8)
    n = plain_piece(raw, 0, len(raw), room)
    return bytes(room[:n]).decode("utf-8", "replace").translate(SIGNS)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Don't STOP, now!", "don t stop,now|"),
        ("Größe ÉTÉ Привет", "größe été привет"),
        ("Is it 4.1? Yes.", "is it 4 1?yes|"),
        ('he said "stop it" twice', "he said [stop it]twice"),
        ("er sagte „halt an“ und ging", "er sagte [halt an]und ging"),
        ("il dit « stop » puis", "il dit [stop ]puis"),
        ("彼は「止まれ」と言った。", "彼は[止まれ]と言った|"),
        ("他说“停下”。好吗？", "他说[停下]|好吗?"),
        ("use `rm file` here", "use [rm file]here"),
        ("the pupils' work isn't 'quoted words' here", "the pupils work isn t [quoted words]here"),
        ("before\n> what she wrote\nafter", "before/[what she wrote]/after"),
        ("see <think>x</think>", "see <think x<think "),
        ("هل هذا؟ نعم", "هل هذا?نعم"),
        ("यह है। वह", "यह है|वह"),
        ('an open "quote ends\nwith its line', "an open [quote ends]/with its line"),
        ("thinking_budget", "thinking budget"),
        ('{"a": "b", "c": 1} says "d"', "a :b ,c :1 says [d]"),
        ("note: 一、二，三：四", "note:一,二,三:四"),
    ],
)
def test_words_sentences_and_quotes(text: str, want: str) -> None:
    """Letters are folded, marks part words, sentences end, and quoted words stand between marks."""
    assert plain(text) == want


def test_a_long_piece_is_its_head_and_tail() -> None:
    """Of a long piece the middle is not read, whatever character the cut goes through."""
    text = "начало " + "середина " * 900 + " конец"
    got = plain(text)
    assert got.startswith("начало")
    assert got.endswith("конец")
    assert len(got.encode("utf-8", "replace")) <= 2 * (HEAD_BYTES + TAIL_BYTES)


def test_any_bytes_are_read() -> None:
    """Bytes that are no UTF-8, or are cut anywhere, are read without an error and within room."""
    rng = np.random.default_rng(4)
    room = np.empty(MAX_PLAIN, np.uint8)
    for _ in range(300):
        raw = rng.integers(0, 256, int(rng.integers(0, 4000))).astype(np.uint8)
        assert 0 <= plain_piece(raw, 0, len(raw), room) <= MAX_PLAIN
    whole = np.frombuffer("« 思考 » “мысль” <think>".encode(), np.uint8)
    for stop in range(len(whole)):
        assert plain_piece(whole, 0, stop, room) <= MAX_PLAIN
