"""A small text grammar: symbols, alternatives, and expansion with a seeded generator.

Notation of a rule text (one rule a line, continued by indented lines):

    symbol = first alternative | second with {other} | _

`{other}` is expanded in turn, `_` is the empty text, `{x!}` starts with a capital. A symbol named
in `STICKY` keeps its value within one text; `{topic_b}` and `{topic_c}` are other draws of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from numpy.random import Generator

N_DOMAINS = 8
"""Topics come in this many domains (topic0 ... topic7): home, health, travel, money, science,
computing, culture, work."""

ALL_DOMAINS = tuple(range(N_DOMAINS))

STICKY = frozenset({"topic", "name", "company", "product", "city", "year", "month", "ident"})
_PLACE = re.compile(r"\{(\w+)(!?)\}")
_ALIAS = re.compile(r"_[bc]$")

Part = tuple[str, str, bool]
"""Literal text before, symbol after it ("" at the end), whether to capitalise."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The parsed rules of one language."""

    lang: str
    rules: Mapping[str, tuple[tuple[Part, ...], ...]]
    joiner: str
    """What stands between two sentences: a space, or nothing in Chinese and Japanese."""

    def has(self, symbol: str) -> bool:
        """Whether a rule of that name exists."""
        return symbol in self.rules


@dataclass(slots=True)
class Context:
    """One text being composed: where values come from and which are fixed already."""

    rng: Generator
    lexicon: Lexicon
    fallback: Lexicon
    domains: Sequence[int] = ALL_DOMAINS
    memo: dict[str, str] = field(default_factory=dict)

    def pick(self, count: int) -> int:
        """A uniform index below `count`."""
        return int(self.rng.random() * count)


def parse(lang: str, text: str) -> Lexicon:
    """Reads a rule text; raises ValueError on a line that is no rule."""
    bodies: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if not line.strip():
            continue
        if line[0].isspace():
            if current is None:
                raise ValueError(f"lexicon {lang}: continuation without a rule: {line!r}")
            current.append(line)
            continue
        name, equals, body = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(f"lexicon {lang}: not a rule: {line!r}")
        current = bodies.setdefault(name.strip(), [])
        current.append(body)
    rules = {
        name: tuple(_parts(alternative.strip()) for alternative in _split(" ".join(lines)))
        for name, lines in bodies.items()
    }
    return Lexicon(lang, rules, "" if lang in ("zh", "ja") else " ")


def _split(body: str) -> list[str]:
    return [alternative for alternative in body.split("|") if alternative.strip()]


def _parts(alternative: str) -> tuple[Part, ...]:
    text = "" if alternative == "_" else re.sub(r"\s+", " ", alternative)
    parts: list[Part] = []
    at = 0
    for place in _PLACE.finditer(text):
        parts.append((_literal(text[at : place.start()]), place[1], bool(place[2])))
        at = place.end()
    parts.append((_literal(text[at:]), "", False))
    return tuple(parts)


def _literal(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def expand(symbol: str, context: Context) -> str:
    """Text of `symbol`; raises KeyError for a symbol that neither language nor fallback knows."""
    base = _ALIAS.sub("", symbol)
    if symbol in context.memo:
        return context.memo[symbol]
    value = _draw(base, context)
    if base in STICKY:
        taken = {context.memo.get(base + tail) for tail in ("", "_b", "_c")}
        for _ in range(4):
            if value not in taken:
                break
            value = _draw(base, context)
        context.memo[symbol] = value
    return value


def _draw(base: str, context: Context) -> str:
    match base:
        case "number":
            return str(2 + int(10 ** (context.rng.random() * 2.4)))
        case "small":
            return str(2 + context.pick(9))
        case "age":
            return str(18 + context.pick(65))
        case "year":
            return str(1950 + context.pick(76))
        case "ref":
            return f"{'ABCDEFGHKMNP'[context.pick(12)]}{10_000 + context.pick(989_999)}"
        case "topic":
            base = f"topic{context.domains[context.pick(len(context.domains))]}"
    alternatives = context.lexicon.rules.get(base)
    if alternatives is None:
        if context.lexicon is context.fallback:
            raise KeyError(base)
        # Nothing in this language: the whole phrase in the fallback's, not a mixture of both.
        own, context.lexicon = context.lexicon, context.fallback
        value = _draw(base, context)
        context.lexicon = own
        return value
    parts = alternatives[context.pick(len(alternatives))]
    if base == "name":
        return _name(parts[0][0], alternatives[context.pick(len(alternatives))][0][0])
    if len(parts) == 1:
        return parts[0][0]
    out: list[str] = []
    for literal, symbol, capital in parts:
        out.append(literal)
        if symbol:
            value = expand(symbol, context)
            out.append(value[:1].upper() + value[1:] if capital else value)
    return "".join(out)


def _name(one: str, other: str) -> str:
    """First name of one entry, family name of another, where a space parts the two."""
    return (
        f"{one.split(maxsplit=1)[0]} {other.rsplit(maxsplit=1)[-1]}"
        if " " in one and " " in other
        else one
    )
