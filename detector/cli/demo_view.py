"""What the demo shows while it plays: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from detector.alerts import Alert
from detector.cli.demo_run import DemoState
from detector.cli.styles import LEVEL_STYLES
from detector.levels import LEVELS, RANK
from streams.envelope import rfc3339

ALERTS_SHOWN, ALERTS_LEFT = 12, 6
"""Lines of alerts while it plays, and above the result at the end."""

TENTHS = 10

Line = tuple[Alert, float]
"""An alert's revision and its event time."""


class DemoView:
    """Hears of each batch and shows it.

    An account has one line: the revision of its alerts that gave it the hardest verdict so far.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._lines: dict[tuple[str, str], Line] = {}
        self._state: DemoState | None = None
        self._started_s = time.perf_counter()
        self._tenth = 0

    @contextmanager
    def show(self) -> Iterator[None]:
        """The frame to play in. On a terminal its end leaves the last alerts there."""
        self._started_s = time.perf_counter()
        if not self._console.is_terminal:
            yield
            return
        # Until the first batch is through, which takes long where numba has to compile.
        waiting = Spinner("dots", "starting: the very first run compiles for some 20 seconds")
        with Live(waiting, console=self._console, refresh_per_second=8) as self._live:
            yield
            if self._state is not None:
                self._live.update(self._frame(self._state, ALERTS_LEFT))

    def told(self, state: DemoState) -> None:
        """Shows the state after a batch."""
        self._state = state
        news = self._harder(state.out.alerts)
        if self._live is not None:
            self._live.update(self._frame(state, ALERTS_SHOWN))
            return
        for alert, at_s in news:
            self._console.print(alert_line(alert, at_s), soft_wrap=True)
        for letter in state.out.dead_letters:
            self._console.print(Text(f"dead letter: {letter.reason}"), soft_wrap=True)
        tenth = TENTHS * state.done // max(state.total, 1)
        if tenth > self._tenth:
            self._tenth = tenth
            line = Text(", ").join([self._progress(state), self._levels(state)])
            self._console.print(line, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """How long it has been playing."""
        return time.perf_counter() - self._started_s

    def _harder(self, alerts: list[Line]) -> list[Line]:
        """Keeps what is harder than its account's line; the new lines by event time."""
        new: dict[tuple[str, str], Line] = {}
        for alert, at_s in alerts:
            key = (alert.tenant, alert.account)
            if key not in self._lines or _weight(alert) > _weight(self._lines[key][0]):
                self._lines[key] = new[key] = (alert, at_s)
        return sorted(new.values(), key=_time)

    def _progress(self, state: DemoState) -> Text:
        rate = state.done / max(self.seconds, 1e-9)
        return Text(
            f"{rfc3339(state.clock_s)[:16]}Z  {state.done:,} of {state.total:,} requests, "
            f"{rate:,.0f}/s, {len(state.accounts):,} accounts"
        )

    def _levels(self, state: DemoState) -> Text:
        counts = state.ledger.levels()
        parts = [Text(f"{counts.get(lv, 0)} {lv}", LEVEL_STYLES[lv]) for lv in LEVELS[1:]]
        if state.counts["dead_letters"]:
            parts.append(Text(f"{state.counts['dead_letters']:,} dead letters", "red"))
        return Text(", ").join(parts)

    def _frame(self, state: DemoState, most: int) -> RenderableType:
        alerts = Table(box=None, padding=(0, 1), show_header=False, expand=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True)
        alerts.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for alert, at_s in sorted(self._lines.values(), key=_time, reverse=True)[:most]:
            alerts.add_row(
                rfc3339(at_s)[11:16],
                Text(alert.verdict, LEVEL_STYLES[alert.verdict]),
                Text(alert.account + _part(alert)),
                Text(alert.main_reason, "dim"),
            )
        bar = ProgressBar(total=state.total, completed=state.done)
        title = Text(f"{len(self._lines)} accounts with alerts, the newest first", "bold")
        return Group(self._progress(state), self._levels(state), bar, title, alerts)


def alert_line(alert: Alert, at_s: float) -> Text:
    """An alert in one line."""
    return Text.assemble(
        f"{rfc3339(at_s)[:16]}Z  ",
        (f"{alert.verdict:8}", LEVEL_STYLES[alert.verdict]),
        f" {alert.account}{_part(alert)} after {alert.requests} requests: {alert.main_reason}",
    )


def _weight(alert: Alert) -> tuple[int, bool]:
    """Order of an account's alerts: by verdict, then the whole account before a part of it."""
    return RANK[alert.verdict], alert.scope == "account"


def _time(line: Line) -> tuple[float, str]:
    return line[1], line[0].account


def _part(alert: Alert) -> str:
    """The part of the account that an alert is about, in brackets; "" for the whole."""
    if alert.scope == "account":
        return ""
    part = alert.scope_id.removeprefix(f"{alert.account}/")[:12]
    named = part if part.startswith(alert.scope) else f"{alert.scope.replace('_', ' ')} {part}"
    return f" ({named})"
