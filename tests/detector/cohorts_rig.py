"""The cohorts role over a small log of sightings, and what is compared afterwards."""

from __future__ import annotations

import threading
import time
from functools import cache

from prometheus_client import CollectorRegistry

from detector.campaign_desk import CampaignDesk
from detector.campaign_run import CampaignRun
from detector.cohort_records import (
    ALERTS,
    COHORTS,
    SIGHTINGS,
    VERDICTS,
    campaign_records,
    sighting_record,
)
from detector.cohorts_role import CohortsRole
from detector.features import schema_hash
from detector.links.book import CohortSettings
from detector.member_settings import MemberSettings
from detector.metrics import CohortsMetrics
from detector.output_records import DEAD_LETTERS
from detector.policy import Policy, default_policy_path, load_policy
from streams.log import Log, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.detector.links.crowds import harvest, in_order, strangers
from tests.detector.worker_rig import read_all, ticking

GROUP = "stillwatch"
OUT = (COHORTS, VERDICTS, ALERTS, DEAD_LETTERS)
AT = TopicPartition(SIGHTINGS, 0)
LIMIT_S = 60.0

Written = dict[str, list[tuple[bytes | None, bytes | None]]]


@cache
def policy() -> Policy:
    """The packaged one."""
    return load_policy(default_policy_path())


@cache
def records() -> tuple[OutputRecord, ...]:
    """Sightings of one campaign and of strangers, with a record that is none after the tenth."""
    made = [sighting_record(seen) for seen in in_order(harvest(60), strangers(300))]
    made.insert(10, OutputRecord(SIGHTINGS, b"k", b"no json", made[0].timestamp_s))
    return tuple(made)


@cache
def wanted() -> Written:
    """What the book and the desk say of the same sightings, by topic, sorted."""
    desk = CampaignDesk(policy(), "cohorts", schema_hash())
    run = CampaignRun(CohortSettings(), desk)
    found = run.add(in_order(harvest(60), strangers(300)))
    out: Written = {topic: [] for topic in OUT}
    for record in campaign_records(found):
        out[record.topic].append((record.key, record.value))
    return {topic: sorted(some, key=repr) for topic, some in out.items()}


def written(log: Log) -> Written:
    """What the topics hold, sorted; of dead letters the key alone."""
    return {
        topic: sorted(
            ((r.key, None if r.tombstone else r.value) for r in read_all(log, topic)), key=repr
        )
        for topic in OUT
    }


def new_log(sent: bool = True) -> MemoryLog:
    """A log that holds the sightings."""
    log = MemoryLog()
    log.create_topic(SIGHTINGS, TopicSettings(partitions=1))
    for topic in OUT:
        log.create_topic(topic, TopicSettings(partitions=3))
    if sent:
        log.producer().send(records())
    return log


def new_role(log: Log, *, size: int = 100, member: str = "c") -> CohortsRole:
    """A process of the role that has joined."""
    settings = MemberSettings(
        group=GROUP, member_id=member, batch_records=size, poll_s=0.0, lag_every_s=0.0, retry_s=0.0
    )
    return CohortsRole(
        log,
        settings,
        CohortSettings(),
        policy(),
        CohortsMetrics(CollectorRegistry()),
        threading.Event(),
        monotonic_s=ticking(),
    )


def drain(role: CohortsRole, up_to: int) -> None:
    """Turns until so much is committed."""
    give_up_s = time.monotonic() + LIMIT_S
    while (role._member.consumer.committed().get(AT) or 0) < up_to:
        role.turn()
        assert time.monotonic() < give_up_s, "not all was committed in time"
