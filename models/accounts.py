"""Accounts to learn from: composed ones from programs, and captured ones, as request lists.

Every account carries its group (program or tool) and batch (author batch or origin): the units of
splitting. Fields are masked to the profiles of real formats, drawn without looking at the label.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streams.intake import Intake, IntakeSettings
from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.bank import Program
from streams.traffic.corpus import Corpus
from streams.traffic.masks import apply_profile, draw_profile
from streams.traffic.personas import SideChat, compose_account
from streams.traffic.replay import stretch

START_S = 1_780_000_000.0
MIXED_SHARE = 0.4
"""This part of the composed accounts mixes its program with ordinary chat."""

CAPTURE_REQUESTS = 200
"""A captured account's first requests are learnt from; a harvest is to be found within them."""

STRETCHES = (1.0, 10.0, 30.0)
"""Captured rates are 5 to 30 times too fast."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account's requests and what is known of it.

    Attributes:
        name: unique over the data set.
        group: program or tool, batch: author batch, origin or tool; units of splitting.
        label: 1 extraction, 0 benign.
        kind: kind of program, for reports.
        source: "bank", "templates" or "captures".
        requests: in time order.
    """

    name: str
    group: str
    batch: str
    label: int
    kind: str
    source: str
    requests: Sequence[ApiRequest]


def composed_accounts(
    programs: Sequence[tuple[Program, str]],
    *,
    per_program: int,
    seed: int,
    source: str,
    corpus: Corpus | None,
    chats: Sequence[Program] = (),
    requests: tuple[int, int] = (25, 110),
) -> Iterable[Account]:
    """Accounts that run each program `per_program` times; programs labelled "depends" are left out.

    Part of them (MIXED_SHARE), whatever the label, mixes in ordinary chat (`chats`).
    """
    filler = Filler(seed)
    benign = [p for p, _ in programs if p.label == "benign"]
    for number, (program, batch) in enumerate(programs):
        if program.label == "depends":
            continue
        for copy in range(per_program):
            rng = np.random.default_rng([seed, number, copy])
            side = None
            if chats and rng.random() < MIXED_SHARE:
                chat = chats[int(rng.integers(len(chats)))]
                side = SideChat(chat, float(rng.uniform(0.2, 0.8)))
            made = compose_account(
                program,
                requests=int(rng.integers(*requests)),
                start_s=START_S + float(rng.uniform(0, 86_400 * 7)),
                span_s=float(rng.uniform(0.3, 3.0)) * 86_400,
                seed=[seed, 1, number, copy],
                side=side,
                others=benign,
                filler=filler,
                corpus=corpus,
            )
            made = apply_profile(draw_profile(rng), made)
            name = f"{program.id}#{copy}"
            for request in made:
                request.account = name
            label = int(program.label == "extraction")
            yield Account(name, program.id, batch, label, program.kind, source, made)


def tool_of(stem: str) -> str:
    """The tool a capture was made with: its twins, shards and sister runs share it."""
    return stem.split("_")[1]


def read_capture(path: Path) -> list[ApiRequest]:
    """Requests of one capture file, read by the product's own intake."""
    intake = Intake(IntakeSettings())
    with gzip.open(path, "rb") as lines:
        return [r for line in lines for r in intake.read(line.strip(), record_time_s=None)]


def capture_accounts(
    folder: Path, factors: Sequence[float] = STRETCHES, *, limit: int | None = CAPTURE_REQUESTS
) -> list[Account]:
    """Captured accounts: `A_` extraction, `B_` benign; `C_` could be called either.

    Each is there once for every factor its times are stretched by, with its first `limit`
    requests, or all of them.
    """
    out = []
    for path in sorted(folder.glob("[AB]_*.jsonl.gz")):
        stem = path.name.removesuffix(".jsonl.gz")
        requests = read_capture(path)[:limit]
        for factor in factors:
            copies = stretch(requests, factor)
            name = f"{stem}@{factor:g}"
            for request in copies:
                request.account = name
            tool = tool_of(stem)
            label = int(stem.startswith("A_"))
            out.append(Account(name, stem, tool, label, "capture", "captures", copies))
    return out
