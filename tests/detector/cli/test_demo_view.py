"""The demo's alerts: one line an account, by event time, the hardest verdict."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from detector.alerts import Alert
from detector.cli.demo_run import DemoState
from detector.cli.demo_view import DemoView
from detector.outputs import Outputs

GOLDEN = Path(__file__).parents[2] / "golden" / "alert.json"
T0_S = 1_760_000_000.0


def batch(*alerts: tuple[str, str, str, float]) -> DemoState:
    """The state after a batch of alerts: account, part ("" for the whole), verdict, minutes."""
    like = msgspec.convert(msgspec.json.decode(GOLDEN.read_bytes()), Alert)
    made = [
        (
            msgspec.structs.replace(
                like,
                account=account,
                scope="key" if part else "account",
                scope_id=f"{account}/{part}" if part else account,
                verdict=verdict,
            ),
            T0_S + 60.0 * minutes,
        )
        for account, part, verdict, minutes in alerts
    ]
    return DemoState(total=100, done=1, clock_s=T0_S, out=Outputs(alerts=made))


BATCHES = (
    (("late", "", "throttle", 9), ("early", "key_0c12ab", "throttle", 1)),
    (("early", "", "restrict", 5), ("late", "k1", "throttle", 10), ("late", "", "allow", 11)),
    (("third", "key_0c12ab", "watch", 3), ("third", "k1", "watch", 4)),
)


def shown(width: int, terminal: bool) -> list[str]:
    """The lines left after the batches."""
    out = io.StringIO()
    # "dumb" takes no cursor movement: the live view prints its last frame only.
    console = Console(
        file=out, width=width, force_terminal=terminal, no_color=True, _environ={"TERM": "dumb"}
    )
    view = DemoView(console)
    with view.show():
        for alerts in BATCHES:
            view.told(batch(*alerts))
    return out.getvalue().splitlines()


def test_plain_lines_tell_each_rise_once() -> None:
    """Sorted by event time in a batch; a rise is told; a fall or a second key is not."""
    lines = [line.partition("Z  ")[2].partition(" after")[0].split() for line in shown(200, False)]
    assert lines == [
        ["throttle", "early", "(key_0c12ab)"],
        ["throttle", "late"],
        ["restrict", "early"],
        ["watch", "third", "(key_0c12ab)"],
    ]


@pytest.mark.parametrize("width", [80, 100])
def test_the_frame_left_has_one_line_an_account_newest_first(width: int) -> None:
    """The hardest verdict stands; every line fits the terminal and starts its reason."""
    lines = shown(width, True)
    at = next(i for i, line in enumerate(lines) if "3 accounts with alerts" in line)
    rows = [line.split()[1:3] for line in lines[at + 1 :] if line.strip()]
    assert rows == [["throttle", "late"], ["restrict", "early"], ["watch", "third"]]
    assert all(len(line) <= width for line in lines)
    assert all("new items put" in line for line in lines[at + 1 :] if line.strip())
