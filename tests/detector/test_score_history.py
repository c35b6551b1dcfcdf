"""Score history from the analysts' store."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detector.assessment import Scope
from detector.features import FEATURE_NAMES, N_FEATURES
from detector.lake import Lake
from detector.lake_files import LakeError, LakeFiles
from detector.lake_tables import SCORES
from detector.outputs import Outputs
from detector.score_history import LakeTimeout, score_history
from detector.score_row import ScoreRow
from tests.detector.builders import DAY_S, T0_S


def scored(
    day: int, *, tenant: str = "default", account: str = "acme", scope: Scope = "account"
) -> ScoreRow:
    """One scoring; one feature is known."""
    vector = np.full(N_FEATURES, np.nan, np.float32)
    vector[3] = 0.25
    at_s = T0_S + day * DAY_S + 0.125
    return ScoreRow(tenant, account, scope, "id", at_s, 10 + day, 5, 1, 0.5, 0.1, vector)


def write(folder: Path, *rows: ScoreRow) -> Path:
    """A store with these scorings."""
    with Lake(folder, "test", {}) as lake:
        lake.add(Outputs(scores=list(rows)))
    return folder


def test_the_last_scorings_newest_first(tmp_path: Path) -> None:
    """Over days, of the account and its parts; unknown features are None, times exact."""
    write(tmp_path, *(scored(day) for day in range(4)), scored(2, scope="key"))
    points = score_history(tmp_path, "default", "acme", limit=3, timeout_s=30.0)
    assert [(p.requests, p.scope) for p in points] == [
        (13, "account"),
        (12, "account"),
        (12, "key"),
    ]
    assert points[0].at_s == T0_S + 3 * DAY_S + 0.125
    assert (points[0].score, points[0].p_value, points[0].new_pieces) == (0.5, 0.1, 5)
    known = {name: value for name, value in points[0].features.items() if value is not None}
    assert known == {FEATURE_NAMES[3]: 0.25}
    assert tuple(points[0].features) == FEATURE_NAMES


@pytest.mark.parametrize("name", ["a' OR '1'='1", '"; DROP TABLE scores; --', "%", "é\0/..", "?"])
def test_a_name_is_a_value_and_never_sql(name: str, tmp_path: Path) -> None:
    """Any name finds its own account alone, as tenant too."""
    write(tmp_path, scored(0), scored(1, account=name), scored(2, tenant=name, account=name))
    assert [
        p.requests for p in score_history(tmp_path, "default", name, limit=9, timeout_s=30.0)
    ] == [11]
    assert [p.requests for p in score_history(tmp_path, name, name, limit=9, timeout_s=30.0)] == [
        12
    ]
    assert score_history(tmp_path, name, "acme", limit=9, timeout_s=30.0) == []


def test_files_of_other_tenants_are_not_opened(tmp_path: Path) -> None:
    """What lies in another tenant's folder, even a broken file, does not matter."""
    write(tmp_path, scored(0), scored(0, tenant="north"))
    (file,) = tmp_path.glob("scores/tenant=north/**/*.parquet")
    file.write_bytes(b"broken")
    assert len(score_history(tmp_path, "default", "acme", limit=9, timeout_s=30.0)) == 1
    with pytest.raises(LakeError):
        score_history(tmp_path, "north", "acme", limit=9, timeout_s=30.0)


def test_an_empty_store_has_no_history(tmp_path: Path) -> None:
    """Before the first scoring is written there is nothing, not an error."""
    assert score_history(tmp_path, "default", "acme", limit=9, timeout_s=30.0) == []


def test_a_slow_store_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query without end is interrupted, and the error says how long was waited."""
    write(tmp_path, scored(0))
    table = LakeFiles(tmp_path).rows("scores", SCORES).to_table()

    def endless(*_: object) -> Any:
        batches = itertools.repeat(table.to_batches()[0])
        return pa.RecordBatchReader.from_batches(table.schema, batches)

    monkeypatch.setattr(LakeFiles, "rows", endless)
    with pytest.raises(LakeTimeout, match=r"within 0\.05 s"):
        score_history(tmp_path, "default", "acme", limit=9, timeout_s=0.05)
