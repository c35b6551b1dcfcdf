"""Tokens, hashes and n-grams of text in every script, whole or cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fingerprint import hash_pieces, is_user_piece, mandates_tag, ngram_rows, ngrams
from detector.hashing import combine
from detector.tokens import HEAD_BYTES, LONE, MAX_TOKENS, NUMBER, TAIL_BYTES, read_tokens
from streams.columns import ASSISTANT, SYSTEM, USER
from tests.detector.builders import pieces_of


def tokens_of(text: str | bytes) -> list[int]:
    """Token hashes of a whole piece."""
    return read(text)[0]


def read(text: str | bytes) -> tuple[list[int], list[int]]:
    """Token and stem hashes of a whole piece."""
    buffer, pieces = pieces_of(text)
    tokens, stems = np.zeros(MAX_TOKENS, np.uint64), np.zeros(MAX_TOKENS, np.uint64)
    n = read_tokens(buffer, int(pieces["start"][0]), int(pieces["stop"][0]), tokens, stems)
    return tokens[:n].tolist(), stems[:n].tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t.,;!?()[]{}", 0),
        ("The quick-brown fox", 4),
        ("snake_case stays one", 3),
        ("crème brûlée à la carte", 5),
        ("Große Straße", 2),
        ("Съешь же ещё этих булок", 5),
        ("مرحبا بالعالم", 2),
        ("שלום עולם", 2),
        ("नमस्ते दुनिया", 2),
        ("日本語", 3),
        ("你好，世界", 4),
        ("你好。世界", 4),
        ("한국어 말", 4),
        ("ไทย", 3),
        ("mix漢字mix", 4),
        ("🙂🙂", 2),
    ],
)
def test_token_counts(text: str, words: int) -> None:
    """Words of spaced scripts are one token, characters of the others one each."""
    assert len(tokens_of(text)) == words


def test_case_and_place_do_not_matter() -> None:
    """An ASCII word is the same token in any case and beside any white space or ASCII mark."""
    (word,) = tokens_of("Answer")
    for text in ("answer", "ANSWER", "\n  answer\t", "(answer)", "answer.", '"Answer"'):
        assert tokens_of(text) == [word]
    assert tokens_of("answers") != [word]


@pytest.mark.parametrize("mark", ["“{}”", "«{}»", "‘{}’", "—{}—", "{}…", "¿{}?", "\u00a0{}"])
def test_typographic_marks_are_no_letters(mark: str) -> None:
    """Curly quotes, guillemets, dashes and hard spaces do not become part of a word."""
    assert tokens_of(mark.format("answer")) == tokens_of("answer")
    assert tokens_of(mark.format("слово")) == tokens_of("слово")


@given(st.integers(0, 10**30))
def test_numbers_are_masked(number: int) -> None:
    """Every number is the one NUMBER token, so that counters do not make texts differ."""
    assert tokens_of(f"item {number}") == [*tokens_of("item"), int(NUMBER)]


def test_digits_in_words_stay() -> None:
    """A word that holds a digit is a word."""
    assert int(NUMBER) not in tokens_of("gpt4 x2 3rd utf8 _")


def test_stems() -> None:
    """Long words share the stem of their first five letters; short ones and numbers have none."""
    (_, long), (_, longer) = read("evaluate"), read("evaluation")
    assert long == longer != [0]
    assert read("short")[1] == [0]
    assert read("1234567")[1] == [0]
    assert read("字")[1] == [int(LONE)]


@given(st.text(max_size=200), st.integers(0, 400), st.integers(0, 400))
def test_cut_anywhere(text: str, a: int, b: int) -> None:
    """Text cut in the middle of a character is read without a fault, and reads inside its bounds.

    The stretch is read twice, once with other bytes around it: the tokens are the same.
    """
    raw = text.encode("utf-8", "surrogatepass")[min(a, b) : max(a, b)]
    alone = tokens_of(raw)
    buffer = np.frombuffer(b"\xe4\xbd" + raw + b"\xbd\xa0abc", np.uint8)
    tokens, stems = np.zeros(MAX_TOKENS, np.uint64), np.zeros(MAX_TOKENS, np.uint64)
    n = read_tokens(buffer, 2, 2 + len(raw), tokens, stems)
    assert tokens[:n].tolist() == alone


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    """Any bytes give at most one token a byte."""
    assert len(tokens_of(raw)) <= len(raw)


def test_long_pieces_are_read_at_head_and_tail() -> None:
    """The middle of a long piece changes no token; its last words do."""
    head, tail = "start " * 200, "word " * 150 + "end"
    assert len(head) < HEAD_BYTES
    assert len(tail) < TAIL_BYTES
    x = head + " " * 600 + "aaaa " * 500 + " " * 400 + tail
    y = head + " " * 600 + "bbbb " * 500 + " " * 400 + tail
    assert tokens_of(x) == tokens_of(y)
    assert tokens_of(x)[-1:] == tokens_of("end")
    assert tokens_of(x) != tokens_of(x + " more")


def test_token_bound() -> None:
    """A piece of single letters or characters never gives more than MAX_TOKENS tokens."""
    for text in ("a " * 5000, "字" * 5000, "a " * 1190, "字" * 790):
        assert 0 < len(tokens_of(text)) <= MAX_TOKENS


@given(
    st.lists(st.tuples(st.sampled_from([SYSTEM, USER, ASSISTANT]), st.text(max_size=40)),
             max_size=30)
)  # fmt: skip
def test_equal_hash_means_equal_piece(told: list[tuple[int, str]]) -> None:
    """Two pieces have one hash exactly when role and text without outer white space are equal."""
    buffer, pieces = pieces_of(*(t for _, t in told))
    pieces["role"] = [r for r, _ in told]
    hashes = hash_pieces(buffer, pieces).tolist()
    assert 0 not in hashes
    white = "".join(map(chr, range(33)))
    names = [(r, t.strip(white)) for r, t in told]
    for i in range(len(told)):
        for j in range(i):
            assert (hashes[i] == hashes[j]) == (names[i] == names[j])


def test_hash_does_not_depend_on_the_place() -> None:
    """A piece hashes alike alone and amid others, at any offset."""
    alone = hash_pieces(*pieces_of("the same text"))[0]
    for k in range(17):
        assert hash_pieces(*pieces_of("x" * k, "the same text", "y"))[1] == alone


def test_hashes_spread() -> None:
    """100,000 short texts have as many hashes in their low 32 bits, but for a few by chance."""
    hashes = hash_pieces(*pieces_of(*(f"question {i}" for i in range(100_000))))
    assert len(np.unique(hashes)) == 100_000
    assert len(np.unique(hashes.astype(np.uint32))) > 99_990


def pair(a: int, b: int) -> int:
    """Hash of an ordered pair, of plain integers."""
    return int(combine(np.uint64(a), np.uint64(b)))


def expected_ngrams(tokens: list[int], stems: list[int]) -> list[int]:
    """Words, stems, pairs, triples of lone characters, opening words, by the docstring."""
    out: list[int] = [*tokens]
    out += [s ^ 0xC4CEB9FE1A85EC53 for s in stems if s > 1]
    out += [pair(a, b) for a, b in itertools.pairwise(tokens)]
    triples = zip(tokens, tokens[1:], tokens[2:], stems[2:], strict=False)
    out += [pair(pair(a, b), c) for a, b, c, s in triples if s == 1]
    return out + [pair(i + 1, t) for i, t in enumerate(tokens[:3])]


@pytest.mark.parametrize(
    "text", ["", "one", "two words", "Evaluate the evaluation 12 times", "日本語のテキスト", "a漢b"]
)
def test_ngrams(text: str) -> None:
    """The n-grams are the documented ones, as a multiset."""
    tokens, stems = read(text)
    out = np.zeros(4 * len(tokens) + 6, np.uint64)
    pairs = np.zeros(len(tokens), np.uint64)
    m = ngrams(np.array(tokens, np.uint64), np.array(stems, np.uint64), len(tokens), pairs, out)
    assert sorted(out[:m].tolist()) == sorted(expected_ngrams(tokens, stems))


def test_ngram_rows() -> None:
    """The training matrix holds each piece's n-grams modulo buckets, each row of unit length."""
    texts = ["first piece of text", "", "第二"]
    indptr, buckets, weights = ngram_rows(*pieces_of(*texts), 1000)
    for p, text in enumerate(texts):
        got = buckets[indptr[p] : indptr[p + 1]].tolist()
        grams = expected_ngrams(*read(text))
        assert sorted(got) == sorted(g % 1000 for g in grams)
        if grams:
            assert np.linalg.norm(weights[indptr[p] : indptr[p + 1]]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Put it in <think> tags", True),
        ("use <THINKING> and </THINKING>", True),
        ("write <thought>", True),
        ("a <reasoning> block", True),
        ("a <scratchpad> first", True),
        ("your <cot>", True),
        ("I think so, for a reason", False),
        ("<b>bold</b> <table><thead><th>", False),
        ('<script src="x.js"></script>', False),
        ("<React.Fragment> and <read> and <real>", False),
        ("<third> <thin> <scroll>", False),
        ("1 < 2", False),
        ("<", False),
        ("<thi", False),
        ("", False),
    ],
)
def test_thinking_tags(text: str, tag: bool) -> None:
    """Thinking tags are seen; HTML, JSX and talk about thinking are not."""
    buffer, _ = pieces_of(text)
    assert mandates_tag(buffer, 0, len(buffer)) is tag


def test_user_pieces() -> None:
    """Only user text of this turn is what the customer wrote now."""
    _, pieces = pieces_of("a", "b", "c")
    pieces["role"] = [USER, USER, ASSISTANT]
    pieces["last_turn"] = [0, 1, 1]
    assert is_user_piece(pieces).tolist() == [False, True, False]
