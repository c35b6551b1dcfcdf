"""The table of ACLs is enough for each role, and no line of it is too many: every role's own
clients on a broker that lets nobody do anything else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from msgspec import structs
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from detector.acls import Grant, Operation, acl_commands, grants
from detector.api.wiring import reader_of
from detector.cli.main import app
from detector.cohort_records import SIGHTINGS, sighting_record
from detector.control import CONTROL, Undo, switch_record
from detector.lake_files import LakeFiles
from detector.lake_role import LakeRole, LakeRoleSettings
from detector.metrics import LakeMetrics
from detector.output_records import ALERTS, TOPICS, VERDICTS
from streams.kafka_connect import connect_options
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import create_topics
from streams.log import LogError, OutputRecord
from streams.topics import TopicSpec, topic_specs
from tests.detector.builders import ask
from tests.detector.cohorts_rig import new_role as new_cohorts_role
from tests.detector.links.crowds import harvest as campaign
from tests.detector.links.crowds import in_order, strangers
from tests.detector.rekey_rig import SOURCE, TARGET, export, new_role
from tests.detector.worker_rig import GROUP, alerts_of, directly, ends, new_worker, small_day
from tests.detector.worker_rig import new_log as worker_log
from tests.services.secure_kafka import PASSWORD, USERS, SecureKafka, start_secure_kafka

pytestmark = pytest.mark.kafka

TABLE = grants(TARGET, GROUP, SOURCE)
ROLES = tuple(dict.fromkeys(grant.role for grant in TABLE))
LIMIT_S = 30.0
PAST_S = 1_750_000_000.0
"""Brokers refuse what is ahead of their clock."""
_numbers = count()


ANY = ACLFilter(
    None,
    None,
    ACLOperation.ANY,
    ACLPermissionType.ANY,
    ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
)


Exercise = Callable[["Estate", KafkaLog], None]


class Estate:
    """A secured broker, and the grants in force there."""

    def __init__(self, broker: SecureKafka, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        settings = KafkaSettings.model_validate(broker.settings("admin"))
        self.admin = KafkaAdminClient(**connect_options(settings, "tests", 5.0))

    def log(self, role: str) -> KafkaLog:
        """The log as the role's own principal."""
        return KafkaLog(KafkaSettings.model_validate(self.broker.settings(role)))

    def grant(self, table: tuple[Grant, ...]) -> None:
        """Puts exactly these in force."""
        wanted = {acl for grant in table for acl in acls_of(grant)}
        there = self._there()
        if surplus := there - wanted:
            self.admin.delete_acls([*surplus])
        if missing := wanted - there:
            self.admin.create_acls([*missing])
        give_up_s = time.monotonic() + LIMIT_S
        while self._there() != wanted:
            assert time.monotonic() < give_up_s

    def send(self, records: Sequence[OutputRecord]) -> None:
        """Writes what a role is to find."""
        with closing(self.log("admin")) as log, closing(log.producer()) as producer:
            producer.send(records)

    def _there(self) -> set[ACL]:
        found, _ = self.admin.describe_acls(ANY)
        return set(found)

    def close(self) -> None:
        """Lets go of the broker."""
        self.admin.close()


def acls_of(grant: Grant) -> list[ACL]:
    """What the command for it would add."""
    pattern = ResourcePattern(
        ResourceType[grant.resource.upper().replace("-", "_")],
        grant.name,
        ACLResourcePatternType.PREFIXED if grant.prefixed else ACLResourcePatternType.LITERAL,
    )
    names = {"DescribeConfigs": "DESCRIBE_CONFIGS"}
    return [
        ACL(
            f"User:{grant.role}",
            "*",
            ACLOperation[names.get(operation, operation.upper())],
            ACLPermissionType.ALLOW,
            pattern,
        )
        for operation in grant.operations
    ]


@cache
def harvest() -> tuple[OutputRecord, ...]:
    """Records of one account of the composed day that comes to an alert."""
    by_account: dict[bytes, list[OutputRecord]] = {}
    for record in small_day():
        by_account.setdefault(record.key or b"", []).append(record)
    for records in by_account.values():
        if alerts_of(directly(worker_log(records))[1]):
            return tuple(records)
    raise AssertionError("nobody in the composed day stands out")


def harvest_of(account: str) -> list[OutputRecord]:
    """The same as somebody else's, in the past, with event ids of its own."""
    shift_s = PAST_S - harvest()[0].timestamp_s
    made = []
    for record in harvest():
        value = msgspec.json.decode(record.value or b"")
        at_s = record.timestamp_s + shift_s
        value |= {"account": account, "event_id": f"{account}-{value['event_id']}"}
        value["event_time_s"] += shift_s
        made.append(OutputRecord(TARGET, account.encode(), msgspec.json.encode(value), at_s))
    return made


