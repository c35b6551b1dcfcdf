"""Requests, batches, a small seeded cue model, and the plain account of what counts once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.cues import HashedCues
from detector.encoder_head import PieceEncoder
from detector.features import FEATURE_NAMES, N_FEATURES, read_features
from detector.fingerprint import ngram_rows
from detector.intents import ELICIT, N_INTENTS
from detector.state import Due, PartitionState
from streams.batch import BatchBuilder, RequestBatch, account_name, identity
from streams.columns import PIECE
from streams.record import ApiRequest, Message

T0_S = 1_760_000_000.0
DAY_S = 86_400.0
HALF_LIFE_S = 7 * DAY_S
BUCKETS = 4096
ASSISTANTS = ("assistant", "model")
RESULTS = ("tool", "function")
SYSTEMS = ("system", "developer")

TEXTS = (
    "",
    "hello there, how are you today?",
    "Write a question about 17 rivers, with its answer, as JSON.",
    "Write a question about 23 lakes, with its answer, as JSON.",
    "Write a question about old castles in Spain, with its answer, as JSON.",
    "Put your whole reasoning inside <think> and </think> before you answer.",
    "Übersetze bitte diesen Satz: Der Zug fährt um 8 Uhr.",
    "Напиши короткий рассказ о зиме и о море.",
    "请用一句话解释光合作用。",
    "rate this answer from 1 to 10 and give only the number",
    "def f(x): return x + 1  # why does this fail for None?",
    "long " + " ".join(f"word{i % 40} and{i % 7}" for i in range(700)),
)


def ask(text: str = "hello", *, account: str | None = "acme", **fields: Any) -> ApiRequest:
    """An answered request with one user message; `fields` are those of `ApiRequest`."""
    given: dict[str, Any] = {"messages": [Message("user", text)], "status": 200, **fields}
    return ApiRequest(account=account, **given)


def talk(*turns: tuple[str, str], account: str = "acme", **fields: Any) -> ApiRequest:
    """An answered request with a list of (role, text)."""
    return ask(account=account, messages=[Message(*turn) for turn in turns], **fields)


def minutes(n: int, every_s: float = 60.0) -> list[float]:
    """n event times at a steady pace."""
    return [T0_S + every_s * i for i in range(n)]


def batch_of(
    requests: Sequence[ApiRequest],
    times_s: Sequence[float] | None = None,
    late: Sequence[bool] | None = None,
) -> RequestBatch:
    """Columns of the requests, a minute apart and none late unless told."""
    when = minutes(len(requests)) if times_s is None else times_s
    return BatchBuilder().build(requests, when, late or [False] * len(requests))


def pieces_of(*texts: str | bytes, role: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
    """A text buffer and PIECE rows over it, all in the last turn."""
    raw = [t.encode("utf-8", "surrogatepass") if isinstance(t, str) else t for t in texts]
    pieces = np.zeros(len(raw), PIECE)
    stops = np.cumsum([len(t) for t in raw])
    pieces["stop"], pieces["start"] = stops, stops - [len(t) for t in raw]
    pieces["role"], pieces["last_turn"] = role, 1
    return np.frombuffer(b"".join(raw), np.uint8), pieces


def seeded_cues(seed: int = 7) -> HashedCues:
    """A cue model of random weights: it means nothing, but it is the same one every time."""
    rng = np.random.default_rng(seed)
    return HashedCues(
        f"seeded-{seed}",
        rng.integers(-127, 128, (BUCKETS, N_INTENTS)).astype(np.int8),
        np.full(N_INTENTS, 0.02, np.float32),
        rng.normal(0.0, 0.5, N_INTENTS).astype(np.float32),
    )


@dataclass
class LengthEncoder:
    """Stands in for the prompt encoder: a piece's log-odds are its bytes modulo 7, less 3.

    `texts` are those that it was asked for, in order.
    """

    version: str = "lengths"
    texts: list[str] = field(default_factory=list)

    def read(
        self, text: NDArray[np.uint8], pieces: NDArray[np.void], picked: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See `PieceEncoder.read`."""
        raw = [text[pieces[p]["start"] : pieces[p]["stop"]].tobytes() for p in picked]
        self.texts += [part.decode("utf-8", "surrogatepass") for part in raw]
        return np.array([said_of(part) for part in raw], np.float32)


