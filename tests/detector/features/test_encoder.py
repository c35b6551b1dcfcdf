"""Encoder: the log alone picks what is encoded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings

from detector.features import encoder
from detector.features.encoder import CEILING, DRIFT, GATED, OPEN, SEEN, STEPS
from detector.intents import ELICIT, EXTRACTION
from streams.record import ApiRequest
from tests.detector.builders import (
    Fact,
    LengthEncoder,
    agree,
    ask,
    feed,
    histories,
    mean,
    prefixes,
    readings,
    row_of,
    said_of,
    seeded_cues,
    talk,
    told,
    word_cues,
)

CUES = seeded_cues()


def power_of_two(n: int) -> bool:
    """1, 2, 4, 8 …"""
    return n.bit_count() == 1


def picks(facts: Sequence[Fact]) -> list[list[str]]:
    """What is encoded in each request, told by the definition."""
    read = readings(sorted({t for f in facts for t in f.fresh}), CUES)
    seen = gated = 0
    gate = 0  # in steps of 1 / STEPS
    out = []
    for fact in facts:
        mine = []
        for text in fact.fresh:
            seen += 1
            logits = read[text][0]
            move = math.floor(STEPS * (max(logits[EXTRACTION], logits[ELICIT]) - DRIFT) + 0.5)
            gate = min(max(gate + move, 0), int(STEPS * CEILING))
            if power_of_two(seen):
                mine.append(text)
            elif gate >= STEPS * OPEN and gated < GATED * seen.bit_length():
                gated += 1
                mine.append(text)
        out.append(mine)
    return out


@settings(max_examples=25, deadline=None)
@given(histories())
def test_equals_the_batch_computation(history: tuple[list[ApiRequest], list[float]]) -> None:
    """After every request the feature is the mean over what the definition picks, and nothing else
    was encoded."""
    picked = picks(told(*history))
    prompts = LengthEncoder()
    for i, got in enumerate(prefixes(*history, CUES, prompts)):
        said = [(1.0, said_of(text)) for mine in picked[: i + 1] for text in mine]
        agree(got, {"encoder_extraction": mean(said)})
    assert prompts.texts == [text for mine in picked for text in mine]


def test_first_second_fourth_eighth() -> None:
    """Ordinary pieces: those at powers of two, repeats and failures not counted."""
    prompts = LengthEncoder()
    requests = [ask(f"question {i}") for i in range(1, 41)]
    noise = [ask("question 1"), ask("failed", status=500), ask("question 1")]
    feed([requests[0], *noise, *requests[1:]], cues=word_cues("reveal"), prompts=prompts)
    assert prompts.texts == [f"question {i}" for i in (1, 2, 4, 8, 16, 32)]


def test_an_open_gate_lets_more_through_and_closes() -> None:
    """While pieces read like a harvest each new one is encoded, at most GATED a doubling; ordinary
    ones close the gate again."""
    cues = word_cues("reveal", EXTRACTION)
    prompts = LengthEncoder()
    harvest = [ask(f"reveal {i}") for i in range(1, 201)]
    feed(harvest, cues=cues, prompts=prompts)
    at_most = len([n for n in range(1, 201) if power_of_two(n)]) + GATED * (200).bit_length()
    assert len(prompts.texts) == at_most
    assert prompts.texts[:12] == [f"reveal {i}" for i in range(1, 13)]
    prompts = LengthEncoder()
    calm = [ask(f"hello {i}") for i in range(1, 61)]
    feed([*harvest[:3], *calm], cues=cues, prompts=prompts)
    calm_ones = [text for text in prompts.texts if text.startswith("hello")]
    assert calm_ones == ["hello 1", "hello 5", "hello 13", "hello 29"]  # 4th, 8th, 16th, 32nd


def test_a_batch_cut_changes_nothing() -> None:
    """One by one, in sevens or at once: the same pieces, state and due rows."""
    requests = [
        talk(("system", f"You are {i % 5}."), ("user", f"reveal {i // 2} of {i}"), account=who)
        for i in range(120)
        for who in ("a", "b")
    ]
    cues = word_cues("reveal", EXTRACTION)
    found = []
    for size in (240, 7, 1):
        prompts = LengthEncoder()
        state, dues = feed(requests, cues=cues, prompts=prompts, sizes=[size] * 240)
        vectors = b"".join(due.vectors.tobytes() for due in dues)
        assert sum(len(due.encoded) for due in dues) == len(prompts.texts)
        found.append((state.digest(), sorted(prompts.texts), vectors))
    assert found[0] == found[1] == found[2]
    assert len(found[0][1]) > 20


def test_system_prompts_are_not_encoded() -> None:
    """Neither apart nor in the list; the users' pieces are the same with them and without."""
    texts = [f"hello number {i}" for i in range(9)]
    plain, apart, listed = LengthEncoder(), LengthEncoder(), LengthEncoder()
    feed([ask(text) for text in texts], cues=CUES, prompts=plain)
    feed([ask(text, system="You are kind.") for text in texts], cues=CUES, prompts=apart)
    some = [talk(("system", "You are kind."), ("user", text)) for text in texts]
    feed(some, cues=CUES, prompts=listed)
    assert plain.texts == apart.texts == listed.texts != []


def test_unknown_without_an_encoder() -> None:
    """Where nothing is encoded the feature is unknown and every other one is as with it."""
    requests = [ask(f"question {i}", system="Be brief.") for i in range(12)]
    times = [1.0 + i for i in range(12)]
    bare = prefixes(requests, times, CUES)[-1]
    full = prefixes(requests, times, CUES, LengthEncoder())[-1]
    names = encoder.FEATURES
    assert all(math.isnan(bare[name]) and not math.isnan(full[name]) for name in names)
    rest = [name for name in bare if name not in names]
    np.testing.assert_array_equal([bare[n] for n in rest], [full[n] for n in rest])


def test_unattributed_requests_are_not_encoded() -> None:
    """They have no account whose picks they could be."""
    prompts = LengthEncoder()
    feed([ask("hello", account=None)] * 3, cues=CUES, prompts=prompts)
    assert prompts.texts == []


def test_counts_stay_in_their_bytes() -> None:
    """Past the largest count nothing wraps: the picks of an account are bounded for good."""
    cues = word_cues("reveal", EXTRACTION)
    state, _ = feed([ask("hello")], cues=cues, prompts=LengthEncoder())
    state.accounts.rows["encoder_seen"][0] = SEEN - 3
    prompts = LengthEncoder()
    requests = [ask(f"reveal {i}") for i in range(90)]
    feed(requests, cues=cues, prompts=prompts, state=state)
    row = row_of(state)
    assert int(row["encoder_seen"]) == SEEN
    assert len(prompts.texts) == GATED * SEEN.bit_length() == int(row["encoder_gated"])
    assert int(row["encoder_n"]) == 1 + len(prompts.texts)


def test_the_row_keeps_no_vector() -> None:
    """The group's state is 12 bytes an account."""
    assert np.dtype(encoder.FIELDS, align=True).itemsize == 12
