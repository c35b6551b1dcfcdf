"""The alert feed as a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alerts import Alert
from detector.api.alert_models import EXAMPLE, AlertBody
from detector.api.cursor import read_cursor, write_cursor
from detector.api.problems import BadRequest
from detector.store.alert_query import AlertFilter, Bookmark
from detector.store.errors import StoreError
from streams.log import OutputRecord
from tests.detector.api.api_case import ApiCase, api_case
from tests.detector.store.feed import GOLDEN, TOPIC, alert, value_of


def told(data: dict[str, Any]) -> OutputRecord:
    """An alert as a worker writes it."""
    return OutputRecord(TOPIC, data["account"].encode(), value_of(data), 0.0)


@pytest.fixture(scope="module", name="case")
def case_fixture() -> Iterator[ApiCase]:
    """A feed with alerts of two tenants, one of them revised and one closed."""
    with api_case() as case:
        case.append(
            [
                told(alert("a", 1)),
                told(alert("a", 2)),
                told(alert("b", 3, account="bolt", severity="critical", verdict="restrict")),
                told(alert("c", 4, state="closed", verdict="allow")),
                told(alert("n", 5, tenant="other")),
            ]
        )
        yield case


def ids(response: Any) -> str:
    """Ids of a page's alerts in their order."""
    assert response.status_code == 200, response.text
    return "".join(item["alert_id"] for item in response.json()["items"])


def test_latest_revisions_last_revised_first(case: ApiCase) -> None:
    """As they stood on the topic, field for field."""
    page = case.get("/v1/alerts", "viewer")
    assert page.headers["content-type"] == "application/json"
    assert page.json() == {
        "items": [
            alert("c", 4, state="closed", verdict="allow"),
            alert("b", 3, account="bolt", severity="critical", verdict="restrict"),
            alert("a", 2),
        ],
        "next_cursor": None,
    }
    assert "link" not in page.headers


def test_filters(case: ApiCase) -> None:
    """By each parameter; `active` is what is not closed."""
    assert ids(case.get("/v1/alerts", state="active")) == "ba"
    assert ids(case.get("/v1/alerts", state=["closed", "updated"])) == "cba"
    assert ids(case.get("/v1/alerts", severity="critical")) == "b"
    assert ids(case.get("/v1/alerts", min_verdict="restrict")) == "b"
    assert ids(case.get("/v1/alerts", account="bolt")) == "b"
    assert ids(case.get("/v1/alerts", kind="campaign")) == ""
    assert ids(case.get("/v1/alerts", scope="account", scope_id="acme")) == "cba"
    assert ids(case.get("/v1/alerts", reason_code="two-groups", main_group="diversity")) == "cba"
    assert ids(case.get("/v1/alerts", revisions="all")) == "cbaa"
    moment = alert("x", 3)["revised_at"]
    assert ids(case.get("/v1/alerts", since=moment)) == "cb"
    assert ids(case.get("/v1/alerts", until=moment)) == "a"
    assert ids(case.get("/v1/alerts", since=moment.replace(".000Z", ".0005Z"))) == "c"


