"""When a worker that lost its log tries again, and when it gives up."""

from __future__ import annotations

from streams.log import Evicted, Fenced, GroupMoved, LogError, RecordRefused, Unreachable

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0


class Retries:
    """A streak of failures without a commit in between.

    A log that does not answer, and a group that threw us out, are waited for without end: nothing
    is lost meanwhile, and nothing is gained by stopping. What another worker of our name has taken,
    and what can never be written, ends the worker at once. Anything else, as a topic that is
    missing, may be a broker that has just started: it gets `give_up_s`, from the first such error
    after the log last did not answer.
    """

    def __init__(self, give_up_s: float) -> None:
        self._give_up_s = give_up_s
        self._odd_since_s: float | None = None
        self._wait_s = FIRST_WAIT_S
        self._quiet_since_s: float | None = None

    def failed(self, error: LogError, monotonic_s: float) -> float:
        """Seconds to wait before the next try. Raises `error` when there is to be none."""
        if isinstance(error, RecordRefused) or is_fence(error):
            raise error
        self._quiet_since_s = None
        if isinstance(error, Unreachable | Evicted):
            # What a broker says that has just come back gets its time, however long it was away.
            self._odd_since_s = None
        elif self._odd_since_s is None:
            self._odd_since_s = monotonic_s
        elif monotonic_s - self._odd_since_s >= self._give_up_s:
            raise error
        wait_s, self._wait_s = self._wait_s, min(2.0 * self._wait_s, LONGEST_WAIT_S)
        return wait_s

    def went_well(self) -> None:
        """Something was committed: ends the streak."""
        self._odd_since_s, self._wait_s = None, FIRST_WAIT_S

    def quiet(self, monotonic_s: float) -> None:
        """There was nothing to commit: ends the streak once that is so for `give_up_s`.

        Not at once: to join, to rebuild and to poll nothing yet works as well where every commit
        will fail again.
        """
        if self._quiet_since_s is None:
            self._quiet_since_s = monotonic_s
        elif monotonic_s - self._quiet_since_s >= self._give_up_s:
            self.went_well()


def is_fence(error: LogError) -> bool:
    """Whether another worker has our name for good."""
    return isinstance(error, Fenced) and not isinstance(error, Evicted | GroupMoved)
