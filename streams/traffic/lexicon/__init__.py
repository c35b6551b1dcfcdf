"""Registry of the languages that composed traffic can write; the first one is the fallback."""

from __future__ import annotations

from functools import cache

from streams.traffic.grammar import Lexicon, parse
from streams.traffic.lexicon import de, en, es, fr, ja, ko, pt, ru, tr, zh

RULE_TEXTS = {
    "en": en.RULES,
    "zh": zh.RULES,
    "ja": ja.RULES,
    "ko": ko.RULES,
    "ru": ru.RULES,
    "de": de.RULES,
    "fr": fr.RULES,
    "es": es.RULES,
    "pt": pt.RULES,
    "tr": tr.RULES,
}


@cache
def lexicon(lang: str) -> Lexicon:
    """The lexicon of a BCP-47 tag's language, English where there is none."""
    base = lang.split("-", maxsplit=1)[0].lower()
    known = base if base in RULE_TEXTS else "en"
    return parse(known, RULE_TEXTS[known])
