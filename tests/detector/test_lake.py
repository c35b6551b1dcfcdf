"""The analysts' store: what is written, and that a query reads it and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from detector.features import FEATURE_NAMES, N_FEATURES
from detector.lake import Lake, clear_lake
from detector.lake_files import LakeError
from detector.lake_query import LakeQuery
from detector.lake_tables import utc_day
from detector.outputs import FactBatch, Outputs
from detector.partition import PartitionSettings
from detector.pipeline import Pipeline, load_models
from detector.policy import default_policy_path, load_policy
from detector.score_row import ScoreRow
from streams.files import FileRecord, read_files
from streams.record import ApiRequest
from tests.detector.builders import DAY_S, T0_S, ask
from tests.detector.logs import N_HARVEST, PRIVATE, small_log, write_log
from tests.detector.tiny_models import write_tiny_models

VERSIONS = {"classifier": "tiny"}


def facts(requests: list[ApiRequest], times_s: list[float]) -> Outputs:
    """Outputs that hold facts only."""
    new = np.arange(len(requests), dtype=np.int64)
    return Outputs(facts=[FactBatch(requests, np.array(times_s, np.float64), new)])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake written from the small log by the real pipeline."""
    root = tmp_path_factory.mktemp("lake")
    models = load_models(write_tiny_models(root / "models"))
    pipeline = Pipeline(
        models, load_policy(default_policy_path()), PartitionSettings(keep_facts=True)
    )
    records: list[FileRecord] = list(read_files([write_log(root / "log.jsonl", small_log())]))
    with Lake(root / "lake", "test", VERSIONS) as made:
        made.add(pipeline.process([replace(r, time_s=T0_S + DAY_S) for r in records]))
        made.add(pipeline.finish())
    return root / "lake"


def test_facts_hold_every_request_the_unattributed_too(lake: Path) -> None:
    """A request without an account is kept with a null account."""
    answer = LakeQuery(lake).ask(
        "SELECT account, count(*), sum(output_tokens) FROM facts GROUP BY 1 ORDER BY 2 DESC"
    )
    assert answer.rows[0] == ("harvester", N_HARVEST, N_HARVEST * 100)
    assert answer.rows[-1] == (None, 1, None)


def test_new_pieces_of_facts_add_up_to_the_accounts_count(lake: Path) -> None:
    """Facts and scores tell the same story."""
    query = LakeQuery(lake)
    told = query.ask("SELECT sum(new_pieces)::INT FROM facts WHERE account = 'harvester'")
    kept = query.ask(
        "SELECT max(new_pieces) FROM scores WHERE account = 'harvester' AND scope = 'account'"
    )
    assert told.rows[0][0] == kept.rows[0][0] == N_HARVEST


def test_no_prompt_or_answer_text_is_stored(lake: Path) -> None:
    """Not one value of any table holds text of a prompt or an answer."""
    files = sorted(lake.rglob("*.parquet"))
    assert {file.relative_to(lake).parts[0] for file in files} == {"facts", "scores", "alerts"}
    for file in files:
        assert PRIVATE not in str(pq.read_table(file).to_pylist())


def test_alerts_are_kept_with_reasons_and_contributions(lake: Path) -> None:
    """An analyst can ask for the group that spoke loudest."""
    answer = LakeQuery(lake).ask(
        "SELECT account, main_reason, len(reasons), contributions['harvest'], versions.policy "
        "FROM alerts, (SELECT policy FROM alerts LIMIT 1) versions WHERE revision = 1"
    )
    account, reason, n_reasons, harvest, policy = answer.rows[0]
    assert account == "harvester"
    assert reason
    assert n_reasons > 1
    assert harvest > 0
    assert policy.startswith("default-")


def test_unknown_features_are_null_and_known_ones_by_name(tmp_path: Path) -> None:
    """NaN is "not known" and becomes null."""
    vector = np.full(N_FEATURES, np.nan, np.float32)
    vector[0] = 0.5
    row = ScoreRow("default", "a", "account", "a", T0_S, 1, 1, 0, 0.1, 0.9, vector)
    with Lake(tmp_path, "test", VERSIONS) as made:
        made.add(Outputs(scores=[row]))
    answer = LakeQuery(tmp_path).ask("SELECT * FROM scores")
    found = dict(zip(answer.columns, answer.rows[0], strict=True))
    assert (found[FEATURE_NAMES[0]], found[FEATURE_NAMES[1]]) == (0.5, None)


