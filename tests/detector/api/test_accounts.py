"""The analysts' account page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.api import accounts
from detector.api.account_models import AccountBody
from detector.benign_range import BenignRange, FeatureRange
from detector.features import FEATURE_NAMES, N_FEATURES
from detector.lake import Lake
from detector.outputs import Outputs
from detector.score_history import LakeTimeout
from detector.score_row import ScoreRow
from tests.detector.api.api_case import NOW_S, ApiCase, api_case, verdict
from tests.detector.api.test_alerts import told
from tests.detector.store.feed import alert

HIGH, LOW, INSIDE, UNRANGED, UNKNOWN = range(5)
BENIGN = BenignRange(
    1234,
    {FEATURE_NAMES[i]: FeatureRange(0.5, (0.25, 0.5, 0.75)) for i in (HIGH, LOW, INSIDE, UNKNOWN)},
)


def scored(account: str, tenant: str, number: int, **given: Any) -> ScoreRow:
    """One scoring at a minute of its own."""
    vector = np.full(N_FEATURES, np.nan, np.float32)
    vector[[HIGH, LOW, INSIDE, UNRANGED]] = (1.0, 0.0, 0.5, 3.0)
    return ScoreRow(
        tenant=tenant, account=account, scope=given.get("scope", "account"),
        scope_id=given.get("scope_id", account), at_s=NOW_S + 60 * number, requests=10 * number,
        new_pieces=5, cue_pieces=0, score=0.5, p_value=0.1, vector=vector,
    )  # fmt: skip


@pytest.fixture(scope="module", name="case")
def case_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiCase]:
    """Account acme with everything; account quiet with scorings alone; and one elsewhere."""
    lake = tmp_path_factory.mktemp("lake")
    rows = [scored("acme", "default", n) for n in (1, 2, 3)]
    rows += [scored("acme", "default", 4, scope="key", scope_id="k1")]
    rows += [scored("quiet/one", "default", 1), scored("far", "other", 1)]
    with Lake(lake, "test", {}) as made:
        made.add(Outputs(scores=rows))
    with api_case(benign=BENIGN, lake=lake) as case:
        case.give(
            verdict("throttle"),
            verdict("block", scope="key", scope_id="k1", enforced=False),
            verdict("watch", account="far", scope_id="far", tenant="other"),
        )
        case.append(
            [
                told(alert("a", 1)),
                told(alert("a", 2)),
                told(alert("old", 3, state="closed", verdict="allow")),
                told(alert("far", 1, account="far", tenant="other")),
            ]
        )
        yield case


def test_everything_that_is_known(case: ApiCase) -> None:
    """Verdicts by scope, alerts open and past in their last revision, scorings newest first."""
    page = case.get("/v1/accounts/acme").json()
    AccountBody.model_validate(page)
    assert (page["tenant"], page["account"], page["why_null"]) == ("default", "acme", {})
    assert [(v["scope"], v["verdict"], v["enforced"]) for v in page["verdicts"]] == [
        ("key", "block", False),
        ("account", "throttle", True),
    ]
    assert page["verdicts"][1]["expires_at"] == "2025-10-09T09:53:20.000Z"
    assert page["open_alerts"] == [alert("a", 2)]
    assert page["past_alerts"] == [alert("old", 3, state="closed", verdict="allow")]
    assert [score["requests"] for score in page["scores"]] == [40, 30, 20, 10]
    assert page["scores"][-1]["at"] == "2025-10-09T08:54:20.000Z"
    assert len(case.get("/v1/accounts/acme", points=2).json()["scores"]) == 2


def test_features_stand_beside_the_benign_range(case: ApiCase) -> None:
    """Those of the account's last scoring as a whole; unknown on either side is null."""
    features = case.get("/v1/accounts/acme").json()["features"]
    assert (features["requests"], features["benign_accounts"]) == (30, 1234)
    values = features["values"]
    assert [value["name"] for value in values] == list(FEATURE_NAMES)
    assert [values[i]["place"] for i in range(5)] == ["above", "below", "inside", None, None]
    assert (values[HIGH]["p5"], values[HIGH]["p50"], values[HIGH]["p95"]) == (0.25, 0.5, 0.75)
    assert (values[UNRANGED]["value"], values[UNRANGED]["p50"]) == (3.0, None)
    assert (values[UNKNOWN]["value"], values[UNKNOWN]["benign_known"]) == (None, 0.5)
    assert all(value["meaning"] for value in values)


