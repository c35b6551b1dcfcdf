"""The whole chain as operators run it: real producers, Kafka, roles, readers and a real gateway."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import kafka
import msgspec
import pytest

from detector.levels import RANK
from detector.output_records import ALERTS, SCORES
from detector.partition import PartitionSettings
from detector.pipeline import Pipeline
from detector.policy import load_policy
from streams.intake import IntakeSettings
from streams.log import LogRecord
from tests.detector.runs import released
from tests.integration.gateway_traffic import CAPTURES, Lines, gateway_traffic
from tests.services.deployment import DEPLOY, Deployment, Running, deployment
from tests.services.mock_model import MockModel, mock_model
from tests.services.nginx import free_port, nginx
from tests.services.plain_readers import Feed, read_committed
from tests.services.required import unavailable

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

CODECS = ("gzip", "snappy", "lz4", "zstd")
PARTITIONS = 4
EVERYTHING = """
SELECT 'facts' AS what, account, count(*) AS n FROM facts GROUP BY account
UNION ALL SELECT 'scores', account, count(*) FROM scores GROUP BY account
UNION ALL SELECT 'alerts', account, count(*) FROM alerts GROUP BY account
"""
STALE_S = 4.0
"""Short, so that a frozen broker is noticed within the test."""


def produce(made: Deployment, lines: Lines) -> int:
    """Foreign producers write the log: kafka-python, and kcat with each codec in turn.

    Returns how many records. Accounts go round the producers, so each writes all of an account.
    """
    kcat = shutil.which("kcat") or unavailable("kcat", "on Debian: apt-get install kcat")
    shares: list[list[str]] = [[] for _ in (None, *CODECS)]
    for number, account in enumerate(lines):
        shares[number % len(shares)].append(account)
    producer = kafka.KafkaProducer(bootstrap_servers=made.bootstrap)
    for account in shares[0]:
        for line in lines[account]:
            producer.send(made.input_topic, line, account.encode())
    producer.close()
    for codec, accounts in zip(CODECS, shares[1:], strict=True):
        keyed = [account.encode() + b"\t" + line for account in accounts for line in lines[account]]
        subprocess.run(
            [kcat, "-P", "-b", made.bootstrap, "-t", made.input_topic, "-K", "\t", "-z", codec],
            input=b"\n".join(keyed), check=True, timeout=60.0,
        )  # fmt: skip
    return sum(map(len, lines.values()))


def expected(made: Deployment, policy: Path) -> tuple[set[tuple[str, int]], dict[str, str]]:
    """What one pipeline says of the log as it lies in Kafka, partition by partition: revisions of
    alerts, and the verdict of each account with "+" behind it where a harder step is proposed."""
    settings = PartitionSettings(intake=IntakeSettings(hmac_key=b"tests"))
    pipeline = Pipeline(released(), load_policy(policy), settings)
    parts: dict[int, list[LogRecord]] = defaultdict(list)
    for r in read_committed(made.bootstrap, made.input_topic):
        parts[r.partition].append(
            LogRecord(r.topic, r.partition, r.offset, r.key, r.value, r.timestamp / 1000.0)
        )
    alerts: set[tuple[str, int]] = set()
    verdicts: dict[str, str] = {}
    for number, records in parts.items():
        out = pipeline.process(records, number)
        alerts |= {(alert.alert_id, alert.revision) for alert, _ in out.alerts}
        for standing in pipeline.partition(number).verdicts.dump():
            if standing.scope == "account" and RANK[standing.level] > 0:
                more = "+" if standing.proposed_level else ""
                verdicts[standing.account] = standing.level + more
    return alerts, verdicts


def revisions(made: Deployment, lines: Lines) -> list[tuple[str, int]]:
    """Alert and revision of every record on the alerts topic that is about these accounts."""
    events = [msgspec.json.decode(r.value) for r in read_committed(made.bootstrap, ALERTS)]
    mine = [event for event in events if event["data"]["account"] in lines]
    ids = [event["id"] for event in mine]
    assert len(ids) == len(set(ids)), "an alert stands twice on its topic"
    return [(event["data"]["alert_id"], event["data"]["revision"]) for event in mine]


def new_key(made: Deployment, role: str) -> str:
    """A key for every tenant, from the command line."""
    return made.command("keys", "new", "--role", role, "--tenant", "*").strip()


@dataclass(frozen=True)
class Edge:
    """nginx before a model."""

    url: str
    model: MockModel

    def ask(self, account: str) -> int:
        """Status of one chat request of an account."""
        return httpx.post(
            f"{self.url}/v1/chat/completions", content=b"{}",
            headers={"X-Account": account, "Authorization": "Bearer sk-0123456789"}, timeout=10.0,
        ).status_code  # fmt: skip


def ready(url: str) -> bool:
    """Whether the API followed both topics to their ends."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False


