"""One account (or a few that share dialogues) composed request by request, in order of time.

What `personas` composes at once comes here a conversation at a time, so that a hundred thousand
accounts can be merged into one stream without being held in memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.random import Generator

from streams.record import ApiRequest
from streams.traffic.answers import MEDIAN_TOKENS, Filler
from streams.traffic.assembly import Placed, draw_host, records_of
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.habits import Habits, draw_habits
from streams.traffic.identity import Identity
from streams.traffic.lists import ItemList
from streams.traffic.threads import Composer, Exchange
from streams.traffic.timing import Job, Pace, Times, conversation_starts, job

Touch = Callable[[ApiRequest, Generator], None]
"""Changes a finished request in place: what an evasion does to it last."""

BLOCKED = (403, "account_deactivated")
OVERTIME_GAP_S = 90.0
MOST_KNOCKS = 4
"""A blocked account's program tries so often before it notices."""


@dataclass(frozen=True, slots=True)
class Strand:
    """One kind of thing that an account does.

    Attributes:
        requests: answered ones.
        pace: of the conversations within the window; None: as the program has it. `typical`:
            with a Job, so many requests fill the window.
        items: the list that the conversations are about; None: one of the account's own.
        number: of the account in that list.
        order: where the account begins in the list and how it steps on, see `ItemList.item`.
        habit_seed: parameters, wordings and rhythm are drawn from it; None: from the account.
        name_seed: the same of names in the prompts (company, product, policy).
        changes: habits that are not to be drawn.
        params: parameters that are not to be drawn.
    """

    program: Program
    requests: int
    window_s: tuple[float, float]
    pace: Pace | Job | None = None
    typical: float = 1.0
    items: ItemList | None = None
    number: int = 0
    order: tuple[int, int] = (0, 1)
    habit_seed: int | None = None
    name_seed: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sends, and what.

    Attributes:
        pool: one identity; of several, each exchange of a dialogue is sent by the next one.
        seed: the same actor gives the same requests.
        blocked_s: from here on (epoch seconds) requests are refused, and soon there are no more.
        touch: applied to every request.
    """

    pool: tuple[Identity, ...]
    strands: tuple[Strand, ...]
    seed: tuple[int, ...]
    blocked_s: float | None = None
    touch: Touch | None = None

    def requests(self, filler: Filler, corpus: Corpus | None = None) -> Iterator[ApiRequest]:
        """Its requests by event time: those of each strand, and failed attempts on top."""
        rng = np.random.default_rng(self.seed)
        hosts = [draw_host(rng) for _ in self.pool]
        runs = [_Run(s, self.pool[0], rng, filler, corpus) for s in self.strands if s.requests > 0]
        waiting: list[tuple[float, int, ApiRequest]] = []
        made, knocks = 0, 0
        while waiting or runs:
            due = min(runs, key=lambda run: run.next_s, default=None)
            if due is None or (waiting and waiting[0][0] <= due.next_s):
                at_s, _, request = heapq.heappop(waiting)
                if self.blocked_s is not None and at_s >= self.blocked_s:
                    if knocks == MOST_KNOCKS:
                        return
                    knocks += 1
                    request = _refused(request)
                yield request
                continue
            for request in self._sent(due, hosts, made, rng):
                heapq.heappush(waiting, (request.event_time_s or 0.0, made, request))
                made += 1
            if due.left == 0:
                runs.remove(due)

    def _sent(self, run: _Run, hosts: list[int], made: int, rng: Generator) -> list[ApiRequest]:
        """Records of the run's next conversation."""
        at_s, exchanges = run.next_thread()
        user = run.users[int(len(run.users) * rng.random() ** 2)] if run.users else None
        client = int(rng.random() * len(self.pool[0].clients))
        turn = run.threads if len(self.pool) > 1 else 0
        out: list[ApiRequest] = []
        for step, exchange in enumerate(exchanges):
            at_s += exchange.pause_s
            sender = (turn + step) % len(self.pool)
            who = self.pool[sender]
            placed = Placed(at_s, exchange, run.habits, user, client % len(who.clients), step == 0)
            out += records_of([placed], who, rng, host=hosts[sender], first=made + len(out))
            at_s += exchange.latency_s
        if self.touch is not None:
            for request in out:
                self.touch(request, rng)
        return out


