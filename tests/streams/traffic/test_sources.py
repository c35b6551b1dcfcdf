"""Slot sources and the word lists behind them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streams.traffic.corpus import guess_language, load_corpus
from streams.traffic.grammar import parse
from streams.traffic.lexicon import RULE_TEXTS, lexicon
from streams.traffic.sources import SOURCES, source

COMMON_LANGUAGES = ("en", "zh", "ja", "ko", "ru", "de", "fr", "es", "pt", "tr")
TEXT_SOURCES = ("chat_message", "question", "sentence", "passage", "review", "ticket", "email")
SCRIPTS = {
    "zh": r"[\u4e00-\u9fff]",
    "ja": r"[\u3040-\u30ff]",
    "ko": r"[\uac00-\ud7af]",
    "ru": r"[\u0400-\u04ff]",
}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_same_seed_same_value(name: str) -> None:
    """A source depends on its arguments only and leaves no slot unfilled."""
    for lang in ("en", "zh", "xx"):
        one = [source(name, np.random.default_rng([k, 5]), lang, k) for k in range(40)]
        two = [source(name, np.random.default_rng([k, 5]), lang, k) for k in range(40)]
        assert one == two
        assert all(text.strip() for text in one)
    if name not in ("code", "json", "tool_result"):
        assert not any(re.search(r"\{\w+!?\}", text) for text in one)


@pytest.mark.parametrize("lang", COMMON_LANGUAGES)
@pytest.mark.parametrize("name", TEXT_SOURCES)
def test_texts_are_varied_in_every_common_language(lang: str, name: str) -> None:
    """Of 1,500 draws at least 800 differ, and they are written in the language's script."""
    rng = np.random.default_rng(7)
    texts = {source(name, rng, lang, k) for k in range(1500)}
    assert len(texts) >= 800
    if lang in SCRIPTS:
        assert all(re.search(SCRIPTS[lang], text) for text in texts)


def test_every_symbol_of_every_lexicon_is_known() -> None:
    """No word list names a symbol that neither it nor the English one defines."""
    english = lexicon("en")
    built_in = {"number", "small", "age", "year", "ref", "topic"}
    for lang in RULE_TEXTS:
        own = lexicon(lang)
        symbols = {
            re.sub(r"_[bc]$", "", part[1])
            for rule in own.rules.values()
            for alternative in rule
            for part in alternative
            if part[1]
        }
        assert symbols <= built_in | own.rules.keys() | english.rules.keys(), lang


def test_domains_narrow_the_topics() -> None:
    """With one domain, topics come from that domain's list only."""
    known = {alternative[0][0] for alternative in lexicon("en").rules["topic4"]}
    rng = np.random.default_rng(1)
    assert {source("topic", rng, "en", k, domains=(4,)) for k in range(200)} <= known


def test_unknown_source_and_broken_rules_raise() -> None:
    """A name that is no source, and a line that is no rule, are errors."""
    with pytest.raises(KeyError):
        source("nonsense", np.random.default_rng(1), "en", 0)
    with pytest.raises(ValueError, match="not a rule"):
        parse("xx", "just some words")


def _write_data(folder: Path, released: str) -> Path:
    rows = [{"prompt": f"What is the colour of stone number {k}?"} for k in range(60)]
    (folder / "prompts").mkdir()
    name = "prompts/benign_koala_real_queries.jsonl.gz"
    with gzip.open(folder / name, "wb") as out:
        out.write(b"\n".join(msgspec.json.encode(row) for row in rows))
    index = f"file,kind,rows,licence_class,train_shipped_model\n{name},benign,60,x,{released}\n"
    (folder / "index.csv").write_text(index)
    return folder


def test_corpus_reads_released_files_only(tmp_path: Path) -> None:
    """Prompts of a data folder are used where index.csv releases them, and not otherwise."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    released = load_corpus(_write_data(tmp_path / "a", "yes"))
    held_back = load_corpus(_write_data(tmp_path / "b", "no"))
    assert released is not None
    assert held_back is not None
    rng = np.random.default_rng(3)
    texts = [source("question", rng, "en", k, corpus=released) for k in range(100)]
    assert 30 < sum("stone number" in text for text in texts) < 90
    assert held_back.texts == {}
    assert load_corpus(tmp_path) is None


def test_guess_language() -> None:
    """Languages are told by script and by small words; doubtful texts are left out."""
    assert guess_language("Was ist das und wie geht es nicht?") == "de"
    assert guess_language("東京のカビ") == "ja"
    assert guess_language("什么是光") == "zh"
    assert guess_language("what is the time") == "en"
    assert guess_language("naïve Überraschung") is None
