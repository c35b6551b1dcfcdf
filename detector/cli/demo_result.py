"""What the demo found of what was planted: the table at the end and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.ledger import AccountSummary, Ledger
from streams.traffic.day import Day


class CampaignResult(msgspec.Struct, frozen=True):
    """One planted campaign.

    Attributes:
        caught: its accounts that reached `throttle` or above in any scope under them.
        found: whether these are at least half of its accounts.
        median_requests: of the accounts caught, requests until the first such verdict.
    """

    name: str
    family: str
    share: float
    accounts: int
    requests: int
    caught: int
    found: bool
    median_requests: float | None


class FalseAlarm(msgspec.Struct, frozen=True):
    """A benign account at `throttle` or above."""

    account: str
    kind: str
    first_throttle_at: int | None
    worst_verdict: str
    reason: str


class DemoResult(msgspec.Struct, frozen=True):
    """The whole outcome; `--summary` writes it."""

    seed: int
    requests: int
    campaigns_planted: int
    campaigns_found: int
    campaigns: tuple[CampaignResult, ...]
    benign_accounts: int
    benign_watched: int
    benign_throttled: int
    false_alarms: tuple[FalseAlarm, ...]
    alerts: int
    dead_letters: int
    seconds: float
    events_per_s: float
    versions: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Writes the outcome as JSON. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def result_of(
    day: Day,
    ledger: Ledger,
    *,
    seed: int,
    counts: Mapping[str, int],
    seconds: float,
    versions: Mapping[str, str],
) -> DemoResult:
    """Compares a played day with its ground truth."""
    seen = {summary.account: summary for summary in ledger.summaries()}
    planted = {account for campaign in day.campaigns for account in campaign.accounts}
    benign = {name: seen[name] for name in day.truth if name not in planted and name in seen}
    throttled = {n: s for n, s in benign.items() if s.first_throttle_at is not None}
    watched = [s for n, s in benign.items() if s.first_watch_at is not None and n not in throttled]
    campaigns = tuple(
        _campaign(
            campaign.name, campaign.family, campaign.share, [seen.get(a) for a in campaign.accounts]
        )
        for campaign in day.campaigns
    )
    return DemoResult(
        seed=seed,
        requests=len(day.requests),
        campaigns_planted=len(campaigns),
        campaigns_found=sum(campaign.found for campaign in campaigns),
        campaigns=campaigns,
        benign_accounts=len(day.truth) - len(planted),
        benign_watched=len(watched),
        benign_throttled=len(throttled),
        false_alarms=tuple(
            FalseAlarm(n, day.truth[n], s.first_throttle_at, s.worst_verdict, s.reason)
            for n, s in sorted(throttled.items())
        ),
        alerts=counts["alerts"],
        dead_letters=counts["dead_letters"],
        seconds=round(seconds, 3),
        events_per_s=round(len(day.requests) / seconds, 1) if seconds > 0 else 0.0,
        versions=versions,
    )


def _campaign(
    name: str, family: str, share: float, accounts: list[AccountSummary | None]
) -> CampaignResult:
    needed = [
        account.first_throttle_at
        for account in accounts
        if account is not None and account.first_throttle_at is not None
    ]
    return CampaignResult(
        name=name,
        family=family,
        share=share,
        accounts=len(accounts),
        requests=sum(account.requests for account in accounts if account is not None),
        caught=len(needed),
        found=bool(accounts) and 2 * len(needed) >= len(accounts),
        median_requests=float(median(needed)) if needed else None,
    )


def render(result: DemoResult, console: Console) -> None:
    """Prints the outcome for people."""
    table = Table(title="planted campaigns and what was found", title_justify="left", box=SIMPLE)
    table.add_column("campaign", no_wrap=True)
    table.add_column("family")
    for name in ("harvest share", "accounts", "throttled", "requests to throttle (median)"):
        # Narrow terminals break headers between words only.
        longest_word = max(map(len, name.split()))
        table.add_column(name, justify="right", min_width=longest_word)
    table.add_column("found")
    for campaign in result.campaigns:
        row: list[Any] = [
            campaign.name,
            campaign.family,
            f"{campaign.share:.0%}",
            f"{campaign.accounts}",
            f"{campaign.caught}",
            "" if campaign.median_requests is None else f"{campaign.median_requests:g}",
            Text("yes", "bold green") if campaign.found else Text("no", "bold red"),
        ]
        table.add_row(*row)
    console.print()
    console.print(table)
    console.print(
        f"{result.campaigns_found} of {result.campaigns_planted} campaigns found\n"
        f"false alarms: {result.benign_throttled} of {result.benign_accounts} benign accounts at "
        f"throttle or above\n"
        f"at watch: {result.benign_watched} of {result.benign_accounts} benign accounts "
        "(nothing changes for them)",
        highlight=False,
    )
    for alarm in result.false_alarms:
        console.print(
            Text(f"  {alarm.account} ({alarm.kind}) at {alarm.worst_verdict}: {alarm.reason}")
        )
    console.print(
        f"{result.requests:,} requests in {result.seconds:.1f} s, "
        f"{result.events_per_s:,.0f} events/s, {result.alerts:,} alerts, "
        f"{result.dead_letters:,} dead letters",
        style="dim",
        highlight=False,
    )
