"""When conversations start: people, loops, scripts, cron jobs, end users of a product.

Every process takes the durations of the account's conversations and returns their start times
(float64, epoch seconds, same length). Rates are drawn over a wide range for every account, so
that a rate alone tells nothing about what an account is for. Log-normal pauses and diurnal Poisson
arrivals as in the published client traces of serving systems (ServeGen, BurstGPT).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Pace = Literal["batch", "paced", "human", "cron", "events", "clock", "sitting"]
"""The pacings of the bank; "clock": evenly round the clock; "sitting": a person somewhere in the
span, whatever the hour."""

Times = NDArray[np.float64]
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Job:
    """Requests of a program that works through a list: pauses, and how even they are.

    Attributes:
        jitter: part of a pause that is drawn (0: a metronome); above 1 pauses are log-normal with
            it as sigma.
        common: whether all accounts have the same pause; else each draws its own.
    """

    jitter: float
    common: bool = True


def conversation_starts(
    pace: Pace,
    rng: Generator,
    durations_s: Times,
    *,
    start_s: float,
    span_s: float = DAY_S,
    time_zone_h: float = 0.0,
) -> Times:
    """Start of each conversation under `pace`, in [start_s, start_s + span_s) save for overrun."""
    count = len(durations_s)
    match pace:
        case "batch":
            return batch(rng, durations_s, start_s, span_s)
        case "paced":
            return paced(rng, durations_s, start_s, span_s)
        case "human":
            return human(rng, durations_s, start_s, span_s, time_zone_h)
        case "cron":
            return cron(rng, durations_s, start_s, span_s)
        case "events":
            return events(rng, count, start_s, span_s, time_zone_h)
        case "clock":
            return clock(rng, count, start_s, span_s)
        case "sitting":
            return sitting(rng, durations_s, start_s, span_s)


def batch(rng: Generator, durations_s: Times, start_s: float, span_s: float) -> Times:
    """A loop of c workers in one to five runs; each takes the next item when it is free."""
    count = len(durations_s)
    starts = np.empty(count)
    runs = min(count, 1 + int(rng.random() ** 2 * 5))
    workers = int(np.exp(rng.uniform(0, np.log(16))))
    overhead_s = float(np.exp(rng.uniform(np.log(0.05), np.log(20))))
    begin = np.sort(start_s + rng.random(runs) * span_s * 0.85)
    at = 0.0
    for run, part in enumerate(np.array_split(np.arange(count), runs)):
        free = [max(float(begin[run]), at)] * workers
        for item in part:
            now = heapq.heappop(free) + overhead_s * float(rng.lognormal(0, 0.5))
            starts[item] = now
            heapq.heappush(free, now + float(durations_s[item]))
        at = max(free)
    return starts


def paced(rng: Generator, durations_s: Times, start_s: float, span_s: float) -> Times:
    """A script with pauses: one conversation after another at an interval with jitter."""
    count = len(durations_s)
    longest_s = span_s / count
    interval_s = float(np.exp(rng.uniform(np.log(min(2.0, longest_s)), np.log(longest_s))))
    jitter = float(rng.choice([0.02, 0.1, 0.4, 1.0]))
    gaps = interval_s * (1 - jitter / 2 + jitter * rng.random(count))
    gaps[1:] = np.maximum(gaps[1:], durations_s[:-1])
    slack_s = max(0.0, span_s - float(gaps.sum()))
    return np.asarray(start_s + rng.random() * slack_s + np.cumsum(gaps) - gaps[0])


def human(
    rng: Generator, durations_s: Times, start_s: float, span_s: float, time_zone_h: float
) -> Times:
    """A person: sessions in office or evening hours, log-normal pauses between conversations."""
    count = len(durations_s)
    opens_h, closes_h = (8.0, 18.5) if rng.random() < 0.6 else (16.0, 23.8)
    days = max(1, round(span_s / DAY_S))
    median_gap_s = float(np.exp(rng.uniform(np.log(20), np.log(400))))
    gaps = rng.lognormal(np.log(median_gap_s), 1.0, count)
    # Nobody types for more than nine hours a day: who asks much, pauses less.
    free_s = max(0.0, days * 9 * 3600 - float(durations_s.sum()))
    gaps *= min(1.0, free_s / float(gaps.sum()))
    busy_s = float((durations_s + gaps).sum())
    sessions = min(count, max(days, int(rng.integers(1, 5)), int(busy_s / 7200)))
    day = rng.integers(0, days, sessions)
    latest_h = max(opens_h + 0.5, closes_h - busy_s / 3600 / days)
    hour = rng.uniform(opens_h, latest_h, sessions)
    # Local hour of the day, put back into the span [start_s, start_s + days).
    offset = (hour * 3600 - time_zone_h * 3600 - start_s) % DAY_S
    begin = np.sort(start_s + day * DAY_S + offset)
    starts = np.empty(count)
    at = 0.0
    cuts = np.sort(rng.integers(0, count, sessions - 1)) if sessions > 1 else np.empty(0, int)
    for session, part in enumerate(np.split(np.arange(count), cuts)):
        at = max(at, float(begin[session]))
        for item in part:
            starts[item] = at
            at += float(durations_s[item] + gaps[item])
    return starts


def cron(rng: Generator, durations_s: Times, start_s: float, span_s: float) -> Times:
    """Bursts at set times: every hour, every few hours, or once a night."""
    count = len(durations_s)
    period_s = min(float(rng.choice([900, 3600, 3 * 3600, 6 * 3600, DAY_S])), span_s)
    first_s = start_s + float(rng.integers(0, int(period_s // 60) or 1)) * 60
    bursts = min(count, max(1, int(span_s // period_s)))
    starts = np.empty(count)
    gap_s = float(np.exp(rng.uniform(np.log(0.2), np.log(8))))
    for burst, part in enumerate(np.array_split(np.arange(count), bursts)):
        at = first_s + burst * period_s + rng.random() * 3
        for item in part:
            starts[item] = at
            at += float(durations_s[item]) + gap_s * float(rng.lognormal(0, 0.4))
    return starts


def events(rng: Generator, count: int, start_s: float, span_s: float, time_zone_h: float) -> Times:
    """Users of a product: a Poisson process whose rate follows the day (by thinning)."""
    depth = float(rng.uniform(0.4, 0.95))
    times: list[float] = []
    while len(times) < count:
        at = start_s + rng.random(2 * count) * span_s
        local_h = (at / 3600 + time_zone_h) % 24
        keep = rng.random(2 * count) < (1 + depth * np.cos((local_h - 15) * np.pi / 12)) / 2
        times.extend(at[keep].tolist())
    return np.sort(np.array(times[:count]))


def clock(rng: Generator, count: int, start_s: float, span_s: float) -> Times:
    """Evenly round the clock with jitter: no night, no burst."""
    jitter = float(rng.uniform(0.05, 0.9))
    place = np.arange(count) + jitter * rng.random(count)
    return np.sort(start_s + place / count * span_s)


def sitting(rng: Generator, durations_s: Times, start_s: float, span_s: float) -> Times:
    """A person at one thing for a while: log-normal pauses, hurried where the span is short."""
    count = len(durations_s)
    median_gap_s = float(np.exp(rng.uniform(np.log(20), np.log(400))))
    steps = durations_s + rng.lognormal(np.log(median_gap_s), 1.0, count)
    steps *= min(1.0, span_s / float(steps.sum()))
    slack_s = span_s - float(steps.sum())
    return np.asarray(start_s + rng.random() * slack_s + np.cumsum(steps) - steps[0])


def job(
    rng: Generator, how: Job, count: int, typical: float, start_s: float, span_s: float
) -> Times:
    """A program that works through a list: `typical` conversations would fill the span."""
    pause_s = span_s / max(typical, 1.0)
    if not how.common:
        pause_s *= float(rng.uniform(0.3, 1.0))
    if how.jitter > 1:
        steps = pause_s * rng.lognormal(-(how.jitter**2) / 2, how.jitter, count)
    else:
        steps = pause_s * (1 + how.jitter * (rng.random(count) - 0.5))
    return np.asarray(start_s + np.cumsum(steps) - steps[0])
