"""What the demo shows while it plays: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from detector.alerts import Alert
from detector.cli.demo_run import DemoState
from detector.cli.styles import LEVEL_STYLES
from detector.levels import LEVELS
from streams.envelope import rfc3339

ALERTS_SHOWN = 12
TENTHS = 10


class DemoView:
    """Hears of each batch and shows it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._alerts: deque[tuple[Alert, float]] = deque(maxlen=ALERTS_SHOWN)
        self._started_s = time.perf_counter()
        self._tenth = 0

    def show(self) -> AbstractContextManager[Any]:
        """The frame to play in."""
        self._started_s = time.perf_counter()
        if not self._console.is_terminal:
            return nullcontext()
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        return self._live

    def told(self, state: DemoState) -> None:
        """Shows the state after a batch."""
        opened = [(alert, at_s) for alert, at_s in state.out.alerts if alert.state == "open"]
        self._alerts.extend(opened)
        if self._live is not None:
            self._live.update(self._frame(state))
            return
        for alert, at_s in opened:
            self._console.print(alert_line(alert, at_s), soft_wrap=True)
        for letter in state.out.dead_letters:
            self._console.print(Text(f"dead letter: {letter.reason}"), soft_wrap=True)
        tenth = TENTHS * state.done // max(state.total, 1)
        if tenth > self._tenth:
            self._tenth = tenth
            self._console.print(self._status(state), soft_wrap=True)

    @property
    def seconds(self) -> float:
        """How long it has been playing."""
        return time.perf_counter() - self._started_s

    def _status(self, state: DemoState) -> Text:
        rate = state.done / max(self.seconds, 1e-9)
        counts = state.ledger.levels()
        text = Text(
            f"{rfc3339(state.clock_s)[:16]}Z  {state.done:,} of {state.total:,} requests, "
            f"{rate:,.0f}/s, {len(state.accounts):,} accounts"
        )
        for level in LEVELS[1:]:
            text.append(f", {counts.get(level, 0)} {level}", LEVEL_STYLES[level])
        if state.counts["dead_letters"]:
            text.append(f", {state.counts['dead_letters']:,} dead letters", "red")
        return text

    def _frame(self, state: DemoState) -> RenderableType:
        alerts = Table(box=None, padding=(0, 1), show_header=False, expand=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for alert, at_s in reversed(self._alerts):
            alerts.add_row(
                rfc3339(at_s)[11:16],
                Text(alert.verdict, LEVEL_STYLES[alert.verdict]),
                Text(alert.account + _part(alert)),
                Text(alert.main_reason, "dim"),
            )
        bar = ProgressBar(total=state.total, completed=state.done)
        title = Text(f"{state.counts['alerts']} alerts, the newest first", "bold")
        return Group(self._status(state), bar, title, alerts)


def alert_line(alert: Alert, at_s: float) -> Text:
    """An alert in one line."""
    return Text.assemble(
        f"{rfc3339(at_s)[:16]}Z  ",
        (f"{alert.verdict:8}", LEVEL_STYLES[alert.verdict]),
        f" {alert.account}{_part(alert)} after {alert.requests} requests: {alert.main_reason}",
    )


def _part(alert: Alert) -> str:
    """The part of the account that an alert is about, in brackets; "" for the whole."""
    if alert.scope == "account":
        return ""
    part = alert.scope_id.removeprefix(f"{alert.account}/")
    return f" ({alert.scope.replace('_', ' ')} {part[:12]})"
