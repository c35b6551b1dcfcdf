"""State of one partition and the one way to change it: apply a batch, get the rows that are due.

The workshop (`models`) builds its data sets with this very class, so that training and serving
cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector import kernels
from detector.cues import CueModel, PieceReadings
from detector.encoder_head import PieceEncoder
from detector.entities import EntityTable, account_table, narrow_table
from detector.features import N_FEATURES, encoder, read_features
from detector.features.narrow import read_narrow
from detector.fingerprint import hash_pieces
from detector.links import seen as links
from streams.batch import RequestBatch, account_name
from streams.record import ApiRequest


@dataclass(frozen=True, slots=True)
class Due:
    """Rows copied out at their scoring points, in log order.

    Attributes:
        rows: ACCOUNT_ROW, shape (d,), each as it was right after its event, rings left out.
        index: int64, shape (d,): row in the account table.
        event: int32, shape (d,): the event in the batch that made it due.
        why: uint8, shape (d,): kernels.POINT or kernels.CUE.
        part: int64, shape (d, 4): row and requests of the end user, then of the key, that hold
            most of the evidence; row -1 where there is none.
        vectors: float32, shape (d, N_FEATURES), NaN where unknown.
        narrow_rows, narrow_index, narrow_event, narrow_vectors: the same for keys and end users.
        narrow_scope: uint8, shape (m,): 0 end user, 1 key.
        narrow_account_requests: int64, shape (m,): the account's requests at that point.
        new: uint8, shape (p,): which pieces of the batch were new.
        encoded: int64, ascending: which of them were encoded.
        seen: SEEN, shape (s,): link keys to be told, in log order; their row in `seen_index`.
    """

    rows: NDArray[np.void]
    index: NDArray[np.int64]
    event: NDArray[np.int32]
    why: NDArray[np.uint8]
    part: NDArray[np.int64]
    vectors: NDArray[np.float32]
    narrow_rows: NDArray[np.void]
    narrow_index: NDArray[np.int64]
    narrow_event: NDArray[np.int32]
    narrow_scope: NDArray[np.uint8]
    narrow_account_requests: NDArray[np.int64]
    narrow_vectors: NDArray[np.float32]
    new: NDArray[np.uint8]
    encoded: NDArray[np.int64]
    seen: NDArray[np.void]
    seen_index: NDArray[np.int64]


class PartitionState:
    """Accounts, end users and keys of one partition."""

    def __init__(self, *, campaigns: bool = True) -> None:
        """`campaigns`: whether link keys are looked for."""
        self.campaigns = campaigns
        self.accounts: EntityTable = account_table()
        self.end_users: EntityTable = narrow_table()
        self.keys: EntityTable = narrow_table()

    def apply(
        self, batch: RequestBatch, cues: CueModel, prompts: PieceEncoder | None = None
    ) -> Due:
        """Applies a batch in log order; see `Due`. Nothing is encoded without `prompts`."""
        index = self._account_index(batch)
        user_index = _narrow_index(self.end_users, batch, index, "end_user")
        key_index = _narrow_index(self.keys, batch, index, "key")
        hashes = hash_pieces(batch.text, batch.pieces)
        new = np.zeros(len(batch.pieces), np.uint8)
        old = np.zeros((len(batch), 2), np.uint32)
        rows = self.accounts.rows
        kernels.mark_new(rows, index, batch.events, batch.pieces, hashes, new, old)
        read = cues.read(batch.text, batch.pieces, kernels.wanted_pieces(batch.pieces, new))
        picked, said = self._encode(batch, index, read, prompts)
        n = len(batch)
        due_rows = np.empty(n, rows.dtype)
        due_event, due_why = np.empty(n, np.int32), np.empty(n, np.uint8)
        due_part = np.empty((n, 4), np.int64)
        narrow_rows = np.empty(2 * n, self.keys.rows.dtype)
        narrow_event, narrow_scope = np.empty(2 * n, np.int32), np.empty(2 * n, np.uint8)
        narrow_total = np.empty(2 * n, np.int64)
        d, m = kernels.apply_events(
            rows, index, self.end_users.rows, user_index, self.keys.rows, key_index,
            batch.events, batch.event_ids, batch.pieces, hashes, new, old,
            read.slot, read.logits, read.sample, read.n_sample, read.n_tokens, read.edges,
            read.tag, picked, said, due_rows, due_event, due_why, due_part, narrow_rows,
            narrow_event, narrow_scope, narrow_total,
        )  # fmt: skip
        for field in links.FIELDS:  # they are at the batch's end by the next pass, as rings are
            due_rows[field[0]][:d] = 0
        seen = self._see(batch, index, hashes, new, old, read)
        vectors = np.empty((d, N_FEATURES), np.float32)
        read_features(due_rows[:d], vectors)
        narrow_vectors = np.empty((m, N_FEATURES), np.float32)
        read_narrow(narrow_rows[:m], narrow_vectors)
        at, scope = narrow_event[:m], narrow_scope[:m]
        return Due(
            due_rows[:d].copy(), index[due_event[:d]], due_event[:d], due_why[:d], due_part[:d],
            vectors, narrow_rows[:m].copy(), np.where(scope == 0, user_index[at], key_index[at]),
            at, scope, narrow_total[:m], narrow_vectors, new, picked,
            seen, index[seen["event"]],
        )  # fmt: skip

    def _encode(
        self,
        batch: RequestBatch,
        index: NDArray[np.int64],
        read: PieceReadings,
        prompts: PieceEncoder | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The pieces that the log picks to be encoded, and what is said of them."""
        if prompts is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        picked = np.empty(len(batch.pieces), np.int64)
        rows = self.accounts.rows
        n = encoder.pick_pieces(
            rows, index, batch.events, batch.pieces, read.slot, read.logits, picked
        )
        picked = picked[:n].copy()
        said = prompts.read(batch.text, batch.pieces, picked) if n else np.empty(0, np.float32)
        return picked, said

    def _see(
        self,
        batch: RequestBatch,
        index: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        new: NDArray[np.uint8],
        old: NDArray[np.uint32],
        read: PieceReadings,
    ) -> NDArray[np.void]:
        """Link keys to be told; SEEN, shape (s,)."""
        if not self.campaigns:
            return np.empty(0, links.SEEN)
        out = np.empty(links.MOST_SIGHTINGS * len(batch), links.SEEN)
        n = links.see(
            self.accounts.rows, index, batch.events, batch.text, batch.pieces, hashes, new,
            old, read.slot, read.logits, read.edges, out,
        )  # fmt: skip
        return out[:n].copy()

    def parts(self, rows: NDArray[np.void]) -> NDArray[np.int64]:
        """For account rows, shape (r,): what `Due.part` says, shape (r, 4)."""
        return kernels.name_parts(rows, self.end_users.rows, self.keys.rows)

    def any_idle(self, before_s: float) -> bool:
        """Whether `evict_idle` would drop anything."""
        tables = (self.accounts, self.end_users, self.keys)
        return any(table.idle(before_s) for table in tables)

    def evict_idle(self, before_s: float) -> int:
        """Drops entities whose last event is older than `before_s`; returns how many accounts."""
        dropped = self.accounts.evict_idle(before_s)
        for table, blamed in ((self.end_users, "blame_user"), (self.keys, "blame_key")):
            for at in table.idle(before_s):  # whoever gets this row must not inherit the blame
                account = self.accounts.find(int(table.rows["account"][at]))
                if account is not None:
                    self.accounts.changing(np.array([account]))
                    charged = self.accounts.rows[blamed][account]
                    charged[charged == at + 1] = 0
            table.evict_idle(before_s)
        return dropped

    def digest(self) -> tuple[str, str, str]:
        """Canonical digests of the three tables; equal state, equal digests."""
        return self.accounts.digest(), self.end_users.digest(), self.keys.digest()

    def _account_index(self, batch: RequestBatch) -> NDArray[np.int64]:
        def name_of(i: int) -> str:
            return _account_of(batch.requests[i])

        return self.accounts.rows_of(batch.events["account"], name_of)


_MIX = np.uint64(0x9E3779B97F4A7C15)


def _narrow_index(
    table: EntityTable, batch: RequestBatch, index: NDArray[np.int64], column: str
) -> NDArray[np.int64]:
    """Row of each event's key or end user under its account, -1 where the log has none."""
    identities = batch.events[column]
    if not identities.any():
        return np.full(len(batch), -1, np.int64)
    under = np.where(index >= 0, (batch.events["account"] * _MIX) ^ identities, 0)
    under[identities == 0] = 0

    def name_of(i: int) -> str:
        request = batch.requests[i]
        return f"{_account_of(request)}/{getattr(request, column)}"

    return table.rows_of(under, name_of)


def _account_of(request: ApiRequest) -> str:
    return account_name(request.tenant, request.account or "")