def test_rows_lie_by_tenant_and_utc_day(tmp_path: Path) -> None:
    """A tenant's name may hold anything; days are those of event time in UTC."""
    requests = [ask(tenant="north/east"), ask(tenant="default"), ask(tenant="default")]
    with Lake(tmp_path, "test", VERSIONS) as made:
        made.add(facts(requests, [T0_S, T0_S, T0_S + DAY_S]))
    folders = {file.parent.relative_to(tmp_path / "facts") for file in tmp_path.rglob("*.parquet")}
    assert folders == {
        Path("tenant=north%2Feast/day=2025-10-09"),
        Path("tenant=default/day=2025-10-09"),
        Path("tenant=default/day=2025-10-10"),
    }
    answer = LakeQuery(tmp_path).ask(
        "SELECT tenant, day::VARCHAR, event_time::VARCHAR FROM facts ORDER BY ALL"
    )
    assert answer.rows[-1] == ("north/east", "2025-10-09", "2025-10-09 08:53:20+00")


@pytest.mark.parametrize(
    ("time_s", "day"), [(-1.0, "1969-12-31"), (0.0, "1970-01-01"), (86_399.999, "1970-01-01")]
)
def test_utc_day(time_s: float, day: str) -> None:
    """A day begins at midnight UTC, before 1970 too."""
    assert utc_day(time_s) == day


def test_files_are_written_when_enough_rows_are_held(tmp_path: Path) -> None:
    """Memory is bounded: a full buffer is written before the lake closes, nothing half."""
    made = Lake(tmp_path, "test", VERSIONS, rows_held=2)
    made.add(facts([ask()], [T0_S]))
    assert not list(tmp_path.rglob("*.parquet"))
    made.add(facts([ask()], [T0_S]))
    assert [file.name for file in tmp_path.rglob("*.*")] == ["test-00000.parquet"]


def test_a_writer_replaces_its_own_files_only(tmp_path: Path) -> None:
    """The same replay again does not count twice; another's rows stay."""
    for writer in ("one", "two", "one"):
        with Lake(tmp_path, writer, VERSIONS) as made:
            made.forget()
            made.add(facts([ask()], [T0_S]))
    assert LakeQuery(tmp_path).ask("SELECT count(*) FROM facts").rows == [(2,)]


def test_an_error_writes_nothing_more(tmp_path: Path) -> None:
    """A run that failed leaves no last rows that look complete."""

    def fail() -> None:
        with Lake(tmp_path, "test", VERSIONS) as made:
            made.add(facts([ask()], [T0_S]))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.rglob("*.parquet"))


def test_clearing_takes_the_tables_and_nothing_else(tmp_path: Path) -> None:
    """A user's own file in the folder stays."""
    with Lake(tmp_path, "test", VERSIONS) as made:
        made.add(facts([ask()], [T0_S]))
    (tmp_path / "notes.txt").write_text("mine")
    clear_lake(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_files_of_an_older_release_lack_columns(tmp_path: Path) -> None:
    """A column that a file does not have reads as null."""
    with Lake(tmp_path, "test", VERSIONS) as made:
        made.add(facts([ask(model="large")], [T0_S]))
    (file,) = tmp_path.rglob("*.parquet")
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["model"]), file)
    assert LakeQuery(tmp_path).ask("SELECT account, model FROM facts").rows == [("acme", None)]


def test_a_table_without_files_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    """No alert yet is an answer, not an error."""
    (tmp_path / "facts").mkdir()
    query = LakeQuery(tmp_path)
    assert query.ask("SELECT alert_id, day FROM alerts").rows == []


def test_a_missing_store_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """A mistyped folder does not look like an empty store."""
    with pytest.raises(LakeError, match="--parquet"):
        LakeQuery(tmp_path)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{out}'",
        "WITH a AS (COPY (SELECT 1) TO '{out}') SELECT * FROM a",
        "WITH a AS (COPY (SELECT 1) TO '{lake}/x.csv') SELECT * FROM a",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{out}'",
        "ATTACH '{out}'",
        "EXPORT DATABASE '{out}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{lake}/*')",
        "SELECT * FROM pathlib",
        "SELECT 1 FROM",
        "",
    ],
)
def test_a_query_reads_the_store_and_nothing_else(sql: str, lake: Path, tmp_path: Path) -> None:
    """Writing, attaching, other files, settings and several statements are refused."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    before = sorted(lake.rglob("*"))
    with pytest.raises(LakeError):
        LakeQuery(lake).ask(sql.format(out=tmp_path / "out", lake=lake, secret=secret))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert sorted(lake.rglob("*")) == before
