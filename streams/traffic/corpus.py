"""Real prompts for slots, from the data folder where one exists.

Only files that the folder's `index.csv` releases for training a shipped model are read.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import msgspec
from numpy.random import Generator

FILES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "question": (
        ("hardneg_dolly_human_instructions", r"open_qa|general_qa"),
        ("benign_koala_real_queries", ""),
        ("benign_dev_cosqa_queries", ""),
    ),
    "instruction": (
        ("hardneg_dolly_human_instructions", r"hhrlhf|brainstorming|creative"),
        ("distill_seed_tasks", ""),
        ("benign_oasst1_validation", ""),
    ),
    "math_problem": (("hardneg_eval_math", ""),),
    "coding_task": (("hardneg_eval_code", ""), ("benign_dev_stackoverflow", "")),
    "chat_message": (
        ("benign_oasst1_validation", ""),
        ("benign_koala_real_queries", ""),
        ("benign_wildchat_hard_ru", ""),
        ("benign_dev_stackoverflow", ""),
        ("benign_dev_aider_transcripts", ""),
    ),
}
"""Source -> files (without folder and ending) and a pattern that `subset` must match."""

MAX_CHARS = 1200
MAX_ROWS = 6000

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
_MARKS = (
    ("de", re.compile(r"\b(der|die|das|und|ist|nicht|wie|ich)\b", re.IGNORECASE)),
    ("es", re.compile(r"\b(el|los|que|una|para|como|cómo|qué)\b", re.IGNORECASE)),
    ("fr", re.compile(r"\b(le|les|des|une|est|pour|quel|dans)\b", re.IGNORECASE)),
    ("pt", re.compile(r"\b(o|os|uma|para|não|como|você|em)\b", re.IGNORECASE)),
)
_ENGLISH = re.compile(r"\b(the|a|is|of|to|what|how|in|for|and|python)\b", re.IGNORECASE)


class _Row(msgspec.Struct):
    prompt: str
    subset: str | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts by source and language."""

    texts: Mapping[tuple[str, str], tuple[str, ...]]

    def draw(self, source: str, lang: str, rng: Generator) -> str | None:
        """A text of the source in the language, None where there are fewer than 30."""
        pool = self.texts.get((source, lang.split("-", maxsplit=1)[0].lower()), ())
        if len(pool) < 30:
            return None
        return pool[int(rng.random() * len(pool))]


def guess_language(text: str) -> str | None:
    """A language the lexicons know, by script and small words; None when unsure."""
    for lang, script in _SCRIPTS:
        if script.search(text):
            return lang
    english = len(_ENGLISH.findall(text))
    best, hits = max(((lang, len(mark.findall(text))) for lang, mark in _MARKS), key=lambda x: x[1])
    if hits >= 2 and hits > english:
        return best
    return "en" if text.isascii() else None


@lru_cache(maxsize=2)
def load_corpus(data: Path) -> Corpus | None:
    """Reads the released prompt files under `data`; None when the folder has no index.csv."""
    index = data / "index.csv"
    if not index.is_file():
        return None
    with index.open(encoding="utf-8", newline="") as rows:
        released = {
            row["file"] for row in csv.DictReader(rows) if row["train_shipped_model"] == "yes"
        }
    pools: dict[tuple[str, str], dict[str, None]] = {}
    for source, files in FILES.items():
        for stem, subset in files:
            name = f"prompts/{stem}.jsonl.gz"
            if name not in released or not (data / name).is_file():
                continue
            with gzip.open(data / name, "rb") as lines:
                for line in islice(lines, MAX_ROWS):
                    row = msgspec.json.decode(line, type=_Row)
                    if len(row.prompt) > MAX_CHARS or not re.search(subset, row.subset or ""):
                        continue
                    lang = guess_language(row.prompt)
                    if lang is not None:
                        pools.setdefault((source, lang), {})[row.prompt] = None
    return Corpus({key: tuple(pool) for key, pool in pools.items()})
