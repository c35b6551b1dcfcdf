"""A composed day from end to end: every planted campaign is found, no benign account throttled."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from streams.partitioner import partition_for
from streams.traffic.day import compose_day
from tests.detector.runs import THROTTLE, log_record, run_records

BENIGN = 300
PARTITIONS = 4


@pytest.mark.parametrize("seed", [1, 2])
def test_campaigns_found_and_nobody_else_throttled(seed: int) -> None:
    """Of each of the three campaigns at least half of the accounts reach throttle; of 300 benign
    accounts none does."""
    day = compose_day(seed, benign_accounts=BENIGN)
    counts: Counter[int] = Counter()
    records = []
    for request in day.requests:
        part = partition_for((request.account or "").encode(), PARTITIONS)
        records.append(
            log_record(msgspec.json.encode(request), counts[part], request.event_time_s, part)
        )
        counts[part] += 1
    got = run_records(records)
    worst = got.worst()
    assert len(day.campaigns) == 3
    for campaign in day.campaigns:
        found = [a for a in campaign.accounts if worst.get(a, 0) >= THROTTLE]
        assert 2 * len(found) >= len(campaign.accounts), (campaign.name, campaign.program)
    planted = {a for campaign in day.campaigns for a in campaign.accounts}
    benign = set(day.truth) - planted
    assert len(benign) == BENIGN
    assert {a: day.truth[a] for a in benign if worst.get(a, 0) >= THROTTLE} == {}
    assert not got.outputs.dead_letters
    assert got.outputs.counts["requests"] + got.outputs.counts["duplicates"] == len(day.requests)
