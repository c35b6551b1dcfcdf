"""A part composed and sent through the detector's own pipeline: what it saw, kept in a file.

Sightings and verdicts of an account depend on that account alone, so parts are watched one by one
and their sightings merged by time afterwards; a test holds that it comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from detector.features import N_FEATURES, read_features
from detector.levels import RANK
from detector.links.sighting import Sighting
from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline
from detector.policy import Policy
from models.campaigns.draw import Part, Planted, plant
from models.evaluate.cache import load_arrays, save_arrays
from streams.files import FileRecord
from streams.record import ApiRequest
from streams.traffic.answers import Filler
from streams.traffic.stream import stream

BATCH = 2048
_SIGHTING = msgspec.json.Decoder(Sighting)


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of a part.

    Attributes:
        names: accounts, shape (a,).
        account: int32, shape (n,): of each answered request, index into `names`, by event time.
        at_s: float64, shape (n,).
        prompt, frame, network, model: uint64 hashes, shape (n,): of the last user message, of
            system prompt and tools, of the /24, of the model; 0 where there is none.
        throttled_s: float64, shape (a,): when the account's own verdict came to `throttle` or
            above; inf where it never did.
        features: float32, shape (a, N_FEATURES), at the end of the day; NaN where unknown.
        sightings: in order of the log.
    """

    names: NDArray[np.str_]
    account: NDArray[np.int32]
    at_s: NDArray[np.float64]
    prompt: NDArray[np.uint64]
    frame: NDArray[np.uint64]
    network: NDArray[np.uint64]
    model: NDArray[np.uint64]
    throttled_s: NDArray[np.float64]
    features: NDArray[np.float32]
    sightings: Sequence[Sighting] | StoredSightings


def watch(part: Part, seed: int, models: Models, policy: Policy) -> Trace:
    """Composes a part and runs it through a pipeline of its own."""
    planted = plant(part, seed)
    pipeline = Pipeline(models, policy, PartitionSettings(keep_quiet_scores=False))
    encoder = msgspec.json.Encoder()
    index: dict[str, int] = {}
    columns: list[tuple[int, float, int, int, int, int]] = []
    throttled: dict[str, float] = {}
    sightings: list[Sighting] = []
    batch: list[FileRecord] = []

    def flush() -> None:
        out = pipeline.process(batch)
        batch.clear()
        sightings.extend(out.sightings)
        for change in out.verdicts:
            if RANK[change.to_level] >= RANK["throttle"]:
                throttled.setdefault(change.account, change.at_s)

    for number, request in enumerate(_requests(planted, seed)):
        if request.status == 200:
            account = index.setdefault(request.account or "", len(index))
            columns.append((account, request.event_time_s or 0.0, *_hashes(request)))
        line = encoder.encode(request)
        batch.append(FileRecord(part.name, number + 1, len(line), line, request.event_time_s))
        if len(batch) == BATCH:
            flush()
    flush()
    names = list(index)
    table = list(zip(*columns, strict=True)) if columns else [()] * 6
    at = np.asarray(table[1], np.float64)
    order = np.argsort(at, kind="stable")
    prompt, frame, network, model = (np.asarray(c, np.uint64)[order] for c in table[2:])
    return Trace(
        names=np.array(names, np.str_),
        account=np.asarray(table[0], np.int32)[order],
        at_s=at[order],
        prompt=prompt,
        frame=frame,
        network=network,
        model=model,
        throttled_s=np.array([throttled.get(name, np.inf) for name in names]),
        features=_features(pipeline, index),
        sightings=tuple(sightings),
    )


def _requests(planted: Planted, seed: int) -> Iterator[ApiRequest]:
    return (request for _, request in stream([planted.accounts], Filler(seed)))


def _hashes(request: ApiRequest) -> tuple[int, int, int, int]:
    messages = request.messages or []
    asked = next((m.text for m in reversed(messages) if m.role == "user"), None)
    system = request.system or next((m.text for m in messages[:1] if m.role == "system"), None)
    frame = f"{system}\n{request.tools or ''}" if system or request.tools else None
    return _hash(asked), _hash(frame), _hash(request.network), _hash(request.model)


def _hash(text: str | None) -> int:
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _features(pipeline: Pipeline, index: dict[str, int]) -> NDArray[np.float32]:
    """Feature vectors of the accounts, in the order of `index`."""
    out = np.full((len(index), N_FEATURES), np.nan, np.float32)
    accounts = pipeline.partition(0).state.accounts
    found = [(name, at) for name, at in accounts.items()]
    rows = accounts.rows[np.array([at for _, at in found], np.int64)]
    vectors = np.empty((len(found), N_FEATURES), np.float32)
    read_features(rows, vectors)
    for (name, _), vector in zip(found, vectors, strict=True):
        account = index.get(name.rpartition("/")[2])
        if account is not None:
            out[account] = vector
    return out


@dataclass(frozen=True, slots=True)
class StoredSightings:
    """Sightings in a file, read one by one: those of a hundred thousand accounts fill gigabytes."""

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Sighting]:
        with zstandard.open(self.path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield _SIGHTING.decode(line)


def save_trace(path: Path, trace: Trace) -> None:
    """Writes a trace to `path` and its sightings beside it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    temporary = path.with_suffix(".tmp")
    with zstandard.open(temporary, "wb") as lines:
        for sighting in trace.sightings:
            lines.write(encoder.encode(sighting) + b"\n")
    temporary.replace(_beside(path))
    arrays: dict[str, NDArray[np.generic]] = {
        name: getattr(trace, name) for name in Trace.__slots__ if name != "sightings"
    }
    arrays["sightings"] = np.array(len(trace.sightings))
    save_arrays(path, arrays)  # last: a trace is there when this file is


def load_trace(path: Path) -> Trace:
    """Reads a trace that `save_trace` wrote. Raises FileNotFoundError."""
    arrays = load_arrays(path)
    if not arrays:
        raise FileNotFoundError(path)
    stored = StoredSightings(_beside(path), int(arrays.pop("sightings")))
    return Trace(**arrays, sightings=stored)  # type: ignore[arg-type]


def _beside(path: Path) -> Path:
    return path.with_suffix(".jsonl.zst")
