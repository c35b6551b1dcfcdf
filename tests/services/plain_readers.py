"""Readers as others write them: a plain consumer of committed records, and the live alert feed."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import kafka
import msgspec
from kafka import TopicPartition


@dataclass
class Feed:
    """The live alert feed, read as a browser does: comes back with the last id it saw."""

    url: str
    key: str
    seen: list[tuple[str, int, str]] = field(default_factory=list)
    """Alert, revision and account, in the order they came."""
    _last: str | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """Reads until `end`; for a thread."""
        headers = {"Authorization": f"Bearer {self.key}"}
        while not self._ended.is_set():
            given = {"Last-Event-ID": self._last} if self._last else {}
            start = {} if self._last else {"last_event_id": "start"}
            try:
                with httpx.stream(
                    "GET", self.url, params=start, headers={**headers, **given}, timeout=1.0
                ) as answer:
                    if answer.status_code == 200:
                        self._take(answer.iter_lines())
            except httpx.TransportError:
                self._ended.wait(0.05)  # the API is away, or had nothing to say for a second

    def _take(self, lines: Iterator[str]) -> None:
        event: dict[str, str] = {}
        for line in lines:
            if line:
                name, _, value = line.partition(":")
                event[name] = value.strip()
                continue
            if "data" in event:
                alert = msgspec.json.decode(event["data"])
                self.seen.append((alert["alert_id"], alert["revision"], alert["account"]))
            self._last = event.get("id", self._last)
            event = {}

    def heard(self, accounts: Container[str]) -> set[tuple[str, int]]:
        """Alerts and revisions of these accounts."""
        return {
            (alert, revision)
            for alert, revision, account in tuple(self.seen)
            if account in accounts
        }

    def end(self) -> None:
        """Ends `follow` within its timeout."""
        self._ended.set()


def read_committed(bootstrap: str, topic: str) -> list[Any]:
    """What a plain consumer of committed records finds in a topic, partition by partition."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        parts = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        found: list[Any] = []
        while any(consumer.position(tp) < ends[tp] for tp in parts):
            for records in consumer.poll(200).values():
                found += records
        return found
    finally:
        consumer.close()
