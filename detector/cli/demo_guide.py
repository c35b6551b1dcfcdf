"""What to ask the demo's API, as commands that a newcomer can copy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from detector.cli.demo_serving import DemoApi
from detector.cli.program import program
from detector.ledger import Ledger
from detector.levels import RANK, Level
from streams.envelope import rfc3339

JSON: Final = " | python3 -m json.tool"
SQL: Final = (
    "SELECT account, verdict, requests, harvest_output_tokens FROM latest_alerts "
    "ORDER BY harvest_output_tokens DESC LIMIT 10"
)
_PREFERRED: Final[dict[Level, int]] = {"throttle": 0, "restrict": 1, "block": 2, "watch": 3}


def example_account(ledger: Ledger, api: DemoApi) -> tuple[str, Level]:
    """An account whose verdict shows most, a throttled one first, and what a gateway is told.

    Without any verdict on a whole account it is the one of the highest score, and `allow`.
    """
    service = api.service
    summaries = ledger.summaries()
    found: list[tuple[int, str, Level]] = []
    for one in summaries:
        row = service.verdicts.enforced(one.tenant, service.now_s(), account=one.account)
        if row is not None and one.tenant == service.settings.tenant and RANK[row.level] > 0:
            found.append((_PREFERRED[row.level], one.account, row.level))
    if found:
        _, account, level = min(found)
        return account, level
    return summaries[0].account, "allow"


def query_line(lake: Path) -> str:
    """The command that asks the demo's lake."""
    return f'{program()} query "{SQL}" --lake {shlex.quote(str(lake))}'


def render_guide(api: DemoApi, account: str, level: Level, console: Console) -> None:
    """Prints where the API is, its keys and a command for each reader."""
    bearer = 'curl -s -H "Authorization: Bearer $KEY"'
    named = shlex.quote(f"X-Stillwatch-Account: {account}")
    page = f'"$URL/v1/accounts/{quote(account, safe="")}"'
    gateway = f'curl -si -H "X-Stillwatch-Key: $GATEWAY" -H {named} "$URL/v1/decision"'
    lines = [
        ("the alert revised last", f'{bearer} "$URL/v1/alerts?limit=1"{JSON}'),
        (
            "all alerts, then those to come; Ctrl-C ends it",
            'curl -sN -H "Authorization: Bearer $KEY" "$URL/v1/alerts/stream?last_event_id=start"',
        ),
        (f"what is known of {account}", f"{bearer} {page}{JSON}"),
        (f"what a gateway asks before each request; the answer is {level}", gateway),
    ]
    console.print()
    _plain(console, f"The API answers at {api.url}, its calls at {api.url}/docs.", "bold")
    _plain(console, "Keys of this run, shown once; copy them into another terminal, then any line:")
    console.print()
    _plain(console, f"  URL={api.url}")
    _plain(console, f"  KEY={api.admin_key}")
    _plain(console, f"  GATEWAY={api.gateway_key}")
    for words, line in lines:
        console.print()
        _plain(console, f"  {words}:", "dim")
        _plain(console, f"  {line}")


def render_wait(api: DemoApi, console: Console) -> None:
    """Says that the demo waits, and for what."""
    stands = rfc3339(api.service.now_s())[:16]
    console.print()
    console.print(
        f"Serving until Ctrl-C. The clock stands at {stands}Z, where the day ended: no verdict "
        "runs out meanwhile.",
        soft_wrap=True,
        highlight=False,
    )


def _plain(console: Console, line: str, style: str = "") -> None:
    """A line as it is, never broken: it may be copied."""
    console.print(Text(line, style), soft_wrap=True)