class _Run:
    """A strand being composed."""

    def __init__(
        self, strand: Strand, who: Identity, rng: Generator, filler: Filler, corpus: Corpus | None
    ) -> None:
        habits = draw_habits(
            strand.program, _seeded(strand.habit_seed, rng), strand.requests, who.provider
        )
        habits.params.update(strand.params)
        self.habits: Habits = replace(habits, **strand.changes)
        own_seed, self._first = int(rng.integers(2**62)), int(rng.integers(5000))
        seed = own_seed if strand.items is None else strand.items.seed
        self._composer = Composer(
            strand.program, self.habits, _seeded(strand.name_seed, rng), seed, filler,
            who.tokens_per_s, corpus,
        )  # fmt: skip
        self._composer.rng = rng  # the names are drawn by now
        self.users = [f"u{rng.bytes(5).hex()}" for _ in range(self.habits.end_users)]
        self._strand = strand
        self._rng = rng
        self._starts = self._plan(who)
        self._end_s = 0.0
        self._answer: str | None = None
        self.threads = 0
        self.left = strand.requests

    @property
    def next_s(self) -> float:
        """When the next conversation starts: as planned, and where conversations were shorter than
        expected, one behind the other."""
        starts = self._starts
        if self.threads < len(starts):
            return float(starts[self.threads])
        return max(float(starts[-1]), self._end_s) + OVERTIME_GAP_S

    def next_thread(self) -> tuple[float, list[Exchange]]:
        """Start (epoch seconds) and exchanges of the next conversation."""
        strand, k = self._strand, self.threads // self.habits.resample
        if strand.items is None:
            item = self._first + k % self.habits.item_count
        else:
            item = strand.items.item(strand.number, k, *strand.order)
        follows = self._answer is not None and self.threads % self.habits.chain != 0
        made = self._composer.thread(item, self.left, self._answer if follows else None)
        start_s = self.next_s
        self._end_s = start_s + sum(e.pause_s + e.latency_s for e in made)
        self._answer = made[-1].output
        self.threads += 1
        self.left -= len(made)
        return start_s, made

    def _plan(self, who: Identity) -> Times:
        """Starts of as many conversations as the strand is expected to need."""
        strand, program, rng = self._strand, self._strand.program, self._rng
        turns = max(1.0, 0.8 * len(program.turns))
        think_s = 0.5
        if program.conversation == "chat":
            turns += self.habits.followups
            think_s = self.habits.think_s
        elif program.conversation == "agent" and program.tools:
            turns, think_s = 4.3, 1.5
        count = max(1, round(strand.requests / turns))
        answer_s = 0.5 + MEDIAN_TOKENS[program.output] * self.habits.length_scale / who.tokens_per_s
        durations = (turns * answer_s + (turns - 1) * think_s) * rng.lognormal(0, 0.3, count)
        start_s, end_s = strand.window_s
        span_s = max(60.0, end_s - start_s)
        if isinstance(strand.pace, Job):
            return job(rng, strand.pace, count, strand.typical / turns, start_s, span_s)
        starts = conversation_starts(
            strand.pace or self.habits.pace, rng, durations, start_s=start_s,
            span_s=span_s, time_zone_h=who.time_zone_h,
        )  # fmt: skip
        return np.sort(starts)


def _seeded(seed: int | None, otherwise: Generator) -> Generator:
    return otherwise if seed is None else np.random.default_rng(seed)


def _refused(request: ApiRequest) -> ApiRequest:
    """The request as the log has it once the account is blocked."""
    status, code = BLOCKED
    return msgspec.structs.replace(
        request, status=status, error_code=code, finish_reason="error", finish_reason_raw=None,
        refusal_category=None, output_text=None, output_tokens=None, output_chars=None,
        input_tokens=None, cached_tokens=None, cached_in_input=None, ttft_ms=None, cost_usd=None,
        latency_ms=90.0,
    )  # fmt: skip
