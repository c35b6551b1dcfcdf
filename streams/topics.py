"""The topics of a deployment and how each must be set. `stillwatch topics create` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_DAY_MS = 24 * 60 * 60 * 1000
_FOR_EVER = "-1"

MAX_INPUT_BYTES = 16 * 1024 * 1024
"""Largest request log record that is taken: long contexts with inline images reach 10 MB."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must be.

    Attributes:
        name: name of the topic.
        reason: why it is set so, in one sentence.
        configs: Kafka's topic settings, name to value; what is not named is the cluster's default.
        partitions: fixed number of partitions; None: as many as the operator chooses, the same for
            every such topic.
    """

    name: str
    reason: str
    configs: Mapping[str, str] = field(default_factory=dict)
    partitions: int | None = None


_ANY_TIME = {
    # Our records carry event times, which replays and clocks ahead of the broker's may put in its
    # future; Kafka 4 would refuse those more than an hour ahead, and the worker with them.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**63 - 1),
}


_BROKERS_TIME = (
    "Times are the broker's: a client with a wrong clock can then neither push ours ahead nor have "
    "its records dropped early"
)
_WEEK = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * _DAY_MS),
    "max.message.bytes": str(MAX_INPUT_BYTES),
}


def topic_specs(
    input_topic: str = "llm.requests", rekey_from: str | None = None
) -> tuple[TopicSpec, ...]:
    """Every topic, the input first. `rekey_from`: the topic that `stillwatch rekey` reads."""
    return (*_requests(input_topic, rekey_from), *_outputs())


def _requests(input_topic: str, rekey_from: str | None) -> tuple[TopicSpec, ...]:
    why = "request logs; kept for a week so that workers can rebuild their state by replay. "
    if rekey_from is None:
        timed = _WEEK | {"message.timestamp.type": "LogAppendTime"}
        return (TopicSpec(input_topic, why + _BROKERS_TIME, timed),)
    return (
        TopicSpec(
            input_topic,
            why + "Times are the writer's: `stillwatch rekey` keeps those of the topic that it "
            "reads, which are the broker's",
            _WEEK | {"message.timestamp.type": "CreateTime"},
        ),
        TopicSpec(
            rekey_from,
            "request logs that are not keyed by account, for `stillwatch rekey`; kept for a week, "
            "longer than it may be down. " + _BROKERS_TIME,
            _WEEK | {"message.timestamp.type": "LogAppendTime"},
        ),
    )


def _outputs() -> tuple[TopicSpec, ...]:
    return (
        TopicSpec(
            "stillwatch.verdicts",
            "the verdict in force for each key, for ever: readers build their table from the "
            "start, so it is compacted within a day of a change; a tombstone lifts a verdict and "
            "stays for a day, longer than any reader takes to read the topic",
            {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(_DAY_MS),
                "delete.retention.ms": str(_DAY_MS),
                "min.cleanable.dirty.ratio": "0.1",
                # The newest segment is never compacted: a new one every six hours bounds it.
                "segment.ms": str(_DAY_MS // 4),
                **_ANY_TIME,
            },
        ),
        TopicSpec(
            "stillwatch.alerts",
            "alerts and their updates: a quarter, the time in which a case is closed; the alert "
            "feed's database keeps them longer",
            {"cleanup.policy": "delete", "retention.ms": str(90 * _DAY_MS), **_ANY_TIME},
        ),
        TopicSpec(
            "stillwatch.scores",
            "a score and its features each time an account is scored: a month, enough to fill the "
            "analysts' store again; no personal data is kept for ever",
            {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS), **_ANY_TIME},
        ),
        TopicSpec(
            "stillwatch.sightings",
            "which account showed which link key: two weeks, from which the cohorts role rebuilds "
            "its state; one partition, since a campaign needs all keys of an account",
            {"cleanup.policy": "delete", "retention.ms": str(14 * _DAY_MS), **_ANY_TIME},
            partitions=1,
        ),
        TopicSpec(
            "stillwatch.cohorts",
            "campaigns in force and their members, for ever: compacted as the verdicts are",
            {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(_DAY_MS),
                "delete.retention.ms": str(_DAY_MS),
                "min.cleanable.dirty.ratio": "0.1",
                "segment.ms": str(_DAY_MS // 4),
                **_ANY_TIME,
            },
        ),
        TopicSpec(
            "stillwatch.deadletters",
            "records that could not be read, with up to 64 kB of each, which may hold prompts: a "
            "month to correct the settings and play them again",
            {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS), **_ANY_TIME},
        ),
        TopicSpec(
            "stillwatch.control",
            "what operators and persons switched, in one order, hence one partition; a replay "
            "needs every switch, so nothing is ever dropped",
            {
                "cleanup.policy": "delete",
                "retention.ms": _FOR_EVER,
                "retention.bytes": _FOR_EVER,
                **_ANY_TIME,
            },
            partitions=1,
        ),
    )