def test_an_account_without_verdict_or_alert(case: ApiCase) -> None:
    """Its scorings are told; its name may hold a slash."""
    page = case.get("/v1/accounts/quiet%2Fone").json()
    assert (page["verdicts"], page["open_alerts"], page["past_alerts"]) == ([], [], [])
    assert len(page["scores"]) == 1


def test_a_key_sees_its_tenant_only(case: ApiCase) -> None:
    """Another tenant's account looks like one that does not exist."""
    answer = case.get("/v1/accounts/far")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "nothing is known of account far in tenant default"
    assert case.get("/v1/accounts/far", tenant="other").status_code == 403
    page = case.get("/v1/accounts/far", "root", tenant="other").json()
    assert len(page["verdicts"]) == len(page["open_alerts"]) == len(page["scores"]) == 1
    assert case.get("/v1/accounts/far", "root").status_code == 404  # the service's own tenant


def test_accounts_need_a_key_of_role_analyst(case: ApiCase) -> None:
    """A viewer sees alerts only."""
    assert case.client.get("/v1/accounts/acme").status_code == 401
    for who, status in (("gateway", 403), ("viewer", 403), ("other", 403), ("admin", 200)):
        assert case.get("/v1/accounts/acme", who).status_code == status


def test_why_something_is_null_is_told(
    case: ApiCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No store, a broken one, a slow one, a table that is still being read: the rest is told."""
    with api_case() as bare:
        bare.give(verdict("watch"))
        page = bare.get("/v1/accounts/acme").json()
        assert page["scores"] is None
        assert page["features"] is None
        assert "setting `lake`" in page["why_null"]["scores"]
        assert "model card" in page["why_null"]["features.benign_accounts"]
        assert "setting `lake`" in bare.get("/v1/accounts/nobody").json()["detail"]

    def slow(*_: object, **__: object) -> None:
        raise LakeTimeout(tmp_path, 10.0)

    monkeypatch.setattr(accounts, "score_history", slow)
    monkeypatch.setattr(type(case.service.verdict_follower), "caught_up", False)
    page = case.get("/v1/accounts/acme").json()
    assert "within 10 s" in page["why_null"]["scores"]
    assert page["verdicts"] is None
    assert "still being read" in page["why_null"]["verdicts"]
    assert len(page["open_alerts"]) == 1
    AccountBody.model_validate(page)


def test_a_broken_store_does_not_take_the_page_down(tmp_path: Path) -> None:
    """The reason is told without the path."""
    with Lake(tmp_path, "test", {}) as made:
        made.add(Outputs(scores=[scored("acme", "default", 1)]))
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"broken")
    with api_case(lake=tmp_path) as case:
        case.give(verdict("watch"))
        page = case.get("/v1/accounts/acme").json()
    assert "cannot be read" in page["why_null"]["scores"]
    assert str(tmp_path) not in str(page)


def test_a_slow_store_holds_up_nobody_else(case: ApiCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a page waits for the analysts' store, decisions and alerts are answered."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> list[Any]:
        asked.set()
        assert go_on.wait(10.0)
        return []

    monkeypatch.setattr(accounts, "score_history", slow)
    waiting = threading.Thread(target=case.get, args=("/v1/accounts/acme",))
    waiting.start()
    assert asked.wait(10.0)
    assert case.get("/v1/alerts").status_code == 200
    go_on.set()
    waiting.join()


def test_the_documents_example_holds() -> None:
    """The example of the OpenAPI document is a page of the declared shape."""
    examples: Any = AccountBody.model_config["json_schema_extra"]
    AccountBody.model_validate(examples["examples"][0])
