"""What each role may do in Kafka: the one table of grants.

Each role gets a principal of its own and no more than this; `stillwatch topics acls` prints it. In
Kafka Read and Write on a topic include Describe, and Write on any topic lets a producer be
idempotent (KIP-679).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Literal

from detector.cohort_records import COHORTS, SIGHTINGS
from detector.control import CONTROL
from detector.group_names import (
    cohorts_group,
    cohorts_transactions,
    lake_group,
    rekey_group,
    rekey_transactions,
    worker_transactions,
)
from detector.output_records import ALERTS, DEAD_LETTERS, SCORES, VERDICTS
from streams.topics import topic_specs

Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]


@dataclass(frozen=True, slots=True)
class Grant:
    """An ACL for one principal.

    Attributes:
        name: of the resource; with `prefixed` the beginning of many names.
        why: what it is needed for, in a few words.
    """

    role: str
    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    why: str
    prefixed: bool = False


def grants(input_topic: str, group: str, rekey_from: str | None = None) -> tuple[Grant, ...]:
    """Every grant of a deployment, role by role."""
    made = [
        Grant("worker", "topic", input_topic, ("Read",), "requests, and replay"),
        Grant("worker", "topic", CONTROL, ("Read", "Write"), "switches and their marks"),
        *(Grant("worker", "topic", topic, ("Write",), "what it finds") for topic in
          (VERDICTS, ALERTS, SCORES, SIGHTINGS, DEAD_LETTERS)),
        Grant("worker", "group", group, ("Read",), "shares of the input, and its offsets"),
        Grant("worker", "transactional-id", worker_transactions(group), ("Write",),
              "one transaction a batch", prefixed=True),
        Grant("cohorts", "topic", SIGHTINGS, ("Read",), "link keys, and replay"),
        *(Grant("cohorts", "topic", topic, ("Write",), "what it finds") for topic in
          (COHORTS, VERDICTS, ALERTS, DEAD_LETTERS)),
        Grant("cohorts", "group", cohorts_group(group), ("Read",), "its offset"),
        Grant("cohorts", "transactional-id", cohorts_transactions(group), ("Write",),
              "one transaction a batch", prefixed=True),
        Grant("api", "topic", VERDICTS, ("Read",), "the gateway hook"),
        Grant("api", "topic", ALERTS, ("Read",), "the alert feed"),
        *(Grant("lake", "topic", topic, ("Read",), "the analysts' tables") for topic in
          (input_topic, SCORES, ALERTS)),
        Grant("lake", "group", lake_group(group), ("Read",), "its offsets"),
        Grant("gateway", "topic", input_topic, ("Write",), "producers of request logs"),
    ]  # fmt: skip
    if rekey_from is not None:
        made += [
            Grant("rekey", "topic", rekey_from, ("Read",), "records without keys"),
            Grant("rekey", "topic", input_topic, ("Write",), "the same, keyed"),
            Grant("rekey", "topic", DEAD_LETTERS, ("Write",), "records without an account"),
            Grant("rekey", "group", rekey_group(group), ("Read",), "its offsets"),
            Grant("rekey", "transactional-id", rekey_transactions(group), ("Write",),
                  "one transaction a batch", prefixed=True),
            Grant("collector", "topic", rekey_from, ("Write",), "producers that cannot key"),
        ]  # fmt: skip
    made.append(
        Grant("operator", "topic", CONTROL, ("Write",), "policy, model, allow, undo, confirm")
    )
    made += [
        Grant("setup", "topic", spec.name, ("Create", "Describe", "DescribeConfigs"),
              "topics create")
        for spec in topic_specs(input_topic, rekey_from)
    ]  # fmt: skip
    return tuple(made)


def acl_commands(table: Sequence[Grant], principal_prefix: str, bootstrap: str) -> list[str]:
    """A `kafka-acls.sh` command for each grant; a role's principal is the prefix and its name."""
    return [
        " ".join(
            [
                f"kafka-acls.sh --bootstrap-server {bootstrap} --add",
                f"--allow-principal {quote(f'User:{principal_prefix}{grant.role}')}",
                *(f"--operation {operation}" for operation in grant.operations),
                f"--{grant.resource} {quote(grant.name)}",
                *(["--resource-pattern-type prefixed"] if grant.prefixed else []),
            ]
        )
        for grant in table
    ]