def said_of(text: str | bytes) -> float:
    """What LengthEncoder says of a text."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return float(len(raw) % 7 - 3)


def word_cues(word: str, intent: int = ELICIT) -> HashedCues:
    """A cue model that gives `intent` to a short piece holding `word` and nothing to any other."""
    text, pieces = pieces_of(word)
    _, buckets, _ = ngram_rows(text, pieces, BUCKETS)
    weights = np.zeros((BUCKETS, N_INTENTS), np.int8)
    weights[buckets[0], intent] = 127
    return HashedCues(
        f"word-{word}", weights, np.ones(N_INTENTS, np.float32), np.full(N_INTENTS, -6, np.float32)
    )


def cut(items: Sequence[ApiRequest], sizes: Iterable[int]) -> list[slice]:
    """Consecutive slices of the given sizes, the last one as long as what is left."""
    out, at = [], 0
    for size in sizes:
        if at >= len(items):
            break
        out.append(slice(at, at + size))
        at += size
    if at < len(items):
        out.append(slice(at, len(items)))
    return out


def feed(
    requests: Sequence[ApiRequest],
    times_s: Sequence[float] | None = None,
    *,
    sizes: Iterable[int] = (),
    cues: HashedCues | None = None,
    state: PartitionState | None = None,
    late: Sequence[bool] | None = None,
    prompts: PieceEncoder | None = None,
) -> tuple[PartitionState, list[Due]]:
    """Applies requests in batches of `sizes` (all at once by default) to a new state."""
    when = minutes(len(requests)) if times_s is None else times_s
    model = seeded_cues() if cues is None else cues
    at = PartitionState() if state is None else state
    builder = BatchBuilder()
    old = [False] * len(requests) if late is None else late
    due = [
        at.apply(builder.build(requests[part], when[part], old[part]), model, prompts)
        for part in cut(requests, sizes)
    ]
    return at, due


def row_of(state: PartitionState, account: str = "acme") -> np.void:
    """The account's row."""
    at = state.accounts.find(identity(account_name("default", account)))
    assert at is not None
    row: np.void = state.accounts.rows[at]
    return row


def features_of(state: PartitionState, account: str = "acme") -> dict[str, float]:
    """The account's features by name, as they stand now."""
    out = np.empty((1, N_FEATURES), np.float32)
    read_features(np.array([row_of(state, account)]), out)
    return dict(zip(FEATURE_NAMES, out[0].tolist(), strict=True))


def features_after(
    requests: Sequence[ApiRequest],
    times_s: Sequence[float] | None = None,
    cues: HashedCues | None = None,
) -> dict[str, float]:
    """Features of account "acme" after the requests."""
    return features_of(feed(requests, times_s, cues=cues)[0])


@dataclass(frozen=True, slots=True)
class Fact:
    """What a request means, told by the definitions in design.md ("Evidence").

    `weight` is the forward decay; `asked` the user texts of the last turn; `fresh` those of them
    that the account had not sent before in an answered request; `systems` the new system texts.
    """

    request: ApiRequest
    time_s: float
    weight: float
    answered: bool
    asked: list[str]
    fresh: list[str]
    systems: list[str]
    history: bool
    user_turns: int
    texted: bool

    @property
    def resample(self) -> bool:
        """All of a single-turn prompt was answered before."""
        return bool(self.asked) and not self.fresh and not self.history


@dataclass
class Teller:
    """Reads one account's requests one by one and keeps the facts."""

    facts: list[Fact] = field(default_factory=list)
    _ring: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=128))
    _system_ring: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=8))

    def tell(self, r: ApiRequest, time_s: float) -> None:
        """Adds one request."""
        first_s = self.facts[0].time_s if self.facts else time_s
        messages = r.messages or []
        kinds = [kind_of(m.role) for m in messages]
        answers = [i for i, k in enumerate(kinds[:-1]) if k == "assistant"]
        start = answers[-1] + 1 if answers else 0
        failed = r.error_code is not None if r.status is None else not success(r.status)
        asked, fresh, systems = [], [], []
        given = [("system", r.system), ("tools", r.tools)]
        turns = [(k, m.text) for k, m in zip(kinds, messages, strict=True)]
        pieces = [(k, t, False) for k, t in given if t]
        pieces += [(k, t, i >= start) for i, (k, t) in enumerate(turns) if t.strip()]
        for kind, text, now in pieces:
            if failed:
                break
            if kind not in ("system", "tools") and not now:
                continue
            seen = (kind, text.strip(WHITE))
            ring = self._system_ring if kind in ("system", "tools") else self._ring
            new = seen not in ring
            if new:
                ring.append(seen)
            if kind == "system" and new:
                systems.append(text)
            if kind == "user" and now:
                asked.append(text)
                if new:
                    fresh.append(text)
        self.facts.append(
            Fact(
                r,
                time_s,
                2.0 ** ((time_s - first_s) / HALF_LIFE_S),
                not failed,
                asked,
                fresh,
                systems,
                bool(answers) or "tool" in kinds,
                kinds.count("user"),
                bool(pieces),
            )
        )


WHITE = "".join(map(chr, range(33)))


def success(status: int | str) -> bool:
    """Whether a status says 2xx."""
    return 200 <= status < 300 if isinstance(status, int) else status == "success"


def kind_of(role: str) -> str:
    """Role of a message in the words of the facts; an unknown one is the user's."""
    if role in SYSTEMS:
        return "system"
    if role in ASSISTANTS:
        return "assistant"
    return "tool" if role in RESULTS else "user"


