"""Records of campaigns: sightings as workers write them and the cohort role reads them, and what
that role puts out.

`stillwatch.cohorts` (compacted) holds a campaign under `tenant/campaign`, without its members, and
each member under `tenant/campaign/account`; the end of a campaign is a tombstone for each. The
verdict that a campaign gives a member lies beside the account's own, under
`tenant/account/ACCOUNT/campaign/CAMPAIGN`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from detector.alert_event import alert_event
from detector.campaign_desk import CampaignOutputs
from detector.links.campaign import CampaignChange, Member
from detector.links.sighting import Sighting
from detector.verdict_change import VerdictChange
from streams.envelope import HEADERS, decode, derived_id, encode, read_data, written
from streams.log import OutputRecord

SIGHTINGS: Final = "stillwatch.sightings"
COHORTS: Final = "stillwatch.cohorts"
VERDICTS: Final = "stillwatch.verdicts"
ALERTS: Final = "stillwatch.alerts"
WORKER: Final = "/stillwatch/worker"
SOURCE: Final = "/stillwatch/cohorts"
SCHEMA_VERSION: Final = 1


def sighting_record(seen: Sighting) -> OutputRecord:
    """A sighting as a worker writes it, keyed by its link key."""
    event = written(
        "sighting",
        seen,
        event_id=derived_id(
            "sighting", seen.tenant, seen.account, seen.kind, seen.key, seen.requests, seen.under,
            seen.failed, repr(seen.at_s),
        ),
        source=WORKER,
        subject=seen.account or seen.key,
        time_s=seen.at_s,
        version=SCHEMA_VERSION,
        partition_key=seen.key,
    )  # fmt: skip
    key = f"{seen.tenant}/{seen.kind}/{seen.key}".encode("utf-8", "replace")
    return OutputRecord(SIGHTINGS, key, event, seen.at_s, HEADERS)


def read_sighting(value: bytes) -> Sighting:
    """The sighting in a record. Raises MalformedRecord naming the field."""
    return read_data(decode(value), Sighting)


def campaign_records(out: CampaignOutputs) -> list[OutputRecord]:
    """Everything that changes of campaigns put out: their state, verdicts, alerts."""
    records: list[OutputRecord] = []
    for change in out.changes:
        records += _state(change)
    records += [_verdict(campaign, change) for campaign, change in out.verdicts]
    for alert, at_s in out.alerts:
        event = encode(alert_event(alert, at_s, SOURCE))
        records.append(OutputRecord(ALERTS, alert.account.encode(), event, at_s, HEADERS))
    return records


def _state(change: CampaignChange) -> list[OutputRecord]:
    head = f"{change.tenant}/{change.campaign}"
    members = [_member(change, member) for member in change.members]
    if change.change == "closed":
        return [*members, OutputRecord(COHORTS, _key(head), None, change.at_s, HEADERS)]
    event = written(
        "campaign",
        msgspec.structs.replace(
            change,
            members=(),
            links=tuple(msgspec.structs.replace(link, shown_by=()) for link in change.links),
        ),
        event_id=derived_id("campaign", change.campaign, change.revision),
        source=SOURCE,
        subject=change.campaign,
        time_s=change.at_s,
        version=SCHEMA_VERSION,
        partition_key=change.campaign,
    )
    return [OutputRecord(COHORTS, _key(head), event, change.at_s, HEADERS), *members]


def _member(change: CampaignChange, member: Member) -> OutputRecord:
    key = _key(f"{change.tenant}/{change.campaign}/{member.account}")
    partition_key = _key(f"{change.tenant}/{change.campaign}")
    if change.change == "closed":
        return OutputRecord(COHORTS, key, None, change.at_s, HEADERS, partition_key=partition_key)
    event = written(
        "campaign-member",
        member,
        event_id=derived_id("member", change.campaign, member.account, change.revision),
        source=SOURCE,
        subject=member.account,
        time_s=change.at_s,
        version=SCHEMA_VERSION,
        partition_key=change.campaign,
    )
    return OutputRecord(COHORTS, key, event, change.at_s, HEADERS, partition_key=partition_key)


def _verdict(campaign: str, change: VerdictChange) -> OutputRecord:
    key = _key(f"{change.tenant}/{change.scope}/{change.scope_id}/campaign/{campaign}")
    account = _key(change.account)
    if change.to_level == "allow":
        return OutputRecord(VERDICTS, key, None, change.at_s, HEADERS, partition_key=account)
    event = written(
        "verdict",
        change,
        event_id=derived_id(
            "verdict", campaign, change.tenant, change.scope_id, change.kind, repr(change.at_s)
        ),
        source=SOURCE,
        subject=change.account,
        time_s=change.at_s,
        version=SCHEMA_VERSION,
        partition_key=change.account,
    )
    return OutputRecord(VERDICTS, key, event, change.at_s, HEADERS, partition_key=account)


def _key(text: str) -> bytes:
    return text.encode("utf-8", "replace")
