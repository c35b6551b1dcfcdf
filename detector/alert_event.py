"""An alert as it stands on the alerts topic: in its CloudEvents envelope."""

from __future__ import annotations

from typing import Final

from detector.alerts import Alert
from streams.envelope import Envelope, derived_id, wrap

SCHEMA_VERSION: Final = 1
"""Version of the alert's schema. It rises only if a field's meaning has to change."""


def alert_event(alert: Alert, at_s: float, source: str = "/stillwatch/worker") -> Envelope:
    """Wrap one revision of an alert; its id is derived from alert id and revision.

    Args:
        at_s: event time of the revision (`VerdictChange.at_s`), UTC epoch seconds.
        source: who speaks, a URI reference.
    """
    return wrap(
        "alert",
        alert,
        event_id=derived_id("alert", alert.alert_id, alert.revision),
        source=source,
        subject=alert.account,
        time_s=at_s,
        version=SCHEMA_VERSION,
        partition_key=alert.account,
    )
