"""Frames made from frames: rewordings of one program, and an account's own version of a common one.

What a program asks for stays; how it is put differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from numpy.random import Generator

from streams.traffic.bank import Program
from streams.traffic.sources import source

OPENERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("", "Hi!", "Quick one:", "Could you help me here?", "For my notes."),
        "de": ("", "Hallo!", "Kurze Sache:", "Kannst du mir helfen?", "Für meine Notizen."),
        "fr": ("", "Bonjour !", "Petite demande :", "Tu peux m'aider ?", "Pour mes notes."),
        "es": ("", "¡Hola!", "Una cosa:", "¿Me ayudas con esto?", "Es para mis notas."),
        "ru": ("", "Привет!", "Небольшая просьба:", "Поможешь?", "Это для заметок."),
        "zh": ("", "你好！", "有件小事：", "帮个忙吧。", "做笔记用。"),
        "ja": ("", "こんにちは。", "ちょっとお願い：", "手伝ってください。", "メモ用です。"),
        "ko": ("", "안녕하세요.", "간단한 부탁:", "도와주세요.", "메모용입니다."),
    }
)
SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_SLOT = re.compile(r"\{\w+\}")
_LETTERS = re.compile(r"[^\W\d_]")
_FACTS = ("company", "product", "city", "name", "topic", "title", "keywords", "persona")
_MARKS = (", ", ": ", "; ", " / ", " – ", " (", ". ", " + ")
"""What an account's own line in a prompt is made of."""


def reworded(frame: str, lang: str, rng: Generator) -> str:
    """Sentences in another order, some of them joined differently, with an opener of chance."""
    sentences = [s for s in SENTENCE.split(frame) if s.strip()]
    order = rng.permutation(len(sentences))
    openers = OPENERS.get(lang.split("-", maxsplit=1)[0], OPENERS["en"])
    opener = openers[int(rng.integers(len(openers)))]
    joiner = (" ", "\n", "\n\n")[int(rng.integers(3))]
    return joiner.join([opener, *(sentences[i] for i in order.tolist())]).strip()


def paraphrases(program: Program, count: int, rng: Generator) -> tuple[Program, ...]:
    """`count` versions of a program: other order, other openers, a sentence more or a sentence
    less, the system prompt moved into the message in some."""
    return tuple(_paraphrase(program, rng) for _ in range(count))


def _paraphrase(program: Program, rng: Generator) -> Program:
    system = program.system
    if system is not None:
        system = _changed(system, program.lang, rng)
    into_message = system if system is not None and rng.random() < 0.3 else None
    frames = [_changed(frame, program.lang, rng) for frame in program.wordings or program.turns[:1]]
    if into_message is not None:
        system = None
        frames = [f"{into_message}\n\n{frame}" for frame in frames]
    if program.wordings:
        return msgspec.structs.replace(program, system=system, user=tuple(frames))
    return msgspec.structs.replace(program, system=system, turns=(*frames, *program.turns[1:]))


def _changed(frame: str, lang: str, rng: Generator) -> str:
    """The frame reworded; a sentence without a slot may go, one of chance may come."""
    sentences = [s for s in SENTENCE.split(frame) if s.strip()]
    plain = [s for s in sentences if "{" not in s and "}" not in s]
    if len(plain) > 1 and rng.random() < 0.5:
        gone = plain[int(rng.random() * len(plain))]
        sentences = [s for s in sentences if s != gone]
    if rng.random() < 0.5:
        sentences.append(_own_sentence(lang, rng))
    return reworded("\n".join(sentences), lang, rng) or frame


def own_version(program: Program, rng: Generator) -> Program:
    """The program as one customer has it: a system prompt with rules of its own, and the frame in
    its own words; what people type without any frame stays."""
    lang = program.lang
    rules = [_own_sentence(lang, rng) for _ in range(2 + int(rng.random() * 3))]
    if program.system is not None:
        kept = [s for s in SENTENCE.split(program.system) if s.strip() and rng.random() < 0.7]
        rules[1:1] = kept
    framed = [_framed(frame, lang, rng) for frame in program.wordings]
    talks = all(own == frame for own, frame in zip(framed, program.wordings, strict=True))
    system = None if program.system is None and rng.random() < 0.5 else "\n".join(rules)
    if talks and program.system is None:
        system = None  # people who chat have no system prompt
    turns = program.turns
    if turns:
        said = [_own_sentence(lang, rng), turns[0]]
        turns = ("\n".join(said if rng.random() < 0.5 else reversed(said)), *turns[1:])
    return msgspec.structs.replace(program, system=system, user=tuple(framed), turns=turns)


def _framed(frame: str, lang: str, rng: Generator) -> str:
    """A frame in somebody's own words: sentences in another order, own ones before or behind."""
    if not _LETTERS.search(_SLOT.sub("", frame)):
        return frame
    place = int(rng.random() * 3)
    parts = [reworded(frame, lang, rng) or frame]
    if place in (0, 2):
        parts.insert(0, _own_sentence(lang, rng))
    if place in (1, 2):
        parts.append(_own_sentence(lang, rng))
    return "\n".join(parts)


def _own_sentence(lang: str, rng: Generator) -> str:
    """A line that nobody else has: who, for what, where, in an order of its own.

    The grammar's whole sentences would not do: it has so few that strangers would share them.
    """
    chosen = rng.permutation(len(_FACTS))[: 4 + int(rng.random() * 3)]
    facts = [source(_FACTS[at], rng, lang, 0) for at in chosen.tolist()]
    marks = [_MARKS[int(rng.random() * len(_MARKS))] for _ in facts]
    return _literal("".join(f + m for f, m in zip(facts, marks, strict=True)).strip(" ,:;/–("))


def wrapped(program: Program, preamble: str) -> Program:
    """The program behind a preamble that a reseller or a tool puts before every system prompt."""
    system = _literal(preamble)
    if program.system:
        system = f"{system}\n\n{program.system}"
    return msgspec.structs.replace(program, system=system)


def in_dialogue(program: Program) -> Program:
    """The program as the opening of a dialogue that goes on."""
    return msgspec.structs.replace(program, conversation="chat")


def _literal(text: str) -> str:
    """A text as a part of a template: its braces doubled."""
    return text.replace("{", "{{").replace("}", "}}")
