"""Feature vectors of accounts at their scoring points, made by the detector's own state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.cues import CueModel
from detector.encoder_head import PieceEncoder
from detector.features import N_FEATURES, read_features
from detector.features.part import read_part
from detector.state import PartitionState
from models.accounts import Account
from models.encoded_texts import EncodedTexts, VectorSums
from streams.batch import BatchBuilder, RequestBatch, account_name, identity
from streams.record import ApiRequest

BATCH = 4096


@dataclass(frozen=True, slots=True)
class Samples:
    """Vectors with what belongs to them; row i is one look at account `account[i]`.

    At a scoring point an account is looked at as a whole and, where it has one, at its hot frame.

    Attributes:
        x: float32, shape (n, N_FEATURES), NaN where unknown.
        account: int64, shape (n,): index into the accounts given.
        requests: int64, shape (n,): the account's requests at that point.
    """

    x: NDArray[np.float32]
    account: NDArray[np.int64]
    requests: NDArray[np.int64]


def sample_vectors(
    accounts: Sequence[Account], cues: CueModel, prompts: PieceEncoder | None = None
) -> Samples:
    """Runs every account through a partition's state; keeps each scoring point and the end."""
    at = _places(accounts)
    xs: list[NDArray[np.float32]] = []
    owners: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []

    def keep(rows: NDArray[np.void], x: NDArray[np.float32]) -> None:
        part = np.empty_like(x)
        there = read_part(rows, part)
        xs.extend((x, part[there]))
        owner = np.array([at[int(a)] for a in rows["account"]], np.int64)
        owners.extend((owner, owner[there]))
        requests = rows["requests"].astype(np.int64)
        counts.extend((requests, requests[there]))

    for batch in _batches(accounts):
        state = PartitionState()
        due = state.apply(batch, cues, prompts)
        keep(due.rows, due.vectors)
        used = state.accounts.rows[: len(state.accounts)]
        final = np.empty((len(used), N_FEATURES), np.float32)
        read_features(used, final)
        keep(used, final)
    return Samples(np.concatenate(xs), np.concatenate(owners), np.concatenate(counts))


def sum_vectors(accounts: Sequence[Account], cues: CueModel, texts: EncodedTexts) -> VectorSums:
    """Sums of the vectors of the pieces that the log picks, account by account."""
    at = _places(accounts)
    sums = VectorSums(texts, len(accounts))
    for batch in _batches(accounts):
        sums.owns(np.array([at[int(a)] for a in batch.events["account"]], np.int64))
        PartitionState().apply(batch, cues, sums)
    return sums


def _places(accounts: Sequence[Account]) -> dict[int, int]:
    """Index of each account by its identity."""
    return {identity(account_name("default", a.name)): i for i, a in enumerate(accounts)}


def _batches(accounts: Sequence[Account]) -> Iterator[RequestBatch]:
    """The requests of whole accounts, some BATCH at a time."""
    builder = BatchBuilder()
    pending: list[ApiRequest] = []
    for number, account in enumerate(accounts):
        pending += account.requests
        if len(pending) < BATCH and number + 1 < len(accounts):
            continue
        times_s = [r.event_time_s or 0.0 for r in pending]
        yield builder.build(pending, times_s, [False] * len(pending))
        pending = []
