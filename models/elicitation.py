"""Texts for the elicitation head alone: minimal pairs, and sentences composed of phrases.

The extraction head does not read them: the tone of a request for reasoning is not what makes a
harvest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

import numpy as np
from numpy.random import Generator

from models.texts import TextRow

PAIR_WEIGHT = 0.35
PHRASE_WEIGHT = 0.05
"""Weights of a pair's text and of a composed sentence beside a program's 1."""

SENTENCES = 20
"""Rounds of composed sentences of each language."""

Phrases = Mapping[str, tuple[str, ...]]


def pair_rows() -> list[TextRow]:
    """Minimal pairs of `corpus/pairs.jsonl`: the first text is a cue, the second is none."""
    path = resources.files("models") / "corpus" / "pairs.jsonl"
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines()):
        pair = json.loads(line)
        for key, wanted in (("elicits", True), ("not", False)):
            rows.append(_row(pair[key], f"pair {number}", pair["lang"], wanted, PAIR_WEIGHT))
    return rows


def phrase_rows() -> list[TextRow]:
    """Sentences composed of `corpus/phrases.txt`; the same every time."""
    rows = []
    for number, (lang, phrases) in enumerate(read_phrases().items()):
        rng = np.random.default_rng([5, number])
        texts: dict[str, bool] = {}
        for _ in range(SENTENCES):
            texts |= _round(phrases, rng)
        rows += [
            _row(text, f"phrase {lang} {k}", lang, wanted, PHRASE_WEIGHT)
            for k, (text, wanted) in enumerate(texts.items())
        ]
    return rows


def read_phrases() -> dict[str, Phrases]:
    """Phrases by language and kind."""
    path = resources.files("models") / "corpus" / "phrases.txt"
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    lang = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            lang = line[1:-1]
            found[lang] = {}
        elif line and line[0] != "#":
            kind, _, listed = line.partition(": ")
            found[lang][kind] = tuple(listed.split(" | "))
    return dict(found)


def _row(text: str, group: str, lang: str, wanted: bool, weight: float) -> TextRow:
    bag = f"{group}/{wanted}"
    return TextRow(text, group, lang, False, {"elicit": wanted}, bag, weight=weight)


def _round(phrases: Phrases, rng: Generator) -> dict[str, bool]:
    """One request for reasoning, and one sentence of each sort that is none."""

    def pick(kind: str) -> str:
        return phrases[kind][int(rng.integers(len(phrases[kind])))]

    def beside_task(text: str) -> str:
        """Alone, before or behind something to do."""
        place = int(rng.integers(3))
        return text if place == 0 else " ".join((text, pick("task"))[:: 1 if place == 1 else -1])

    own = pick("own")
    asked = _upper(pick("asks").replace("{own}", own))
    return {
        beside_task(asked): True,
        beside_task(_upper(pick("denies").replace("{own}", own))): False,
        pick("cites").replace("{asked}", asked.rstrip(".。।")): False,
        pick("tells").replace("{its}", pick("its")): False,
        (pick("sets") if rng.integers(2) else beside_task(pick("teaches"))): False,
    }


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
