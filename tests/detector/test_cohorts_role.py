"""The role cohorts: what the book says is on the topics once, whatever dies in between."""

from __future__ import annotations

import msgspec
import pytest

from detector.cohort_records import ALERTS, COHORTS, SIGHTINGS, VERDICTS, read_sighting
from detector.lake_records import read_alert
from detector.output_records import DEAD_LETTERS
from detector.store.stored_alert import read_alert as read_stored
from detector.verdict_change import VerdictChange
from detector.verdict_table import VerdictTable
from streams.envelope import decode, read_data
from streams.log import LogError, LogRecord
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.detector.cohorts_rig import OUT, drain, new_log, new_role, records, wanted, written
from tests.detector.worker_rig import read_all


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_the_role_says_what_the_book_says(size: int) -> None:
    """In batches of 1, 7 and 5,000; the record that is no sighting is a dead letter."""
    log = new_log()
    role = new_role(log, size=size)
    drain(role, len(records()))
    role.close()
    found = written(log)
    assert len(found.pop(DEAD_LETTERS)) == 1
    assert found == {topic: some for topic, some in wanted().items() if topic != DEAD_LETTERS}
    assert all(found[topic] for topic in (COHORTS, VERDICTS, ALERTS))


@pytest.mark.parametrize("stop_at", [1, 60, 250, 400])
def test_another_process_goes_on_where_one_stopped(stop_at: int) -> None:
    """Its state is rebuilt from the topic, silently: nothing is told twice, nothing is left out."""
    log = new_log()
    first = new_role(log, size=20, member="first")
    drain(first, stop_at)
    first.close()
    second = new_role(log, size=33, member="second")
    drain(second, len(records()))
    second.close()
    found = written(log)
    assert len(found.pop(DEAD_LETTERS)) == 1
    assert found == {topic: some for topic, some in wanted().items() if topic != DEAD_LETTERS}


def test_a_second_process_waits() -> None:
    """The topic has one partition: one process holds the book."""
    log = new_log()
    first, second = new_role(log, member="first"), new_role(log, member="second")
    for _ in range(40):
        first.turn()
        second.turn()
    assert sorted([len(first._held), len(second._held)]) == [0, 1]
    first.close()
    second.close()


def test_a_topic_of_several_partitions_is_refused() -> None:
    """Half of an account's keys are no cohort."""
    log = MemoryLog()
    log.create_topic(SIGHTINGS, TopicSettings(partitions=2))
    for topic in OUT:
        log.create_topic(topic, TopicSettings(partitions=1))
    with pytest.raises(LogError, match="one partition"):
        new_role(log)


@pytest.fixture(scope="module")
def done() -> MemoryLog:
    """The topics after a run."""
    log = new_log()
    role = new_role(log)
    drain(role, len(records()))
    role.close()
    return log


def test_members_verdicts_lie_beside_the_accounts_own(done: MemoryLog) -> None:
    """The verdict table takes the harder; lifting the account's own leaves the campaign's."""
    table = VerdictTable()
    table.apply(read_all(done, VERDICTS))
    found = table.enforced("default", 0.0, account="h7")
    assert found is not None
    assert found.level == "throttle"
    own = read_data(decode(records_of(done, "h7")[0].value), VerdictChange)
    key = b"default/account/h7"
    place = records_of(done, "h7")[0]
    blocked = msgspec.structs.replace(own, to_level="block", reason_code="two-groups")
    table.apply([again(place, key, envelope_with(place.value, blocked))])
    assert table.enforced("default", 0.0, account="h7").level == "block"  # type: ignore[union-attr]
    table.apply([again(place, key, b"", tombstone=True)])
    assert table.enforced("default", 0.0, account="h7").level == "throttle"  # type: ignore[union-attr]


def test_the_alert_is_read_by_the_feed_and_by_the_lake(done: MemoryLog) -> None:
    """It has all that any alert has, and says what is shared, by how many, since when."""
    records_ = read_all(done, ALERTS)
    for record in records_:
        alert, _ = read_alert(record.value)
        assert alert.kind == "campaign"
        assert read_stored(record).fields.kind == "campaign"
    body = msgspec.json.decode(decode(records_[-1].value).data)
    told = body["campaign"]
    assert told["size"] >= 20
    assert {link["kind"] for link in told["links"]} >= {"template", "shard", "parameters"}
    assert sum(told["by_day"].values()) == told["size"]
    assert {edge["account"] for edge in told["edges"]} <= {n["account"] for n in told["nodes"]}
    assert "hello" not in str(body)


def test_a_sighting_is_read_as_it_was_written() -> None:
    """And a record of another kind is refused with the field named."""
    seen = read_sighting(records()[0].value or b"")
    assert seen.account
    assert seen.kind in ("opening", "parameters")


def records_of(log: MemoryLog, account: str) -> list[LogRecord]:
    """Records of the verdicts topic that speak of an account."""
    return [r for r in read_all(log, VERDICTS) if f"/{account}/".encode() in (r.key or b"")]


def envelope_with(value: bytes, change: VerdictChange) -> bytes:
    """The envelope with other data."""
    event = decode(value)
    data = msgspec.Raw(msgspec.json.encode(change))
    return msgspec.json.encode(msgspec.structs.replace(event, data=data))


def again(like: LogRecord, key: bytes, value: bytes, *, tombstone: bool = False) -> LogRecord:
    """A record at the same place under another key."""
    return LogRecord(
        like.topic, like.partition, like.offset + 1, key, value, like.timestamp_s, (), tombstone
    )
