"""The role that copies topics into the lake: what is written, and that nothing is there twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import fsspec
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from detector.features import FEATURE_NAMES
from detector.lake_files import LakeError, LakeFiles
from detector.lake_query import LakeQuery
from detector.lake_role import COMMIT_TRIES, LakeRole, LakeRoleSettings
from detector.metrics import LakeMetrics
from detector.output_records import ALERTS, SCORES, TOPICS, output_records
from detector.outputs import Outputs
from detector.partition import PartitionSettings
from detector.pipeline import Pipeline, load_models
from detector.policy import default_policy_path, load_policy
from streams.intake import IntakeSettings
from streams.log import Fenced, LogError, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from streams.record import ApiRequest
from tests.detector.builders import DAY_S, T0_S, ask
from tests.detector.logs import N_HARVEST, PRIVATE, small_log
from tests.detector.tiny_models import write_tiny_models

INPUT = "llm.requests"
PARTITIONS = 3


class Killed(Exception):
    """Stands for a kill -9 of the process."""


@dataclass
class Monotonic:
    """A clock that stands until it is moved."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def new_log(*requests: ApiRequest) -> MemoryLog:
    """A log with all topics, the requests produced."""
    log = MemoryLog()
    for topic in (INPUT, *TOPICS):
        log.create_topic(topic, TopicSettings(partitions=PARTITIONS))
    produce(log, requests)
    return log


def produce(log: MemoryLog, requests: Sequence[ApiRequest]) -> None:
    """Appends requests as native records, keyed by account."""
    log.producer().send(
        OutputRecord(
            INPUT,
            None if r.account is None else r.account.encode(),
            msgspec.json.encode(r),
            r.event_time_s or T0_S,
        )
        for r in requests
    )


def member(
    log: MemoryLog,
    lake: Path | str,
    name: str = "one",
    *,
    clock: Monotonic | None = None,
    **settings: Any,
) -> LakeRole:
    """A member of the lake's group."""
    return LakeRole(
        log,
        LakeFiles(lake),
        LakeRoleSettings(**settings),
        LakeMetrics(CollectorRegistry()),
        member_id=name,
        monotonic_s=clock or Monotonic(),
    )


def drain(*roles: LakeRole) -> None:
    """Lets the members work until none gets anything."""
    while sum(role.step(0.0) for role in roles):
        pass


def requests_of(n: int, start: int = 0) -> list[ApiRequest]:
    """n requests of ten accounts, one a minute, every one with its own id."""
    return [
        ask(account=f"a{i % 10}", event_id=f"e{i}", event_time_s=T0_S + 60.0 * i)
        for i in range(start, start + n)
    ]


def event_ids(lake: Path | str) -> list[str]:
    """The ids of all facts, sorted."""
    rows = LakeQuery(lake).ask("SELECT event_id FROM facts ORDER BY 1").rows
    return [row[0] for row in rows]


def ids(n: int) -> list[str]:
    """Ids of the first n requests, sorted."""
    return sorted(f"e{i}" for i in range(n))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outputs]:
    """The small log, judged, its outputs on their topics, all copied into a lake."""
    root = tmp_path_factory.mktemp("lake")
    log = new_log(*small_log())
    log.producer().send([OutputRecord(INPUT, b"x", b"no request at all", T0_S)])
    pipeline = Pipeline(
        load_models(write_tiny_models(root / "models")),
        load_policy(default_policy_path()),
        PartitionSettings(),
    )
    out = Outputs()
    reader = log.reader([TopicPartition(INPUT, n) for n in range(PARTITIONS)])
    for record in reader.poll(1000, 0.0):
        out.add(pipeline.process([record], record.partition))
    out.add(pipeline.finish())
    log.producer("worker").send_transaction(output_records(out), {})
    role = member(log, root / "lake")
    drain(role)
    role.flush()
    assert role.counts["bad_requests"] == 1
    assert role.counts["bad_outputs"] == 0
    return root / "lake", out


def test_facts_hold_every_request_the_unattributed_too(chain: tuple[Path, Outputs]) -> None:
    """A request without an account is kept; nobody counted new pieces."""
    answer = LakeQuery(chain[0]).ask(
        "SELECT account, count(*), count(new_pieces), max(model), min(event_time)::VARCHAR "
        "FROM facts GROUP BY 1 ORDER BY 2 DESC"
    )
    assert answer.rows[0] == ("harvester", N_HARVEST, 0, "large", "2025-10-09 08:53:20+00")
    assert answer.rows[-1][:2] == (None, 1)


