"""The demo's API: served over the embedded log while the day is played and after it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from detector.api.health import missing_of
from detector.api.service import Service
from detector.api.serving import CannotListen, Serving, listen, serve_in_thread
from detector.api.wiring import build_service
from detector.benign_range import load_benign_range
from detector.errors import DetectorError
from detector.key_ring import EVERY_TENANT, ApiKey, KeyRing, Role, new_key
from detector.settings import Settings
from detector.store.alert_store import AlertStore
from streams.log import Log

CATCH_UP_S: Final = 60.0
"""How long the API may take to read what the day left in the log."""
LOOK_S: Final = 0.02


class NotCaughtUp(DetectorError):
    """The API did not reach the end of the day. Attribute `missing`: what it waited for."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"the API did not reach the end of the day: {'; '.join(missing)}")


@dataclass(slots=True)
class DemoClock:
    """The log's clock: the event time reached, UTC epoch seconds."""

    now_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DemoApi:
    """The running API and the keys made for it, in clear: they end with it."""

    service: Service
    serving: Serving
    admin_key: str
    gateway_key: str

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return self.serving.url

    def catch_up(self) -> None:
        """Waits until verdicts and alerts hold all that the log held when this was called.

        Raises NotCaughtUp.
        """
        service = self.service
        followers = (service.verdict_follower, service.alert_follower)
        asked_s = service.monotonic_s()
        while True:
            age_s = service.monotonic_s() - asked_s
            if all(one.caught_up and one.staleness_s() <= age_s for one in followers):
                return
            if age_s > CATCH_UP_S:
                raise NotCaughtUp([line for one in followers for line in missing_of(one, 0.0)])
            time.sleep(LOOK_S)


@contextlib.contextmanager
def demo_api(settings: Settings, log: Log, clock: DemoClock) -> Iterator[DemoApi]:
    """Serves a log at `host` and `port` of the settings while the block runs.

    Alerts are kept in memory, and `lake` of the settings is the analysts' store. Raises
    CannotListen, ModelError, StoreError.
    """
    admin_key, admin = _key("admin", EVERY_TENANT)
    gateway_key, gateway = _key("gateway", settings.tenant)
    with contextlib.closing(AlertStore("sqlite://")) as alerts:
        service = build_service(
            settings,
            log,
            KeyRing((admin, gateway)),
            now_s=lambda: clock.now_s,
            monotonic_s=time.monotonic,
            alerts=alerts,
            benign=load_benign_range(settings.model_dir / "account.json"),
        )
        with serve_in_thread(service, settings.host, settings.port) as serving:
            yield DemoApi(service, serving, admin_key, gateway_key)


def usable_port(host: str, port: int) -> int:
    """The port, or a free one where it is taken. Raises CannotListen: no port of the host is ours.

    Another program can take it until it is used; that is then CannotListen as well.
    """
    try:
        sock = listen(host, port)
    except CannotListen:
        sock = listen(host, 0)
    with contextlib.closing(sock):
        found: int = sock.getsockname()[1]
    return found


def _key(role: Role, tenant: str) -> tuple[str, ApiKey]:
    return new_key(
        role,
        tenant,
        id_bits=secrets.token_bytes(3),
        secret_bits=secrets.token_urlsafe(24),
        label="demo",
    )