def as_worker(estate: Estate, log: KafkaLog) -> None:
    """Handles a harvest and an unreadable record: writes to every topic."""
    sent = harvest_of(f"account-{next(_numbers)}")
    estate.send([OutputRecord(TARGET, b"x", b"no json", PAST_S), *sent])
    worker = new_worker(log, member=f"w{next(_numbers)}")
    try:
        # An exercise that failed leaves records behind: all are to be handled.
        _until(worker.turn, len(sent) + 1, still_s=1.0)
    finally:
        worker.close()


def as_rekeyer(estate: Estate, log: KafkaLog) -> None:
    """Keys a record and refuses another."""
    estate.send([OutputRecord(SOURCE, None, export(n), PAST_S) for n in (1, 5)])
    role = new_role(log, member=f"r{next(_numbers)}")
    try:
        _until(role.turn)
    finally:
        role.close()


def as_cohorts(estate: Estate, log: KafkaLog) -> None:
    """Tells of a campaign and refuses a record: writes to each of its topics."""
    number = next(_numbers)
    later_s = 10_000.0 * number  # an exercise that failed may have left the book further on
    seen = [
        structs.replace(
            one,
            account=f"{one.account}-{number}",
            key=f"{int(one.key, 16) ^ number:016x}",
            at_s=one.at_s + later_s,
            first_s=one.first_s + later_s,
        )
        for one in in_order(campaign(60), strangers(300))
    ]
    sent = [replace(sighting_record(one), timestamp_s=PAST_S) for one in seen]
    estate.send([*sent, OutputRecord(SIGHTINGS, b"k", b"no json", PAST_S)])
    role = new_cohorts_role(log, member=f"c{number}")
    try:
        _until(role.turn, len(sent) + 1, still_s=1.0)
    finally:
        role.close()


def as_lake(estate: Estate, log: KafkaLog) -> None:
    """Copies what is there; joins, writes and commits."""
    role = LakeRole(
        log,
        LakeFiles(str(estate.folder / f"lake-{next(_numbers)}")),
        LakeRoleSettings(group=GROUP, input_topic=TARGET, flush_rows=1),
        LakeMetrics(CollectorRegistry()),
        member_id=f"l{next(_numbers)}",
        monotonic_s=time.monotonic,
    )
    request = ask("q", account="a", event_id=f"e{next(_numbers)}", event_time_s=PAST_S)
    estate.send([OutputRecord(TARGET, b"a", msgspec.json.encode(request), PAST_S)])
    try:
        _until(lambda: role.step(0.2))
        role.flush()
    finally:
        role.close()


def as_api(_: Estate, log: KafkaLog) -> None:
    """Follows its two topics, as its followers do."""
    for topic in (VERDICTS, ALERTS):
        with closing(reader_of(log, topic)) as reader:
            reader.poll(10, 0.0)
            reader.end_offsets()


def as_writer(topic: str) -> Exercise:
    """Sends a record."""

    def exercise(_: Estate, log: KafkaLog) -> None:
        with closing(log.producer()) as producer:
            producer.send([OutputRecord(topic, b"k", export(1), PAST_S)])

    return exercise


def as_operator(_: Estate, log: KafkaLog) -> None:
    """Says that somebody is cleared."""
    undo = Undo(by="me", reason="r", tenant="default", scope="account", scope_id="x", until_s=4e9)
    with closing(log.producer()) as producer:
        producer.send([switch_record(undo, PAST_S)])


def as_setup(_: Estate, log: KafkaLog) -> None:
    """Makes what is missing, and looks at what is there."""
    twice(log.settings, *topic_specs(TARGET, SOURCE))


EXERCISES: dict[str, Exercise] = {
    "setup": as_setup,
    "operator": as_operator,
    "gateway": as_writer(TARGET),
    "collector": as_writer(SOURCE),
    "rekey": as_rekeyer,
    "worker": as_worker,
    "cohorts": as_cohorts,
    "api": as_api,
    "lake": as_lake,
}


def _until(turn: Callable[[], int], count_wanted: int = 1, still_s: float = 0.0) -> None:
    """Turns until so many records are done and none came for so long."""
    give_up_s, done = time.monotonic() + LIMIT_S, 0
    last_s = time.monotonic()
    while done < count_wanted or time.monotonic() - last_s < still_s:
        if found := turn():
            done, last_s = done + found, time.monotonic()
        assert time.monotonic() < give_up_s


def exercise(estate: Estate, role: str) -> None:
    """The role's clients do their work as the role's principal."""
    with closing(estate.log(role)) as log:
        EXERCISES[role](estate, log)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A deployment's topics, made by the role that makes them."""
    folder = tmp_path_factory.mktemp("acls")
    broker = start_secure_kafka(folder, os.getpid())
    made = Estate(broker, folder)
    made.grant(TABLE)
    exercise(made, "setup")
    yield made
    made.close()
    broker.stop()


def test_the_table_names_every_role() -> None:
    """Each role of the table has an exercise here, and a user on the broker."""
    assert set(ROLES) == set(EXERCISES)
    assert set(ROLES) <= set(USERS)


@pytest.mark.parametrize("role", list(EXERCISES))
def test_a_role_needs_no_more(estate: Estate, role: str) -> None:
    """With its grants and no others in force the role does all of its work."""
    estate.grant(tuple(grant for grant in TABLE if grant.role == role))
    exercise(estate, role)


