"""Composed answers: filler text of the right kind and length, and what came back with it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from streams.traffic.bank import Output
from streams.traffic.grammar import Context, expand
from streams.traffic.lexicon import lexicon
from streams.traffic.sources import source

MEDIAN_TOKENS: dict[Output, float] = {
    "label": 3,
    "json": 90,
    "short": 40,
    "medium": 220,
    "long": 750,
    "code": 380,
}
MAX_FILLER_CHARS = 6000
POOL = 300
_EMPTY_TAG = re.compile(r"<(\w+)>\s*(?:\.\.\.|…|)\s*</\1>")
_WIDE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")


def chars_per_token(text: str) -> float:
    """Rough characters a token, by script of the first 200 characters."""
    head = text[:200]
    if _WIDE.search(head):
        return 1.6
    return 2.6 if _CYRILLIC.search(head) else 4.1


def count_tokens(text: str) -> int:
    """Rough token count of a text."""
    return round(len(text) / chars_per_token(text)) if text else 0


def wanted_tag(frame: str) -> str | None:
    """The tag that a frame tells the answer to use: one shown empty, <x></x> or <x>...</x>."""
    found = _EMPTY_TAG.search(frame)
    return found[1] if found else None


@dataclass(slots=True)
class Filler:
    """Answers from a pool of sentences a language, so that long answers cost little."""

    seed: int
    pools: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def _pool(self, lang: str, symbol: str) -> list[str]:
        known = lexicon(lang)
        key = (known.lang, symbol)
        if key not in self.pools:
            rng = np.random.default_rng([self.seed, *key[0].encode(), *symbol.encode()])
            self.pools[key] = [
                expand(symbol, Context(rng, known, lexicon("en"))) for _ in range(POOL)
            ]
        return self.pools[key]

    def prose(self, rng: Generator, lang: str, tokens: int, symbol: str = "a") -> str:
        """About `tokens` tokens of sentences."""
        pool = self._pool(lang, symbol)
        known = lexicon(lang)
        mean = sum(map(len, pool[:20])) / 20 / chars_per_token(pool[0])
        count = max(1, min(round(tokens / mean), MAX_FILLER_CHARS // 40))
        picks = [pool[int(value)] for value in rng.random(count) * POOL]
        if count < 8:
            return known.joiner.join(picks)
        step = 3 + int(rng.random() * 4)
        blocks = [known.joiner.join(picks[at : at + step]) for at in range(0, count, step)]
        if rng.random() < 0.35:
            blocks = [f"{number}. {block}" for number, block in enumerate(blocks, 1)]
        return "\n\n".join(blocks)

    def answer(self, rng: Generator, lang: str, output: Output, tokens: int) -> str:
        """An answer of the kind `output`."""
        if output == "label":
            words = (
                "yes",
                "no",
                "A",
                "B",
                "other",
                "positive",
                "negative",
                "3",
                "4",
                "PASS",
                "FAIL",
            )
            return words[int(rng.random() * len(words))]
        if output == "json":
            note = self.prose(rng, lang, max(4, tokens - 25))
            record = {"result": int(rng.random() * 6), "ok": bool(rng.random() < 0.7), "note": note}
            return json.dumps(record, ensure_ascii=False)
        if output == "code":
            block = source("code", rng, "en", 0)
            return f"{self.prose(rng, lang, max(8, tokens - 120))}\n\n```\n{block}```"
        return self.prose(rng, lang, tokens)


def draw_tokens(rng: Generator, output: Output, scale: float) -> int:
    """Length of an answer in tokens: log-normal around the median of its kind."""
    if output == "label":
        return 1 + int(rng.random() * 5)
    return max(4, round(MEDIAN_TOKENS[output] * scale * float(rng.lognormal(0, 0.55))))