def test_scores_are_those_that_the_worker_told(chain: tuple[Path, Outputs]) -> None:
    """Every scoring is there with its features by name, null where they are not known."""
    lake, out = chain
    answer = LakeQuery(lake).ask("SELECT * EXCLUDE (tenant, day) FROM scores")
    found = {}
    for row in answer.rows:
        named = dict(zip(answer.columns, row, strict=True))
        found[named["scope"], named["scope_id"], named["requests"], named["event_time"]] = named
    assert len(found) == len(answer.rows) == len(out.scores)
    known = 0
    for score in out.scores:
        (named,) = [
            n
            for k, n in found.items()
            if k[:3] == (score.scope, score.scope_id, score.requests)
            and abs(k[3].timestamp() - score.at_s) < 0.001
        ]
        assert named["score"] == score.score
        got = np.array([np.nan if named[n] is None else named[n] for n in FEATURE_NAMES])
        np.testing.assert_allclose(got, score.vector, rtol=1e-5)
        known += int(np.isfinite(got).sum())
    assert known


def test_alerts_are_every_revision_and_the_view_the_last(chain: tuple[Path, Outputs]) -> None:
    """The history is kept; `latest_alerts` is what stands now."""
    lake, out = chain
    query = LakeQuery(lake)
    rows = query.ask("SELECT alert_id, revision FROM alerts ORDER BY ALL").rows
    assert rows == sorted((alert.alert_id, alert.revision) for alert, _ in out.alerts)
    assert rows
    latest = query.ask("SELECT alert_id, revision FROM latest_alerts ORDER BY ALL").rows
    assert dict(latest) == dict(rows)
    assert len(latest) == len({row[0] for row in rows})


def test_no_prompt_or_answer_text_is_stored(chain: tuple[Path, Outputs]) -> None:
    """Not one value of any table holds text of a prompt or an answer."""
    files = sorted(chain[0].rglob("*.parquet"))
    assert {file.relative_to(chain[0]).parts[0] for file in files} == {"facts", "scores", "alerts"}
    for file in files:
        assert PRIVATE not in str(pq.read_table(file).to_pylist())


def test_files_are_named_for_partition_and_offsets(tmp_path: Path) -> None:
    """The first file of a partition begins at its first offset, the next where that ended."""
    log = new_log(*requests_of(30))
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    produce(log, requests_of(30, 30))
    drain(role)
    role.flush()
    ends = {0: 0, 1: 0, 2: 0}
    for file in sorted(tmp_path.rglob("*.parquet")):
        assert file.parent == tmp_path / "facts/tenant=default/day=2025-10-09"
        _, partition, first, end, _ = file.stem.split("-")
        assert int(first) == ends[int(partition)]
        ends[int(partition)] = int(end)
    assert sum(ends.values()) == 60
    assert not list(tmp_path.rglob("*.partial"))


def test_rows_and_age_make_files(tmp_path: Path) -> None:
    """Nothing is written before there are enough rows or the oldest is old enough."""
    log, clock = new_log(*requests_of(9)), Monotonic()
    role = member(log, tmp_path, clock=clock, flush_rows=10, flush_s=60.0)
    drain(role)
    clock.now_s = 59.9
    drain(role)
    assert not list(tmp_path.rglob("*.parquet"))
    clock.now_s = 60.0
    drain(role)
    assert len(event_ids(tmp_path)) == 9
    produce(log, requests_of(10, 9))
    drain(role)
    assert event_ids(tmp_path) == ids(19)


