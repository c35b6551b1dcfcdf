"""An API on a socket over the in-process log, with keys of each role and a clock to be moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx

from detector.api.service import Service
from detector.api.serving import serve_in_thread
from detector.api.wiring import build_service
from detector.follower import Follower
from detector.key_ring import ROLES, KeyRing, new_key
from detector.output_records import ALERTS, TOPICS, VERDICTS, output_records
from detector.outputs import Outputs
from detector.settings import Settings
from detector.store.alert_store import AlertStore
from detector.verdict_change import VerdictChange, Versions
from streams.log import Log, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings

if TYPE_CHECKING:
    from detector.benign_range import BenignRange

NOW_S = 1_760_000_000.0
PARTITIONS = 4
DEADLINE_S = 10.0


@dataclass
class Clock:
    """The API's wall clock and its monotonic one, moved by hand."""

    now_s: float = NOW_S
    monotonic_s: float = 1000.0

    def forward(self, seconds: float) -> None:
        """Lets time pass on both."""
        self.now_s += seconds
        self.monotonic_s += seconds


@dataclass
class ApiCase:
    """One API under test.

    `secrets` hold the key of each role, all of tenant "default"; "other" is a viewer of tenant
    "other", "root" an admin of every tenant, "edge" a gateway of every tenant.
    """

    log: Log
    service: Service
    url: str
    client: httpx.Client
    clock: Clock
    secrets: dict[str, str] = field(default_factory=dict)

    def auth(self, who: str) -> dict[str, str]:
        """Request headers of a key."""
        return {"X-Stillwatch-Key": self.secrets[who]}

    def get(self, path: str, who: str = "analyst", **params: Any) -> Any:
        """A GET with a key; `params` is the query. The response."""
        return self.client.get(path, headers=self.auth(who), params=params)

    def append(self, records: list[OutputRecord]) -> None:
        """Writes to the log and waits until both followers applied it."""
        self.log.producer().send(records)
        self.settle()

    def give(self, *changes: VerdictChange) -> None:
        """Writes verdicts as a worker does."""
        self.append(output_records(Outputs(verdicts=list(changes))))

    def settle(self) -> None:
        """Waits until both followers stand at the end of their topics."""
        for follower, topic in (
            (self.service.verdict_follower, VERDICTS),
            (self.service.alert_follower, ALERTS),
        ):
            ends = self.log.reader(partitions_of(topic)).end_offsets()
            self._reaches(follower, ends)

    @staticmethod
    def _reaches(follower: Follower, ends: dict[TopicPartition, int]) -> None:
        until(lambda: follower.positions() == ends)


def partitions_of(topic: str) -> list[TopicPartition]:
    """Every partition of a topic of the case's log."""
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]


def until(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Waits for another thread; fails when `true` does not come in time."""
    end_s = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.002)


def ring() -> tuple[KeyRing, dict[str, str]]:
    """Keys as `ApiCase.secrets` tells them."""
    wanted: list[tuple[str, Any, str]] = [(role, role, "default") for role in ROLES]
    wanted += [("other", "viewer", "other"), ("root", "admin", "*"), ("edge", "gateway", "*")]
    secrets, entries = {}, []
    for number, (who, role, tenant) in enumerate(wanted):
        secret, entry = new_key(
            role, tenant, id_bits=bytes([0, number]), secret_bits=f"{number:02}" * 16
        )
        secrets[who] = secret
        entries.append(entry)
    return KeyRing(entries), secrets


def verdict(
    level: str = "block",
    *,
    scope: str = "account",
    scope_id: str = "acme",
    account: str = "acme",
    tenant: str = "default",
    expires_in_s: float | None = 3600.0,
    enforced: bool = True,
    **fields: Any,
) -> VerdictChange:
    """A verdict given at `NOW_S`."""
    given: dict[str, Any] = {
        "organisation": None,
        "kind": "rose",
        "from_level": "allow",
        "proposed_level": None,
        "at_s": NOW_S,
        "expires_at_s": None if expires_in_s is None else NOW_S + expires_in_s,
        "suppressed": False,
        "reason_code": "intent",
        "main_group": "intent",
        "groups": ("intent",),
        "account_requests": 40,
        "versions": Versions("policy-1", "model-1", "schema-1"),
        **fields,
    }
    return VerdictChange(
        tenant=tenant,
        scope=cast("Any", scope),
        scope_id=scope_id,
        account=account,
        to_level=cast("Any", level),
        enforced=enforced,
        **given,
    )


def make_log() -> MemoryLog:
    """A log with every output topic."""
    log = MemoryLog()
    for topic in TOPICS:
        log.create_topic(topic, TopicSettings(partitions=PARTITIONS))
    return log


@contextmanager
def api_case(
    *,
    log: Log | None = None,
    benign: BenignRange | None = None,
    lake: Path | None = None,
    port: int = 0,
    settle: bool = True,
    **settings: Any,
) -> Iterator[ApiCase]:
    """A running API; its alert store is a SQLite file that goes away.

    settle: waits until it has read what the log holds.
    """
    clock = Clock()
    log = make_log() if log is None else log
    keys, secrets = ring()
    with closing(AlertStore("sqlite://")) as alerts:
        service = build_service(
            Settings(lake=None if lake is None else str(lake), **settings),
            log,
            keys,
            now_s=lambda: clock.now_s,
            monotonic_s=lambda: clock.monotonic_s,
            alerts=alerts,
            benign=benign,
        )
        with serve_in_thread(service, port=port) as api, httpx.Client(base_url=api.url) as client:
            case = ApiCase(log, service, api.url, client, clock, secrets)
            if settle:
                case.settle()
            yield case
