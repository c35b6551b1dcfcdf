"""Slot sources: where the variable parts of every program come from.

Extraction and benign programs draw from the same sources, so that topic cannot give a label away.
A value that the program's language lacks is English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from numpy.random import Generator

from streams.traffic.arithmetic import math_problem
from streams.traffic.corpus import Corpus
from streams.traffic.grammar import ALL_DOMAINS, Context, expand
from streams.traffic.lexicon import lexicon
from streams.traffic.technical import code, json_text, log, sql, url

LANGUAGE_NAMES = (
    "English", "German", "French", "Spanish", "Portuguese", "Turkish", "Russian", "Chinese",
    "Japanese", "Korean", "Arabic", "Hindi", "Polish", "Dutch", "Swedish", "Vietnamese", "Thai",
    "Italian", "Greek", "Czech", "Finnish", "Hungarian", "Swahili", "Ukrainian", "Catalan",
)  # fmt: skip

SAME_TOPIC = frozenset({"answer", "reasoning", "document", "passage", "title", "keywords"})
"""Sources that speak of the item's topic when an item has several slots."""

CORPUS_SHARE = 0.6
"""Where the data folder has texts of a source, this share of the values is taken from it."""


def _sentences(symbol: str, context: Context, low: int, high: int) -> str:
    count = low + context.pick(high - low + 1)
    texts = [expand(symbol, _fresh(context)) for _ in range(count)]
    return context.lexicon.joiner.join(texts)


def _fresh(context: Context) -> Context:
    """A context that keeps the topic most of the time and redraws the rest."""
    memo = {}
    if "topic" in context.memo and context.rng.random() < 0.6:
        memo["topic"] = context.memo["topic"]
    return Context(context.rng, context.lexicon, context.fallback, context.domains, memo)


def _chat_message(context: Context) -> str:
    chance = context.rng.random(5)
    parts = []
    if chance[0] < 0.25:
        parts.append(expand("opener", context))
    if chance[1] < 0.55:
        parts.append(expand("situation", context))
    parts.append(expand("ask", context))
    if chance[2] < 0.3:
        parts.append(expand("constraint", context))
    if chance[3] < 0.2:
        parts.append(expand("closer", context))
    text = context.lexicon.joiner.join(parts)
    if chance[4] < 0.15:
        text = text.lower().rstrip(".?。？")
    return text


def _question(context: Context) -> str:
    chance = context.rng.random()
    parts = [expand("q", context)]
    if chance < 0.25:
        parts.insert(0, expand("situation", context))
    elif chance < 0.45:
        parts.append(expand("constraint", context))
    return context.lexicon.joiner.join(parts)


def _instruction(context: Context) -> str:
    chance = context.rng.random()
    parts = [expand("ins", context)]
    if chance < 0.35:
        parts.append(expand("constraint", context))
    if chance < 0.08 or chance > 0.9:
        parts.insert(0, expand("situation", context))
    return context.lexicon.joiner.join(parts)


def _joined(*spans: tuple[str, int, int]) -> Callable[[Context], str]:
    def build(context: Context) -> str:
        texts = [_sentences(symbol, context, low, high) for symbol, low, high in spans]
        return context.lexicon.joiner.join(texts)

    return build


def _email(context: Context) -> str:
    body = _sentences("em_mid", context, 2, 5)
    return f"{expand('em_open', context)}\n\n{body}\n\n{expand('em_end', context)}"


def _document(context: Context) -> str:
    expand("topic", context)
    blocks = [expand("title", context)]
    for part in range(2 + context.pick(4)):
        heading = (
            f"{part + 1}. {expand('title', _fresh(context))}\n" if context.pick(3) == 0 else ""
        )
        blocks.append(heading + _sentences("s", context, 3, 7))
    return "\n\n".join(blocks)


def _dialogue(context: Context) -> str:
    speakers = [expand("name", context).split()[0], expand("name_b", context).split()[0]]
    expand("topic", context)
    lines = []
    for turn in range(4 + context.pick(7)):
        symbol = ("ask", "a", "situation", "a", "followup", "s")[context.pick(6)]
        lines.append(f"{speakers[turn % 2]}: {expand(symbol, _fresh(context))}")
    return "\n".join(lines)


def _answer(context: Context) -> str:
    low, high = ((1, 2), (2, 5), (4, 9))[context.pick(3)]
    return _sentences("a", context, low, high)


def _date(context: Context) -> str:
    year, month, day = 2019 + context.pick(8), 1 + context.pick(12), 1 + context.pick(28)
    shape = ("{y}-{m:02d}-{d:02d}", "{d:02d}.{m:02d}.{y}", "{d}/{m}/{y}", "{m:02d}/{d:02d}/{y}")
    return shape[context.pick(4)].format(y=year, m=month, d=day)


def _language(context: Context) -> str:
    return LANGUAGE_NAMES[context.pick(len(LANGUAGE_NAMES))]


def _symbol(name: str) -> Callable[[Context], str]:
    def build(context: Context) -> str:
        return expand(name, context)

    return build


SOURCES: Mapping[str, Callable[[Context], str]] = {
    "question": _question,
    "math_problem": math_problem,
    "coding_task": _symbol("coding"),
    "instruction": _instruction,
    "chat_message": _chat_message,
    "followup": _symbol("followup"),
    "passage": _joined(("s", 3, 7)),
    "document": _document,
    "dialogue": _dialogue,
    "review": _joined(("rv_open", 1, 1), ("rv_mid", 1, 4), ("rv_end", 1, 1)),
    "ticket": _joined(("tk_open", 1, 1), ("tk_mid", 1, 3), ("tk_end", 1, 1)),
    "email": _email,
    "code": code,
    "answer": _answer,
    "reasoning": _joined(("r", 3, 9)),
    "topic": _symbol("topic"),
    "persona": _symbol("persona"),
    "name": _symbol("name"),
    "company": _symbol("company"),
    "product": _symbol("product"),
    "city": _symbol("city"),
    "number": _symbol("number"),
    "date": _date,
    "language": _language,
    "prog_language": _symbol("plang"),
    "sentence": _symbol("s"),
    "title": _symbol("title"),
    "json": json_text,
    "log": log,
    "sql": sql,
    "url": url,
    "keywords": _symbol("keywords"),
    "rubric": _joined(("rubric", 2, 4)),
    "labels": _symbol("labels"),
    "policy": _joined(("policy", 2, 6)),
    "tool_result": _symbol("tool_result"),
}

SOURCE_NAMES = frozenset(SOURCES) | {"item_id"}


def source(
    name: str,
    rng: Generator,
    lang: str,
    k: int,
    *,
    domains: Sequence[int] = ALL_DOMAINS,
    corpus: Corpus | None = None,
    topic: str | None = None,
) -> str:
    """One value of the source `name` in the language `lang`.

    `k` is the number of the item (only `item_id` shows it), `domains` narrows the topics, `topic`
    fixes the topic. Raises KeyError for an unknown source.
    """
    if name == "item_id":
        return str(k)
    if corpus is not None and topic is None and rng.random() < CORPUS_SHARE:
        text = corpus.draw(name, lang, rng)
        if text is not None:
            return text
    context = Context(rng, lexicon(lang), lexicon("en"), domains)
    if topic is not None and name in SAME_TOPIC:
        context.memo["topic"] = topic
    return SOURCES[name](context)