def policy_for(folder: Path) -> Path:
    """The deployment's policy. Composed traffic comes near no block, so there it is proposed
    earlier."""
    if CAPTURES.is_dir():
        return DEPLOY / "policy.toml"
    head, block = (DEPLOY / "policy.toml").read_text("utf-8").split("[steps.block]")
    for old, new in (("p_value = 0.0005", "p_value = 0.002"), ("pieces = 100", "pieces = 30")):
        assert old in block
        block = block.replace(old, new)
    changed = folder / "policy.toml"
    changed.write_text(f"{head}[steps.block]{block}", "utf-8")
    return changed


@dataclass
class Chain:
    """A deployment at work, and what it is to say."""

    made: Deployment
    url: str
    policy: Path
    lines: Lines
    workers: list[Running]
    api: Running
    lake: Running
    feed: Feed
    sent: int = 0
    alerts: set[tuple[str, int]] = field(default_factory=set)
    verdicts: dict[str, str] = field(default_factory=dict)

    def one_with(self, verdict: str) -> str:
        """The first account under that verdict."""
        assert verdict in self.verdicts.values(), self.verdicts
        return next(account for account, found in self.verdicts.items() if found == verdict)


def test_the_chain(tmp_path: Path) -> None:
    """Foreign producers → two workers → the alerts that one pipeline would give, each once, for a
    plain consumer, the live feed and the lake; and a gateway that denies who is blocked, limits who
    is throttled and serves all others, and everybody while the API is stopped, frozen or stale."""
    port = free_port()
    policy = policy_for(tmp_path)
    given = {"policy": str(policy), "port": str(port), "stale_after_s": str(STALE_S)}
    with deployment(tmp_path, partitions=PARTITIONS, **given) as made, ExitStack() as stack:
        workers = [made.worker("one"), made.worker("two")]
        gateway, viewer = new_key(made, "gateway"), new_key(made, "viewer")
        url = f"http://127.0.0.1:{port}"
        now_s = time.time()  # noqa: TID251 - a deployment lives in real time
        chain = Chain(
            made, url, policy, gateway_traffic(now_s, made.mark), workers,
            made.start("api", "api", metrics=False), made.start("lake", "lake", "--flush-s", "1"),
            stack.enter_context(following(Feed(f"{url}/v1/alerts/stream", viewer))),
        )  # fmt: skip
        made.until(lambda: ready(url), "the API is ready")
        made.until(lambda: shared(workers), "two workers share the partitions")
        readers_agree(chain)
        lake_agrees(chain)
        model = stack.enter_context(mock_model())
        ports = {"api_port": port, "model_port": model.port}
        edge = Edge(stack.enter_context(nginx(tmp_path, key=gateway, **ports)), model)
        verdicts_are_enforced(chain, edge)
        everybody_is_served_without_the_api(chain, edge)
        the_undo_holds(chain, edge)
        everybody_is_served_while_stale(chain, edge)
        for one in (*workers, chain.api):
            one.stop()


def readers_agree(chain: Chain) -> None:
    """All traffic is handled; consumer and feed tell what one pipeline tells of the same log."""
    made = chain.made
    chain.sent = produce(made, chain.lines)
    made.handled(chain.workers, chain.sent)
    assert all(one.metric("stillwatch_records_total") > 0 for one in chain.workers)
    chain.alerts, chain.verdicts = expected(made, chain.policy)
    assert sorted(revisions(made, chain.lines)) == sorted(chain.alerts)
    assert len(chain.alerts) > 10
    made.until(lambda: chain.feed.heard(chain.lines) >= chain.alerts, "the feed told every alert")


def lake_agrees(chain: Chain) -> None:
    """The lake holds each request, each scoring and each revision of an alert, once."""
    made, lines = chain.made, chain.lines
    scores = Counter(
        msgspec.json.decode(record.value)["data"]["account"]
        for record in read_committed(made.bootstrap, SCORES)
    )
    told = {
        "facts": chain.sent,
        "scores": sum(scores[account] for account in lines),
        "alerts": len(chain.alerts),
    }
    made.until(
        lambda: all(chain.lake.metric(f"stillwatch_lake_{n}_total") >= told[n] for n in told),
        "the lake took everything",
    )
    chain.lake.stop()  # writes what it holds
    answer = made.command("query", EVERYTHING, "--format", "json")
    rows = [msgspec.json.decode(line) for line in answer.splitlines()]
    mine = [row for row in rows if row["account"] in lines]
    assert {n: sum(r["n"] for r in mine if r["what"] == n) for n in told} == told
    facts = {row["account"]: row["n"] for row in mine if row["what"] == "facts"}
    assert facts == {account: len(own) for account, own in lines.items()}