@pytest.mark.parametrize(
    "query",
    ["severty=low", "state=ajar", "min_verdict=banish", "limit=0", "limit=501", "since=yesterday",
     "since=2026-01-01T00:00:00", "account=", "revisions=some"],
)  # fmt: skip
def test_a_wrong_question_is_a_problem(query: str, case: ApiCase) -> None:
    """A mistyped filter does not list everything."""
    answer = case.client.get(f"/v1/alerts?{query}", headers=case.auth("viewer"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"].startswith(query.partition("=")[0])


def test_pages_by_cursor_and_by_link(case: ApiCase) -> None:
    """Both lead to the same next page, with the filters kept; the last has neither."""
    first = case.get("/v1/alerts", state="active", limit=1)
    assert ids(first) == "b"
    link = first.headers["link"]
    assert link.endswith('>; rel="next"')
    by_link = case.client.get(link[1 : link.index(">")], headers=case.auth("viewer"))
    by_cursor = case.get("/v1/alerts", state="active", limit=1, cursor=first.json()["next_cursor"])
    assert ids(by_link) == ids(by_cursor) == "a"
    assert by_link.json()["next_cursor"] is None
    assert "link" not in by_link.headers


def test_a_cursor_of_another_question_is_refused(case: ApiCase) -> None:
    """With other filters, and with another tenant's key."""
    cursor = case.get("/v1/alerts", limit=1).json()["next_cursor"]
    for who, params in (("viewer", {"state": "open"}), ("other", {}), ("root", {})):
        answer = case.get("/v1/alerts", who, cursor=cursor, **params)
        assert answer.status_code == 400
        assert answer.json()["status"] == 400


@given(st.one_of(st.text(max_size=200), st.binary(max_size=60).map(lambda b: b.hex())))
def test_any_text_as_a_cursor_is_refused(text: str) -> None:
    """Never another error, and never a page."""
    with pytest.raises(BadRequest):
        read_cursor(AlertFilter(tenant="default"), text)


_integers = st.integers(-(2**62), 2**62)


@given(
    st.builds(
        Bookmark, _integers, st.text(max_size=64), _integers, st.dictionaries(_integers, _integers)
    )
)
def test_a_cursor_leads_back_to_its_bookmark(bookmark: Bookmark) -> None:
    """It survives writing and is safe in a URL."""
    wanted = AlertFilter(tenant="default", states=("open",))
    text = write_cursor(wanted, bookmark)
    assert quote(text, safe="") == text
    assert read_cursor(wanted, text) == bookmark


def test_an_integer_that_no_database_takes_is_refused() -> None:
    """A made-up cursor gives 400, not 500."""
    wanted = AlertFilter(tenant="default")
    for mark in (Bookmark(2**63, "a", 1, {}), Bookmark(1, "a", 1, {0: 2**70})):
        with pytest.raises(BadRequest):
            read_cursor(wanted, write_cursor(wanted, mark))


def test_one_alert_with_its_revisions(case: ApiCase) -> None:
    """The latest first; what is not there is 404."""
    found = case.get("/v1/alerts/a", "viewer").json()
    assert found["alert"] == alert("a", 2)
    assert [item["revision"] for item in found["revisions"]] == [2, 1]
    missing = case.get("/v1/alerts/zzz")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "there is no alert zzz"


def test_a_key_sees_its_tenant_only(case: ApiCase) -> None:
    """The other tenant's alert is neither listed nor found nor to be asked for by name."""
    assert ids(case.get("/v1/alerts", "other")) == "n"
    assert case.get("/v1/alerts/a", "other").status_code == 404
    assert case.get("/v1/alerts/n", "admin").status_code == 404
    assert case.get("/v1/alerts", "other", tenant="default").status_code == 403
    assert ids(case.get("/v1/alerts", "root")) == "ncba"
    assert ids(case.get("/v1/alerts", "root", tenant="other")) == "n"
    assert case.get("/v1/alerts/n", "root").status_code == 200


@pytest.mark.parametrize("path", ["/v1/alerts", "/v1/alerts/a", "/v1/alerts/stream"])
def test_the_feed_needs_a_key_of_role_viewer(path: str, case: ApiCase) -> None:
    """No key is 401, a gateway's key 403."""
    assert case.client.get(path).status_code == 401
    assert case.get(path, "gateway").status_code == 403


def test_a_database_that_is_away_is_503_and_told_nobody(
    case: ApiCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client may try again, and learns nothing of where the database is."""

    def away(*_: object) -> None:
        raise StoreError("postgresql://secret-host/db", "no route to secret-host")

    monkeypatch.setattr(type(case.service.alerts), "page", away)
    answer = case.get("/v1/alerts")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "secret" not in answer.text


def test_the_document_shows_the_alert_as_it_is(case: ApiCase) -> None:
    """Every field of the topic's alert is in the OpenAPI document, no other; examples hold."""
    assert set(AlertBody.model_fields) == {f.name for f in msgspec.structs.fields(Alert)}
    AlertBody.model_validate(GOLDEN)
    msgspec.convert(EXAMPLE, Alert)
    document = case.client.get("/openapi.json").json()
    listing = document["paths"]["/v1/alerts"]["get"]
    assert {p["name"] for p in listing["parameters"]} >= {"state", "min_verdict", "cursor", "limit"}
    assert "Link" in listing["responses"]["200"]["headers"]
    assert json.dumps(document).count("#/components/schemas/AlertBody") >= 3
    for status in ("400", "401", "403", "422", "503"):
        assert "application/problem+json" in listing["responses"][status]["content"]