def test_a_worker_wrote_to_every_topic(estate: Estate) -> None:
    """The exercise above is worth something: verdicts, alerts, scores, dead letters, switches."""
    estate.grant(tuple(grant for grant in TABLE if grant.role == "worker"))
    log = estate.log("admin")
    before = {topic: sum(ends(log, topic).values()) for topic in (*TOPICS, CONTROL)}
    exercise(estate, "worker")
    for topic, count_before in before.items():
        assert sum(ends(log, topic).values()) > count_before, topic
    log.close()


LINES = [
    (grant, operation) for grant in TABLE for operation in grant.operations if grant.role != "setup"
]


@pytest.mark.parametrize(
    ("grant", "operation"), LINES, ids=[f"{g.role}-{o}-{g.name}" for g, o in LINES]
)
def test_no_line_is_too_many(estate: Estate, grant: Grant, operation: Operation) -> None:
    """Without any one operation of any one line the role cannot do its work, and is told that it
    is not allowed to, and where the table stands."""
    rest = tuple(o for o in grant.operations if o != operation)
    less = [g for g in TABLE if g.role == grant.role and g != grant]
    estate.grant((*less, *([replace(grant, operations=rest)] if rest else [])))
    with pytest.raises(LogError, match="does not allow it") as caught:
        exercise(estate, grant.role)
    assert "`stillwatch topics acls`" in str(caught.value)


@pytest.mark.parametrize("operation", ["Create", "Describe", "DescribeConfigs"])
def test_no_line_of_the_setup_is_too_many(estate: Estate, operation: Operation) -> None:
    """The same for a topic that is not there yet."""
    name = f"new-{next(_numbers)}"
    spec = replace(topic_specs()[0], name=name)
    operations: tuple[Operation, ...] = ("Create", "Describe", "DescribeConfigs")
    rest = tuple(o for o in operations if o != operation)
    log = estate.log("setup")
    estate.grant((Grant("setup", "topic", name, rest, "less"),))
    with pytest.raises(LogError, match="does not allow it"):
        twice(log.settings, spec)
    estate.grant((Grant("setup", "topic", name, operations, "all"),))
    twice(log.settings, spec)
    log.close()


def twice(settings: KafkaSettings, *specs: TopicSpec) -> None:
    """Makes topics, then looks at them."""
    for _ in range(2):
        create_topics(settings, specs, partitions=2)


def test_the_command_line_on_a_secured_cluster(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`topics create` with login and encryption from a settings file and the password from another:
    it works as the role `setup`; with a wrong password it ends with exit 2 and the setting to
    correct, and as another role with what to grant. No output holds a password."""
    monkeypatch.delenv("STILLWATCH_KAFKA", raising=False)
    estate.grant(TABLE)
    password = tmp_path / "password"
    file = tmp_path / "stillwatch.toml"
    secured = f"""
        input_topic = "{TARGET}"
        rekey_from = "{SOURCE}"
        [kafka]
        bootstrap = "{estate.broker.sasl_tls}"
        security_protocol = "SASL_SSL"
        sasl_mechanism = "SCRAM-SHA-256"
        sasl_username = "NAME"
        sasl_password_file = "{password}"
        tls_ca = "{estate.broker.folder / "ca.pem"}"
        """

    def create(name: str, secret: str) -> tuple[int, str]:
        file.write_text(secured.replace("NAME", name))
        password.write_text(f"{secret}\n")
        command = ["--settings", str(file), "topics", "create", "--partitions", "2"]
        result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
        assert secret not in result.output
        return result.exit_code, " ".join(result.output.split())

    code, told = create("setup", PASSWORD)
    assert code == 0, told
    assert told.count("exists") == len(topic_specs(TARGET, SOURCE))
    assert "should be" not in told
    code, told = create("setup", "battery staple")
    assert code == 2
    assert "kafka.sasl_password_file" in told
    code, told = create("gateway", PASSWORD)
    assert code == 2
    assert "does not allow it" in told
    assert "`stillwatch topics acls`" in told


def test_the_commands_are_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """`topics acls` shows each line once; with a prefix it prints a command for each, which names
    principal, operations and resource."""
    monkeypatch.setenv("STILLWATCH_REKEY_FROM", SOURCE)
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["topics", "acls"]).output
    for grant in TABLE:
        assert shown.count(grant.why) >= 1
        assert f" {grant.name}" in shown
    command = ["topics", "acls", "--principal-prefix", "sw-", "--kafka", "kafka:1"]
    printed = CliRunner().invoke(app, command).output.splitlines()
    assert printed == acl_commands(TABLE, "sw-", "kafka:1")
    assert len(printed) == len(TABLE)
    assert printed[0] == (
        "kafka-acls.sh --bootstrap-server kafka:1 --add --allow-principal User:sw-worker "
        "--operation Read --topic llm.requests"
    )
    assert any(
        "--transactional-id stillwatch- --resource-pattern-type prefixed" in p for p in printed
    )