def verdicts_are_enforced(chain: Chain, edge: Edge) -> None:
    """A block once a person confirmed it, the throttle's limit, and nothing for all others."""
    blocked, throttled = chain.one_with("restrict+"), chain.one_with("throttle")
    assert edge.ask(blocked) == 200, "a block needs a person"
    chain.made.command("confirm", blocked, "--reason", "case 1, decided by two")
    chain.made.until(lambda: edge.ask(blocked) == 403, "the block is enforced")
    before = len(edge.model.sent)
    assert edge.ask(blocked) == 403
    assert len(edge.model.sent) == before
    assert [edge.ask(throttled) for _ in range(8)] == [200] * 6 + [429] * 2
    free = [account for account in chain.lines if account not in chain.verdicts]
    assert len(free) > 4
    assert [edge.ask(account) for account in free * 3] == [200] * len(free) * 3


def everybody_is_served_without_the_api(chain: Chain, edge: Edge) -> None:
    """Frozen, then stopped; and the block is back with the API."""
    blocked = chain.one_with("restrict+")
    chain.api.signal(signal.SIGSTOP)
    assert edge.ask(blocked) == 200
    chain.api.signal(signal.SIGCONT)
    chain.made.until(lambda: edge.ask(blocked) == 403, "the API that was frozen answers again")
    chain.api.stop()
    assert edge.ask(blocked) == 200
    chain.api = chain.made.start("api", "api", metrics=False)
    chain.made.until(lambda: edge.ask(blocked) == 403, "the new API knows the block")


def the_undo_holds(chain: Chain, edge: Edge) -> None:
    """The undone account is served, also after the same behaviour came again, and its alert is
    revised for every reader."""
    made, blocked = chain.made, chain.one_with("restrict+")
    made.command("undo", blocked, "--reason", "appeal 1 granted")
    made.until(lambda: edge.ask(blocked) == 200, "the undone account is served")
    again = lines_again(chain.lines[blocked])
    producer = kafka.KafkaProducer(bootstrap_servers=made.bootstrap)
    number = partition_of(made, blocked)
    for line in again:
        producer.send(made.input_topic, line, blocked.encode(), partition=number)
    producer.close()
    made.handled(chain.workers, chain.sent + len(again))
    assert still_alike(chain, blocked), "without the undo it would be judged again"
    made.until(lambda: ready(chain.url), "the API is at the end")
    assert edge.ask(blocked) == 200
    said = set(revisions(made, chain.lines))
    assert said > chain.alerts, "the undo revised the alert"
    made.until(lambda: chain.feed.heard(chain.lines) >= said, "the feed told the rest")
    assert chain.feed.heard(chain.lines) == said
    assert len(chain.feed.seen) == len(set(chain.feed.seen)), "the feed told an alert twice"


def everybody_is_served_while_stale(chain: Chain, edge: Edge) -> None:
    """The API answers, but has not reached the end of the verdicts for too long."""
    made, throttled = chain.made, chain.one_with("throttle")
    made.until(lambda: edge.ask(throttled) == 429, "the throttle is still enforced")
    with made.frozen_broker() as frozen:
        if frozen:
            made.until(lambda: limitless(edge, throttled), "a stale API lets everybody pass")


@contextmanager
def following(feed: Feed) -> Iterator[Feed]:
    """The feed, read on a thread while the block runs."""
    thread = threading.Thread(target=feed.follow)
    thread.start()
    try:
        yield feed
    finally:
        feed.end()
        thread.join()


def shared(workers: Sequence[Running]) -> bool:
    """Whether each holds as many partitions as the other."""
    return {one.metric("stillwatch_partitions") for one in workers} == {PARTITIONS / 2}


def still_alike(chain: Chain, account: str) -> bool:
    """Whether the last scoring of the account is as bad as a throttle's."""
    records = read_committed(chain.made.bootstrap, SCORES)
    scores = [msgspec.json.decode(record.value)["data"] for record in records]
    last = [row for row in scores if row["scope"] == "account" and row["account"] == account][-1]
    return bool(last["p_value"] <= load_policy(chain.policy).steps.throttle.p_value)


def limitless(edge: Edge, account: str) -> bool:
    """Whether more requests are served than a throttled account's burst."""
    return all(edge.ask(account) == 200 for _ in range(8))


def lines_again(lines: Sequence[bytes]) -> list[bytes]:
    """The same behaviour once more, as new requests: a repeated event would be dropped."""
    rows = [msgspec.json.decode(line) for line in lines]
    return [
        msgspec.json.encode({**row, "id": f"again-{number}", "ts": row["ts"] + 1.0})
        for number, row in enumerate(rows)
    ]


def partition_of(made: Deployment, account: str) -> int:
    """The partition that the account's producer chose."""
    return next(
        int(record.partition)
        for record in read_committed(made.bootstrap, made.input_topic)
        if record.key == account.encode()
    )
