"""One real job over five keys, among all that was recorded, comes out as one campaign."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import msgspec
import pytest

from detector.cli.file_run import run_files
from detector.pipeline import load_models
from detector.policy import default_policy_path, load_policy
from detector.settings import load_settings
from streams.traffic.day import compose_day

CAPTURES = Path(os.environ.get("STILLWATCH_DATA", "../shared")) / "captures"
SHARDS = tuple(f"A_dataformer_shard{n}" for n in range(5))
COMPOSED = 500

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(not CAPTURES.is_dir(), reason="the data folder has no captures"),
]


def first_of(path: Path) -> dict[str, object]:
    """The first record of a capture."""
    with gzip.open(path) as file:
        found: dict[str, object] = json.loads(file.readline())
        return found


def test_the_shards_are_one_campaign_without_benign_accounts(tmp_path: Path) -> None:
    """Among all other captures and 500 composed accounts: all five shards in one campaign, and in
    it no `B_` program and no composed account."""
    captures = sorted(CAPTURES.glob("*.jsonl.gz"))
    heads = {path.name.removesuffix(".jsonl.gz"): first_of(path) for path in captures}
    names = {str(head["account"]): name for name, head in heads.items()}
    starts = [float(str(head["ts"])) for head in heads.values()]
    day = compose_day(3, benign_accounts=COMPOSED, day_start_s=min(starts) - 43_200.0)
    planted = {account for campaign in day.campaigns for account in campaign.accounts}
    composed = [r for r in day.requests if r.account not in planted]
    assert len({request.account for request in composed}) == COMPOSED
    file = tmp_path / "composed.jsonl"
    encode = msgspec.json.Encoder().encode
    file.write_bytes(b"".join(encode(request) + b"\n" for request in composed))
    settings = load_settings()
    result = run_files(
        [*captures, file],
        settings,
        load_models(settings.model_dir),
        load_policy(default_policy_path()),
    )
    found = [
        campaign
        for campaign in result.campaigns.summaries()
        if any(names.get(account) in SHARDS for account in campaign.members)
    ]
    assert len(found) == 1
    members = {names.get(account, "composed") for account in found[0].members}
    assert set(SHARDS) <= members
    assert all(name.startswith("A_") for name in members)
    assert {"pacing", "shard"} <= set(found[0].links)