def told(requests: Sequence[ApiRequest], times_s: Sequence[float]) -> list[Fact]:
    """Facts of one account's requests."""
    teller = Teller()
    for r, t in zip(requests, times_s, strict=True):
        teller.tell(r, t)
    return teller.facts


def mean(pairs: Iterable[tuple[float, float]]) -> float:
    """Weighted mean of (weight, value) pairs, NaN without any."""
    known = list(pairs)
    total = math.fsum(w for w, _ in known)
    return math.fsum(w * v for w, v in known) / total if known else math.nan


def share(facts: Iterable[Fact], hits: Iterable[bool]) -> float:
    """Weighted share of facts that hit, NaN without any fact."""
    return mean((f.weight, float(hit)) for f, hit in zip(facts, hits, strict=True))


def agree(got: dict[str, float], want: dict[str, float], tolerance: float = 2e-3) -> None:
    """Both unknown, or equal within the rounding of float32 sums."""
    for name, value in want.items():
        assert math.isnan(got[name]) == math.isnan(value), (name, got[name], value)
        if not math.isnan(value):
            assert math.isclose(got[name], value, rel_tol=tolerance, abs_tol=tolerance), (
                name,
                got[name],
                value,
            )


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value or None, evenly."""
    return st.one_of(st.none(), values)


@st.composite
def plain_requests(draw: st.DrawFn, account: str = "acme") -> ApiRequest:
    """A request such as logs hold, some fields missing."""
    turns = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["user", "user", "user", "assistant", "system", "tool"]),
                st.sampled_from(TEXTS),
            ),
            max_size=4,
        )
    )
    pick = st.sampled_from
    return ApiRequest(
        account=account,
        event_id=draw(pick(["a", "b", "c"])),
        messages=draw(maybe(st.just([Message(*turn) for turn in turns]))),
        system=draw(maybe(pick(["You are kind.", "You grade answers.", "Be brief."]))),
        tools=draw(maybe(pick(['[{"name": "find"}]']))),
        status=draw(pick([None, 200, 200, 200, 429, 500, "success", "failure"])),
        finish_reason=draw(pick([None, "stop", "length", "refusal", "tool_calls"])),
        output_text=draw(pick([None, "yes", " <think>so</think>", ""])),
        output_tokens=draw(maybe(st.integers(0, 5000))),
        output_chars=draw(maybe(st.integers(0, 5000))),
        input_tokens=draw(maybe(st.integers(0, 90_000))),
        cached_tokens=draw(maybe(st.integers(0, 9000))),
        cached_in_input=draw(pick([None, True, False])),
        temperature=draw(pick([None, 0.0, 0.7])),
        n=draw(pick([None, 1, 4])),
        max_tokens=draw(pick([None, 1, 2, 900])),
        logprobs=draw(pick([None, True, False])),
        logit_bias_size=draw(pick([None, 0, 3])),
        stream=draw(pick([None, True, False])),
        tool_count=draw(pick([None, 0, 2])),
        response_format=draw(pick([None, "json"])),
        model=draw(pick([None, "small", "large"])),
        end_user=draw(pick([None, "u1", "u2", "u3"])),
        key=draw(pick([None, "k1", "k2"])),
        client_ip=draw(pick([None, "i1", "i2"])),
        network=draw(pick([None, "n1"])),
        user_agent=draw(pick([None, "curl", "sdk"])),
    )


@st.composite
def histories(draw: st.DrawFn, max_size: int = 25) -> tuple[list[ApiRequest], list[float]]:
    """One account's requests with non-decreasing times, from milliseconds to days apart."""
    requests = draw(st.lists(plain_requests(), min_size=1, max_size=max_size))
    gaps = draw(
        st.lists(
            st.sampled_from([0.0, 0.25, 1.0, 7.0, 60.0, 900.0, 7200.0, 40_000.0, 2 * DAY_S]),
            min_size=len(requests),
            max_size=len(requests),
        )
    )
    return requests, (T0_S + np.cumsum(gaps)).tolist()


def prefixes(
    requests: Sequence[ApiRequest],
    times_s: Sequence[float],
    cues: HashedCues | None = None,
    prompts: PieceEncoder | None = None,
) -> list[dict[str, float]]:
    """Features after each request."""
    state, out = PartitionState(), []
    for i in range(len(requests)):
        feed(requests[i : i + 1], times_s[i : i + 1], state=state, cues=cues, prompts=prompts)
        out.append(features_of(state))
    return out


def readings(texts: Sequence[str], cues: HashedCues) -> dict[str, tuple[NDArray[np.float64], bool]]:
    """Logits and tag of each text as the cue model reads it alone."""
    out = {}
    for text in texts:
        buffer, pieces = pieces_of(text)
        read = cues.read(buffer, pieces, np.ones(1, np.bool_))
        out[text] = (read.logits[0].astype(np.float64), bool(read.tag[0]))
    return out
