"""What `GET /v1/alerts` may be asked for."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from detector.api.alert_models import Severity, State
from detector.assessment import Scope
from detector.levels import Level
from detector.store.alert_query import AlertFilter

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Name = Annotated[str, Field(min_length=1, max_length=512)]


class AlertParameters(BaseModel):
    """Filters all hold at once; of one that is given several times, any of its values."""

    # A mistyped filter must not list everything.
    model_config = ConfigDict(extra="forbid")

    state: list[State | Literal["active"]] = Field(
        default=[], description="`active` is open or updated: not closed yet."
    )
    severity: list[Severity] = []
    kind: list[Annotated[str, Field(max_length=64)]] = Field(default=[], examples=[["account"]])
    min_verdict: Level | None = Field(
        default=None,
        description="The verdict in force, or the one proposed, is this or harder. A closed "
        "alert's verdict is `allow`.",
    )
    tenant: _Name | None = Field(default=None, description="For keys that see every tenant.")
    account: _Name | None = None
    scope: Scope | None = None
    scope_id: _Name | None = None
    reason_code: _Name | None = None
    main_group: _Name | None = Field(default=None, examples=["diversity"])
    since: AwareDatetime | None = Field(
        default=None, description="Revised then or later.", examples=["2026-11-25T00:00:00Z"]
    )
    until: AwareDatetime | None = Field(default=None, description="Revised before.")
    revisions: Literal["latest", "all"] = "latest"
    limit: int = Field(default=50, ge=1, le=500)
    cursor: Annotated[str, Field(max_length=100_000)] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )

    def filter(self, tenant: str | None) -> AlertFilter:
        """As the store takes it; `tenant` is the one that the key may see."""
        states = {s for state in self.state for s in _STATES.get(state, (state,))}
        return AlertFilter(
            tenant=tenant,
            states=tuple(sorted(states)),
            severities=tuple(sorted(set(self.severity))),
            kinds=tuple(sorted(set(self.kind))),
            min_verdict=self.min_verdict,
            account=self.account,
            scope=self.scope,
            scope_id=self.scope_id,
            reason_code=self.reason_code,
            main_group=self.main_group,
            since_ms=_milliseconds(self.since),
            until_ms=_milliseconds(self.until),
            every_revision=self.revisions == "all",
        )


_STATES: dict[str, tuple[str, ...]] = {"active": ("open", "updated")}


def _milliseconds(moment: dt.datetime | None) -> int | None:
    """Rounded up: nothing is revised between two milliseconds."""
    return None if moment is None else -((_EPOCH - moment) // dt.timedelta(milliseconds=1))
