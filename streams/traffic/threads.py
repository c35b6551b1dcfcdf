"""Conversations of one program: the exchanges of an item, history replayed, no times yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from streams.record import Message
from streams.traffic.answers import Filler, count_tokens, draw_tokens, wanted_tag
from streams.traffic.bank import Program, fill, slots_of
from streams.traffic.corpus import Corpus
from streams.traffic.habits import Habits
from streams.traffic.sources import SAME_TOPIC, source

OWN_SOURCES = frozenset(
    {
        "company",
        "product",
        "city",
        "policy",
        "rubric",
        "labels",
        "language",
        "prog_language",
        "name",
    }
)
"""In a system prompt these say whose program it is: one value an account."""

CHAINED_SOURCES = frozenset(
    {"instruction", "question", "passage", "answer", "math_problem", "coding_task", "document"}
)
"""Where an answer is fed back as the next text, it takes the place of one of these."""

MAX_HISTORY = 40


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `pause_s` is the time since the previous answer of the thread."""

    program: Program
    system: str | None
    messages: list[Message]
    output: str
    output_tokens: int
    finish: str
    pause_s: float
    latency_s: float
    ttft_s: float


@dataclass(slots=True)
class Composer:
    """Composes the threads of one account.

    Items are numbered; the same `item_seed` and number give the same item in every account, so that
    a list can be cut over accounts and run again.
    """

    program: Program
    habits: Habits
    rng: Generator
    item_seed: int
    filler: Filler
    tokens_per_s: float
    corpus: Corpus | None = None
    own: dict[str, str] = field(default_factory=dict)
    tag: str | None = None

    def __post_init__(self) -> None:
        system_slots = set(slots_of(self.program.system)) if self.program.system else set()
        for slot, origin in self.program.slots.items():
            inline = not isinstance(origin, str)
            if slot in system_slots:
                own = origin in OWN_SOURCES if not inline else self.rng.random() < 0.5
            else:
                own = origin in ("company", "policy", "labels") and self.rng.random() < 0.6
            if own:
                self.own[slot] = self._value(slot, self.rng, 0, None)
        frame = " ".join(self.program.templates)
        self.tag = wanted_tag(frame)

    def thread(self, item: int, limit: int, fed_back: str | None = None) -> list[Exchange]:
        """The exchanges of item number `item`, at most `limit` of them.

        `fed_back`: an answer that stands in for the item's text.
        """
        item_rng = np.random.default_rng([self.item_seed, item])
        values = self._values(item_rng, item)
        if fed_back is not None:
            texts = [slot for slot, origin in self.program.slots.items() if _is_chained(origin)]
            values |= dict.fromkeys(texts[:1], fed_back)
        system = fill(self.program.system, values) if self.program.system else None
        asked = self._asked(values, item_rng)
        if self.program.conversation == "agent" and self.program.tools:
            return self._agent(system, asked[0], limit)
        return self._talk(system, asked, limit)

    def _values(self, item_rng: Generator, item: int) -> dict[str, str]:
        topic: str | None = None
        origins = self.program.slots
        if sum(origin in SAME_TOPIC for origin in origins.values() if isinstance(origin, str)) > 1:
            lang = self.program.lang
            topic = source("topic", item_rng, lang, item, domains=self.habits.domains)
        values = {slot: self._value(slot, item_rng, item, topic) for slot in origins}
        return values | self.own

    def _value(self, slot: str, rng: Generator, item: int, topic: str | None) -> str:
        origin = self.program.slots[slot]
        if not isinstance(origin, str):
            return origin[int(rng.random() * len(origin))]
        return source(
            origin,
            rng,
            self.program.lang,
            item + 1,
            domains=self.habits.domains,
            corpus=self.corpus,
            topic=topic,
        )

    def _asked(self, values: Mapping[str, str], item_rng: Generator) -> list[str]:
        program, habits = self.program, self.habits
        if program.turns:
            asked = [fill(turn, values) for turn in program.turns]
            asked = asked[: 1 + int(self.rng.random() * len(asked) * 1.6)]
        else:
            pick = habits.wordings[int(item_rng.random() * len(habits.wordings))]
            asked = [fill(program.wordings[pick], values)]
        if program.conversation == "chat":
            for _ in range(int(self.rng.poisson(habits.followups))):
                asked.append(source("followup", self.rng, program.lang, 0, domains=habits.domains))
        return asked

    def _answer(self) -> tuple[str, int, str]:
        """Output text, tokens and finish reason."""
        rng, program = self.rng, self.program
        if rng.random() < self.habits.refusal_share:
            text = self.filler.prose(rng, program.lang, 12)
            return text, count_tokens(text), "refusal"
        tokens = draw_tokens(rng, program.output, self.habits.length_scale)
        finish = "stop"
        limit = self.habits.params.get("max_tokens")
        if isinstance(limit, int | float) and tokens > limit:
            tokens, finish = max(1, int(limit)), "length"
        text = self.filler.answer(rng, program.lang, program.output, tokens)
        if self.tag is not None:
            thought = self.filler.prose(rng, program.lang, max(10, tokens // 2), "r")
            text = f"<{self.tag}>{thought}</{self.tag}>\n{text}"
        return text, max(tokens, 1), finish

    def _exchange(
        self,
        system: str | None,
        history: list[Message],
        answer: tuple[str, int, str],
        pause_s: float,
    ) -> Exchange:
        text, tokens, finish = answer
        ttft_s = float(self.rng.lognormal(np.log(0.5), 0.5))
        return Exchange(
            program=self.program,
            system=system,
            messages=list(history),
            output=text,
            output_tokens=tokens,
            finish=finish,
            pause_s=pause_s,
            latency_s=ttft_s + tokens / self.tokens_per_s * float(self.rng.lognormal(0, 0.15)),
            ttft_s=ttft_s,
        )

    def _talk(self, system: str | None, asked: list[str], limit: int) -> list[Exchange]:
        history: list[Message] = []
        exchanges: list[Exchange] = []
        for number, text in enumerate(asked[:limit]):
            history.append(Message("user", text))
            pause_s = 0.0
            if number:
                median_s = self.habits.think_s if self.program.conversation == "chat" else 0.5
                pause_s = float(self.rng.lognormal(np.log(median_s), 0.9))
            exchange = self._exchange(system, history, self._answer(), pause_s)
            exchanges.append(exchange)
            history.append(Message("assistant", exchange.output))
        return exchanges

    def _agent(self, system: str | None, task: str, limit: int) -> list[Exchange]:
        """A tool loop: call, result, call ... answer; sometimes the person goes on."""
        rng, lang = self.rng, self.program.lang
        history = [Message("user", task)]
        exchanges: list[Exchange] = []
        steps = 1 + int(rng.geometric(0.3))
        pause_s = 0.0
        while len(exchanges) < min(limit, MAX_HISTORY):
            if steps > 1:
                said = self.filler.prose(rng, lang, 12) if rng.random() < 0.4 else ""
                answer = (said, 25 + count_tokens(said) + int(rng.random() * 60), "tool_calls")
                exchanges.append(self._exchange(system, history, answer, pause_s))
                result = source("tool_result", rng, lang, 0, domains=self.habits.domains)
                if rng.random() < 0.3:
                    name = ("code", "log", "json", "passage")[int(rng.random() * 4)]
                    result = source(name, rng, lang, 0, domains=self.habits.domains)
                history += [Message("assistant", said), Message("tool", result)]
                pause_s = float(rng.lognormal(np.log(1.5), 1.0))
                steps -= 1
                continue
            exchange = self._exchange(system, history, self._answer(), pause_s)
            exchanges.append(exchange)
            if rng.random() > 0.35 or self.program.pacing != "human":
                break
            follow = source("followup", rng, lang, 0, domains=self.habits.domains)
            history += [Message("assistant", exchange.output), Message("user", follow)]
            pause_s = float(rng.lognormal(np.log(self.habits.think_s), 0.9))
            steps = 1 + int(rng.geometric(0.4))
        return exchanges


def _is_chained(origin: str | tuple[str, ...]) -> bool:
    return isinstance(origin, str) and origin in CHAINED_SOURCES


def tool_definitions(names: tuple[str, ...], lang: str) -> str:
    """Canonical JSON text of a program's tools; the arguments are a plain string each."""
    tools = [
        {
            "name": name,
            "description": f"{name.replace('_', ' ')} ({lang})",
            "parameters": {"type": "object", "properties": {"input": {"type": "string"}}},
        }
        for name in names
    ]
    return json.dumps(tools, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