@pytest.mark.parametrize("when", ["before the first file", "between files", "before the commit"])
def test_killed_between_write_and_commit_nothing_is_twice(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a member dies, the next one makes each record once in whole files."""
    log = new_log(*requests_of(100))
    first = member(log, tmp_path)
    drain(first)
    first.flush()
    produce(log, requests_of(100, 100))
    drain(first)
    with monkeypatch.context() as patch:
        if when == "before the commit":
            patch.setattr(first._consumer, "commit", _die)
        else:
            patch.setattr(
                LakeFiles, "write", _die_after(0 if when == "before the first file" else 1)
            )
        with pytest.raises(Killed):
            first.flush()
    before = len(list(tmp_path.rglob("*.parquet")))
    log.expire_member("stillwatch-lake", "one")
    second = member(log, tmp_path, "two")
    drain(second)
    assert event_ids(tmp_path) == ids(100)
    removed = {"before the first file": 0, "between files": 1, "before the commit": PARTITIONS}
    assert second.counts["removed"] == removed[when]
    assert len(list(tmp_path.rglob("*.parquet"))) == before - removed[when]
    produce(log, requests_of(7, 200))
    drain(second)
    second.flush()
    assert event_ids(tmp_path) == ids(207)


def test_thrown_out_between_write_and_commit_leaves_no_file(tmp_path: Path) -> None:
    """A member that was silent for too long takes back what its successor writes."""
    log = new_log(*requests_of(50))
    slow = member(log, tmp_path, "slow")
    drain(slow)
    log.expire_member("stillwatch-lake", "slow")
    quick = member(log, tmp_path, "quick")
    drain(quick)
    quick.flush()
    with pytest.raises(Fenced):
        slow.flush()
    assert event_ids(tmp_path) == ids(50)


def test_thrown_out_and_killed_is_set_right_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a member that died before it heard that it was thrown out are found later."""
    log = new_log(*requests_of(50))
    slow = member(log, tmp_path, "slow")
    drain(slow)
    log.expire_member("stillwatch-lake", "slow")
    produce(log, requests_of(10, 50))
    quick = member(log, tmp_path, "quick")
    drain(quick)
    quick.flush()
    monkeypatch.setattr(slow._consumer, "commit", _die)
    with pytest.raises(Killed):
        slow.flush()
    assert len(event_ids(tmp_path)) == 110
    quick.close()
    drain(member(log, tmp_path, "third"))
    assert event_ids(tmp_path) == ids(60)


def test_two_members_share_and_hand_over(tmp_path: Path) -> None:
    """A second member takes partitions after the first wrote and committed them."""
    log = new_log(*requests_of(60))
    one = member(log, tmp_path, "one")
    drain(one)
    assert not list(tmp_path.rglob("*.parquet"))
    two = member(log, tmp_path, "two")
    drain(one, two)
    assert one.counts["flushes"] == 1
    assert one.counts["files"] < PARTITIONS
    produce(log, requests_of(60, 60))
    drain(one, two)
    assert two.counts["facts"]
    one.flush()
    two.flush()
    assert event_ids(tmp_path) == ids(120)


def test_offsets_set_back_into_a_file(tmp_path: Path) -> None:
    """An operator who sets offsets back gets no row twice and none is missing."""
    log = new_log(*requests_of(50))
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    role._consumer.commit(dict.fromkeys(role._consumer.assignment(), 0))
    ends = role._consumer.end_offsets()
    role._consumer.commit({tp: end // 2 for tp, end in ends.items()})
    role.close()
    produce(log, requests_of(5, 50))
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    assert event_ids(tmp_path) == ids(55)


def test_files_of_another_log_are_not_removed(tmp_path: Path) -> None:
    """A topic that was made anew does not cost the store its history."""
    role = member(new_log(*requests_of(50)), tmp_path)
    drain(role)
    role.flush()
    with pytest.raises(LakeError, match="another store"):
        member(new_log(*requests_of(1)), tmp_path).step(0.0)
    assert event_ids(tmp_path) == ids(50)


def test_a_store_that_cannot_be_written_commits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write is an error, and the records come again."""
    log = new_log(*requests_of(5))
    role = member(log, tmp_path)
    drain(role)
    with monkeypatch.context() as patch:
        patch.setattr("detector.lake_files.pq.write_table", _no_space)
        with pytest.raises(LakeError, match="No space left"):
            role.flush()
    assert set(role._consumer.committed().values()) == {None}
    role.close()
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    assert event_ids(tmp_path) == ids(5)


def test_a_commit_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka refuses commits while a group rebalances: what was written is not written again."""
    log = new_log(*requests_of(20))
    role = member(log, tmp_path)
    drain(role)
    with monkeypatch.context() as patch:
        patch.setattr(role._consumer, "commit", _rebalancing)
        role.flush()
        produce(log, requests_of(20, 20))
        drain(role)
        role.flush()
    assert set(role._consumer.committed().values()) == {None}
    role.step(0.0)
    assert sum(end or 0 for end in role._consumer.committed().values()) == 40
    assert event_ids(tmp_path) == ids(40)
    assert role.counts["flushes"] == 1


def test_a_commit_that_always_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again has an end."""
    role = member(new_log(*requests_of(1)), tmp_path)
    drain(role)
    monkeypatch.setattr(role._consumer, "commit", _rebalancing)
    role.flush()
    for _ in range(COMMIT_TRIES - 1):
        role.step(0.0)
    with pytest.raises(LogError, match="rebalancing"):
        role.step(0.0)


def test_records_that_left_the_log_are_passed_over(tmp_path: Path) -> None:
    """Retention may overtake a lake that was down: it goes on and counts what it lost."""
    log = MemoryLog()
    for topic in (INPUT, *TOPICS):
        log.create_topic(topic, TopicSettings(max_records=10, when_full="drop_oldest"))
    produce(log, requests_of(10))
    role = member(log, tmp_path)
    drain(role)
    produce(log, requests_of(25, 10))
    role.step(0.0)
    drain(role)
    role.flush()
    kept = [*range(10), *range(25, 35)]
    assert event_ids(tmp_path) == sorted(f"e{i}" for i in kept)
    assert role.counts["lost"] == 15


def test_a_failure_while_partitions_move_is_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Kafka client may swallow what its listener raises: the next step raises it."""
    log = new_log(*requests_of(30))
    one = member(log, tmp_path, "one")
    drain(one)
    two = member(log, tmp_path, "two")
    monkeypatch.setattr("detector.lake_files.pq.write_table", _no_space)
    with pytest.raises(LakeError):
        one.step(0.0)
    monkeypatch.undo()
    one.close()
    drain(two)
    two.flush()
    assert event_ids(tmp_path) == ids(30)


def test_duplicates_and_bad_records_are_counted(tmp_path: Path) -> None:
    """A record that comes twice is one fact; what cannot be read stops nothing."""
    log = new_log(*requests_of(3), *requests_of(3))
    log.producer().send(
        OutputRecord(topic, b"a0", value, T0_S)
        for topic in (INPUT, SCORES, ALERTS)
        for value in (b"\xff{", b"{}", None)
    )
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    assert event_ids(tmp_path) == ids(3)
    got = {name: role.counts[name] for name in ("duplicates", "bad_requests", "bad_outputs")}
    assert got == {"duplicates": 3, "bad_requests": 3, "bad_outputs": 6}
    ends = {tp: end or None for tp, end in role._consumer.end_offsets().items()}
    assert role._consumer.committed() == ends


def test_unknown_fields_and_features_are_ignored_and_missing_ones_null(tmp_path: Path) -> None:
    """Outputs of a newer and of an older release can be read."""
    data = {
        "tenant": "default", "account": "a", "scope": "account", "scope_id": "a", "requests": 10,
        "new_pieces": 4, "cue_pieces": 1, "score": 0.5, "p_value": 0.1, "later": [1],
        "features": {FEATURE_NAMES[1]: 0.25, "a_later_feature": 1.0, FEATURE_NAMES[2]: None},
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": "1", "source": "/x", "type": "stillwatch.score",
        "subject": "a", "time": "2025-10-09T23:59:59.999Z", "dataschema": "urn:x",
        "partitionkey": "a", "traceparent": "00-1", "data": data,
    }  # fmt: skip
    log = new_log()
    log.producer().send([OutputRecord(SCORES, b"a", msgspec.json.encode(event), T0_S)])
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    answer = LakeQuery(tmp_path).ask("SELECT * FROM scores")
    row = dict(zip(answer.columns, answer.rows[0], strict=True))
    assert (str(row["day"]), row["score"]) == ("2025-10-09", 0.5)
    assert [row[name] for name in FEATURE_NAMES[:3]] == [None, 0.25, None]


def test_times_are_in_force_as_for_the_worker(tmp_path: Path) -> None:
    """A request without a time, or days ahead of its record, has the record's day."""
    wild = ask(account="a", event_id="wild", event_time_s=T0_S + 9 * DAY_S)
    none = ask(account="a", event_id="none", source="native", model="m")
    log = new_log()
    log.producer().send(
        OutputRecord(INPUT, b"a", msgspec.json.encode(r), T0_S) for r in (wild, none)
    )
    role = member(log, tmp_path, intake=IntakeSettings(format="native"))
    drain(role)
    role.flush()
    answer = LakeQuery(tmp_path).ask("SELECT event_id, day::VARCHAR FROM facts ORDER BY 1")
    assert answer.rows == [("none", "2025-10-09"), ("wild", "2025-10-09")]


def test_a_tenant_of_any_name_has_a_folder(tmp_path: Path) -> None:
    """Nothing that a log may call a tenant stops the role."""
    tenants = ["../up", "a=b/c", "漢" * 500, "x" * 512, " "]
    log = new_log(
        *(ask(tenant=t, event_id=str(i), event_time_s=T0_S) for i, t in enumerate(tenants))
    )
    role = member(log, tmp_path)
    drain(role)
    role.flush()
    rows = LakeQuery(tmp_path).ask("SELECT event_id, tenant FROM facts ORDER BY 1").rows
    told = dict(cast("list[tuple[str, str]]", rows))
    assert (told["0"], told["1"], told["4"]) == ("../up", "a=b/c", " ")
    assert told["2"].startswith("漢")
    assert told["3"].startswith("x")
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


@pytest.fixture
def memory_url() -> Iterator[str]:
    """An object store in this process, empty before and after."""
    url = "memory://test-lake-role"
    fsspec.filesystem("memory").store.clear()
    yield url
    fsspec.filesystem("memory").store.clear()


def test_an_object_store_holds_the_same(memory_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, set right after a death, and queried by URL; no half file under another name."""
    log = new_log(*requests_of(40))
    one = member(log, memory_url)
    drain(one)
    monkeypatch.setattr(one._consumer, "commit", _die)
    with pytest.raises(Killed):
        one.flush()
    log.expire_member("stillwatch-lake", "one")
    two = member(log, memory_url, "two")
    drain(two)
    assert two.counts["removed"] == PARTITIONS
    two.flush()
    assert event_ids(memory_url) == ids(40)
    assert all(name.endswith(".parquet") for name in fsspec.filesystem("memory").store)


def test_a_query_by_url_is_locked_down_too(memory_url: str, tmp_path: Path) -> None:
    """Reading through fsspec opens no door: DuckDB reads and writes nothing by itself."""
    role = member(new_log(*requests_of(3)), memory_url)
    drain(role)
    role.flush()
    query = LakeQuery(memory_url)
    for sql in (
        "COPY (SELECT 1) TO '{out}'",
        "SELECT * FROM read_text('{here}')",
        "SELECT * FROM read_parquet('{url}/facts/*/*/*.parquet')",
        "WITH a AS (COPY (SELECT 1) TO 'memory://x') SELECT * FROM a",
    ):
        with pytest.raises(LakeError):
            query.ask(sql.format(out=tmp_path / "x", here=__file__, url=memory_url))
    assert not list(tmp_path.iterdir())


def test_file_urls_are_folders(tmp_path: Path) -> None:
    """file:// is the same as a path."""
    role = member(new_log(*requests_of(3)), f"file://{tmp_path}")
    drain(role)
    role.flush()
    assert event_ids(tmp_path) == event_ids(f"file://{tmp_path}") == ids(3)


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package; a protocol that nobody knows is told apart."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(LakeError, match="Install s3fs"):
        LakeFiles("s3://bucket/lake")
    with pytest.raises(LakeError, match="Protocol not known"):
        LakeFiles("nosuch://bucket/lake")


def _die(_offsets: Mapping[TopicPartition, int]) -> None:
    raise Killed


def _rebalancing(_offsets: Mapping[TopicPartition, int]) -> None:
    raise LogError("the group is rebalancing")


def _die_after(files: int) -> Any:
    real, written = LakeFiles.write, 0

    def write(self: LakeFiles, path: str, table: Any) -> None:
        nonlocal written
        if written == files:
            raise Killed
        written += 1
        real(self, path, table)

    return write


def _no_space(*_args: object, **_options: object) -> None:
    raise OSError(28, "No space left on device")
