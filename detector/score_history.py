"""An account's scorings from the analysts' store, newest first."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from detector.features import FEATURE_NAMES
from detector.lake_files import LakeError, LakeFiles
from detector.lake_tables import SCORES

_COLUMNS: Final = (
    "event_time", "scope", "scope_id", "requests", "new_pieces", "cue_pieces", "score", "p_value",
)  # fmt: skip
_FEATURES: Final = ", ".join(f'"{name}"' for name in FEATURE_NAMES)
# Values are bound, never spliced; the names are our own schema's. `epoch` so that no time zone
# comes in.
_SQL: Final = f"""
SELECT epoch(event_time), {", ".join(_COLUMNS[1:])}, {_FEATURES}
FROM scores WHERE tenant = ? AND account = ?
ORDER BY event_time DESC, requests DESC, scope, scope_id LIMIT ?
"""  # noqa: S608

_INTERRUPT_S: Final = 0.02


class LakeTimeout(LakeError):
    """The store did not answer in time. Attribute `timeout_s`."""

    def __init__(self, path: Path | str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(path, f"did not answer within {timeout_s:g} s")


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """One scoring of an account or of a part of it (`scope`).

    Attributes:
        at_s: event time, UTC epoch seconds.
        features: by name; None where the log does not tell it.
    """

    at_s: float
    scope: str
    scope_id: str
    requests: int
    new_pieces: int
    cue_pieces: int
    score: float
    p_value: float
    features: dict[str, float | None]


def score_history(
    lake: Path | str, tenant: str, account: str, *, limit: int, timeout_s: float
) -> list[ScorePoint]:
    """The last `limit` scorings, newest first; files of other tenants are not opened.

    Blocks; call it in a thread. Raises LakeError, of which LakeTimeout.
    """
    database = duckdb.connect(config={"threads": 2, "python_enable_replacements": False})
    late, done = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(timeout_s):
            return
        late.set()
        while not done.wait(_INTERRUPT_S):  # one that comes between two steps has no effect
            database.interrupt()

    watcher = threading.Thread(target=watch, name="score history timeout", daemon=True)
    watcher.start()
    try:
        database.register("scores", LakeFiles(lake).rows("scores", SCORES))
        rows = database.execute(_SQL, [tenant, account, limit]).fetchall()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if late.is_set():
            raise LakeTimeout(lake, timeout_s) from error
        raise LakeError(lake, str(error).split("\n", maxsplit=1)[0]) from error
    finally:
        done.set()
        watcher.join()
        database.close()
    return [_point(row) for row in rows]


def _point(row: tuple[Any, ...]) -> ScorePoint:
    at_s, scope, scope_id, requests, new_pieces, cue_pieces, score, p_value, *features = row
    return ScorePoint(
        at_s,
        scope,
        scope_id,
        requests,
        new_pieces,
        cue_pieces,
        score,
        p_value,
        dict(zip(FEATURE_NAMES, features, strict=True)),
    )
