"""What holds for the whole API: health, errors, keys and roles, the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.detector.api.api_case import ApiCase, api_case, make_log, until, verdict
from tests.detector.api.breakable_log import BreakableLog

OPEN = {"/healthz", "/readyz", "/readyz/gateway"}


@pytest.fixture(name="case", scope="module")
def case_fixture() -> Iterator[ApiCase]:
    with api_case() as case:
        yield case


@pytest.fixture(name="document", scope="module")
def document_fixture(case: ApiCase) -> Any:
    return case.client.get("/openapi.json").json()


def is_problem(answer: httpx.Response, status: int) -> bool:
    """Whether an answer is an RFC 9457 problem of this status."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    return bool(answer.status_code == body["status"] == status)


def test_alive_whatever_the_log_does_and_ready_when_caught_up() -> None:
    """`/readyz` names what is missing; `/healthz` does not care; a broken feed leaves the hook."""
    log = BreakableLog(make_log())
    log.broken = True
    with api_case(log=log, settle=False) as case:
        assert case.client.get("/healthz").json() == {"status": "alive"}
        until(lambda: case.service.alert_follower.error is not None)
        answer = case.client.get("/readyz")
        assert answer.status_code == 503
        missing = answer.json()["missing"]
        assert [line.partition(":")[0] for line in missing] == ["verdicts", "alerts"]
        assert "does not answer" in missing[1]
        log.broken = False
        until(lambda: case.client.get("/readyz").status_code == 200)
        assert case.client.get("/readyz/gateway").json() == {"ready": True, "missing": []}


def test_metrics_are_prometheus_text_for_any_key(case: ApiCase) -> None:
    """Every role may scrape, nobody else; the text parses; what is in force is counted."""
    case.give(verdict("restrict", scope_id="counted", account="counted"))
    assert is_problem(case.client.get("/metrics"), 401)
    for role in ("gateway", "viewer", "analyst", "admin"):
        assert case.get("/metrics", who=role).status_code == 200
    families = {f.name: f for f in text_string_to_metric_families(case.get("/metrics").text)}
    found = {s.labels["verdict"]: s.value for s in families["stillwatch_api_verdicts"].samples}
    assert found["restrict"] == 1.0
    stale = families["stillwatch_api_staleness_seconds"].samples
    assert {s.labels["topic"] for s in stale} == {"verdicts", "alerts"}


def test_every_error_is_a_problem(case: ApiCase) -> None:
    """Unknown path, wrong method, no key, too low a role, another tenant, a bad parameter."""
    assert is_problem(case.get("/nothing"), 404)
    wrong = case.client.post("/healthz")
    assert is_problem(wrong, 405)
    assert "GET" in wrong.headers["allow"]
    nobody = case.client.get("/v1/alerts")
    assert is_problem(nobody, 401)
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert is_problem(case.get("/v1/accounts/acme", who="viewer"), 403)
    assert is_problem(case.get("/v1/alerts", who="gateway"), 403)
    assert is_problem(case.get("/v1/alerts", tenant="other"), 403)
    bad = case.get("/v1/alerts", limit="many")
    assert is_problem(bad, 422)
    assert bad.json()["errors"][0]["field"] == "limit"


def test_an_unexpected_error_is_a_problem_without_its_words() -> None:
    """500, and nothing of the fault's text reaches the caller."""
    with api_case() as case:
        case.service.verdicts._rows = None  # type: ignore[assignment]  # a bug, as it were
        answer = case.get("/metrics")
        assert is_problem(answer, 500)
        assert "NoneType" not in answer.text


def test_a_key_is_taken_from_either_header(case: ApiCase) -> None:
    """X-Stillwatch-Key goes before Authorization."""
    key = case.secrets["viewer"]
    good, bad = {"Authorization": f"Bearer {key}"}, {"Authorization": "Bearer sw_0000_bad"}
    assert case.client.get("/metrics", headers=good).status_code == 200
    assert case.client.get("/metrics", headers=bad).status_code == 401
    assert case.client.get("/metrics", headers={**bad, "X-Stillwatch-Key": key}).status_code == 200
    assert case.client.get("/metrics", headers={**good, "X-Stillwatch-Key": "x"}).status_code == 401


def test_the_document_is_openapi_3_1_with_keys_tags_and_problems(document: Any) -> None:
    """Each operation has a summary and a tag that is described; each but health needs a key and
    tells 401 as a problem; every reference leads somewhere."""
    assert document["openapi"].startswith("3.1")
    tags = {tag["name"] for tag in document["tags"]}
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert set(operation["tags"]) <= tags, path
            if path in OPEN:
                assert "security" not in operation, path
                continue
            assert {name for one in operation["security"] for name in one} == set(schemes), path
            assert "application/problem+json" in operation["responses"]["401"]["content"], path
    for reference in references(document):
        at = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_answer_with_a_body_has_an_example(document: Any) -> None:
    """A reader of the document sees what a 200 looks like."""
    for path, item in document["paths"].items():
        for operation in item.values():
            for media, content in operation["responses"].get("200", {}).get("content", {}).items():
                if media != "application/json":
                    continue
                schema = content.get("schema", {})
                if "$ref" in schema:
                    name = schema["$ref"].rpartition("/")[2]
                    schema = document["components"]["schemas"][name]
                shown = "example" in content or "examples" in content or "examples" in schema
                assert shown or path == "/healthz", path


def test_the_docs_page_names_the_document(case: ApiCase) -> None:
    """`/docs` is there without a key."""
    page = case.client.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
