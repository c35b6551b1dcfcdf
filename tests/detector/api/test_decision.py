"""The gateway hook: who passes, who is told what, and what happens when nothing is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from streams.log import OutputRecord
from streams.privacy import Privacy
from tests.detector.api.api_case import NOW_S, ApiCase, api_case, make_log, until, verdict
from tests.detector.api.breakable_log import BreakableLog

PATH = "/v1/decision"


@pytest.fixture(name="case", scope="module")
def case_fixture() -> Iterator[ApiCase]:
    with api_case() as case:
        yield case


def ask(
    case: ApiCase, path: str = PATH, who: str = "gateway", method: str = "GET", **headers: str
) -> httpx.Response:
    """One question; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return case.client.request(method, path, headers={**case.auth(who), **named})


def told(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, verdict and scope of an answer."""
    headers = answer.headers
    return (
        answer.status_code,
        headers["x-stillwatch-verdict"],
        headers.get("x-stillwatch-scope"),
    )


@pytest.mark.parametrize("level", ["watch", "throttle", "restrict"])
def test_milder_verdicts_pass_and_are_told(case: ApiCase, level: str) -> None:
    """204 with verdict, scope, subject and end; the end is RFC 3339 with Z."""
    case.give(verdict(level, scope_id=f"is-{level}", account=f"is-{level}"))
    answer = ask(case, X_Stillwatch_Account=f"is-{level}")
    assert told(answer) == (204, level, "account")
    assert answer.headers["x-stillwatch-expires"] == "2025-10-09T09:53:20.000Z"
    assert len(answer.headers["x-stillwatch-subject"]) == 32
    assert answer.content == b""
    assert "x-stillwatch-stale" not in answer.headers


def test_block_is_403_with_a_problem(case: ApiCase) -> None:
    """The body is RFC 9457 and the headers tell the verdict as for the milder ones."""
    case.give(verdict("block", scope_id="blocked", account="blocked"))
    answer = ask(case, X_Stillwatch_Account="blocked")
    assert told(answer) == (403, "block", "account")
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["title"], body["instance"]) == (403, "Forbidden", PATH)
    head = ask(case, method="HEAD", X_Stillwatch_Account="blocked")
    assert (head.status_code, head.content) == (403, b"")


def test_without_a_verdict_or_an_identity_everybody_passes(case: ApiCase) -> None:
    """`allow` is told, without scope."""
    assert told(ask(case, X_Stillwatch_Account="unknown")) == (204, "allow", None)
    assert told(ask(case)) == (204, "allow", None)
    assert told(ask(case, X_Stillwatch_Account="")) == (204, "allow", None)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_any_method_and_sub_path_with_a_body(case: ApiCase, method: str) -> None:
    """Gateways send the original method, path and body; the connection is good for the next."""
    case.give(verdict("block", scope_id="blocked", account="blocked"))
    headers = {**case.auth("gateway"), "X-Stillwatch-Account": "blocked"}
    for path in (PATH, PATH + "/", PATH + "/v1/chat/completions?stream=true", PATH + "/a%2Fb//c"):
        answer = case.client.request(method, path, headers=headers, content=b"x" * 200_000)
        assert answer.status_code == 403, path
    assert case.client.request(method, "/v1/decisions", headers=headers).status_code == 404


def test_the_hardest_verdict_over_the_scopes_wins(case: ApiCase) -> None:
    """Organisation, account, key and end user are all looked at."""
    user = Privacy(b"stillwatch-demo").pseudonyms["user-7"]
    hashed = hashlib.sha256(b"sk-abc").hexdigest()
    asked = {
        "X_Stillwatch_Account": "many",
        "Authorization": "Bearer sk-abc",
        "X_Stillwatch_End_User": "user-7",
        "X_Stillwatch_Organisation": "org-7",
    }
    case.give(verdict("watch", scope_id="many", account="many"))
    assert told(ask(case, **asked)) == (204, "watch", "account")
    case.give(verdict("throttle", scope="end_user", scope_id=user, account="many"))
    assert told(ask(case, **asked)) == (204, "throttle", "end_user")
    case.give(verdict("restrict", scope="key", scope_id=hashed, account="many"))
    assert told(ask(case, **asked)) == (204, "restrict", "key")
    case.give(verdict("block", scope="organisation", scope_id="org-7", account="many"))
    assert told(ask(case, **asked)) == (403, "block", "organisation")
    del asked["X_Stillwatch_Organisation"]
    assert told(ask(case, **asked)) == (204, "restrict", "key")


def test_an_ended_lifted_or_shadow_verdict_is_not_enforced() -> None:
    """The API's clock ends a verdict, a tombstone lifts one, and shadow mode enforces none."""
    with api_case() as case:
        case.give(
            verdict("block", scope_id="ends", account="ends", expires_in_s=60.0),
            verdict("block", scope_id="lifted", account="lifted"),
            verdict("block", scope_id="shadow", account="shadow", enforced=False),
            verdict("block", scope_id="stays", account="stays", expires_in_s=None),
        )
        assert ask(case, X_Stillwatch_Account="ends").status_code == 403
        assert ask(case, X_Stillwatch_Account="lifted").status_code == 403
        assert told(ask(case, X_Stillwatch_Account="shadow")) == (204, "allow", None)
        case.give(verdict("allow", scope_id="lifted", account="lifted"))
        assert told(ask(case, X_Stillwatch_Account="lifted")) == (204, "allow", None)
        case.clock.now_s = NOW_S + 59.999
        assert ask(case, X_Stillwatch_Account="ends").status_code == 403
        case.clock.now_s = NOW_S + 60.0
        assert told(ask(case, X_Stillwatch_Account="ends")) == (204, "allow", None)
        assert "x-stillwatch-expires" not in ask(case, X_Stillwatch_Account="stays").headers


def test_a_verdict_belongs_to_its_tenant(case: ApiCase) -> None:
    """A key of one tenant sees that tenant's; a key of every tenant may name one."""
    case.give(verdict("block", scope_id="two", account="two", tenant="other"))
    asked = {"X_Stillwatch_Account": "two"}
    named = {**asked, "X_Stillwatch_Tenant": "other"}
    assert ask(case, **asked).status_code == 204
    assert ask(case, **named).status_code == 204  # the header is not the gateway's to set
    assert ask(case, who="edge", **asked).status_code == 204
    assert ask(case, who="edge", **named).status_code == 403


def test_names_are_those_of_the_log(case: ApiCase) -> None:
    """Accounts become what intake makes of them: secrets hashed, addresses HMACs, UTF-8 kept."""
    privacy = Privacy(b"stillwatch-demo")
    for raw in ("Größe 円", "203.0.113.9", "sk-abcdefgh12345"):
        name = privacy.names[raw]
        case.give(verdict("block", scope_id=name, account=name))
        headers = {b"X-Stillwatch-Account": raw.encode()}
        headers |= {name.encode(): value.encode() for name, value in case.auth("gateway").items()}
        assert case.client.get(PATH, headers=headers).status_code == 403, raw


def test_the_customers_key_is_hashed_bare(case: ApiCase) -> None:
    """SHA-256 of the key without its scheme, in any case of the scheme's name; no scheme too."""
    hashed = hashlib.sha256(b"sk-whole").hexdigest()
    case.give(verdict("block", scope="key", scope_id=hashed, account="k"))
    for value in ("Bearer sk-whole", "bearer  sk-whole", "sk-whole"):
        assert ask(case, Authorization=value).status_code == 403, value
    assert ask(case, Authorization="Bearer sk-other").status_code == 204


def test_keys_by_name_and_other_headers() -> None:
    """`decision_key_hash = none` and renamed headers: the key as the log has it."""
    with api_case(
        decision_key_hash="none",
        decision_key_header="X-Consumer",
        decision_account_header="X-Team",
        decision_end_user_header="",
    ) as case:
        case.give(
            verdict("block", scope="key", scope_id="consumer-9", account="k"),
            verdict("block", scope_id="team-9", account="team-9"),
        )
        assert ask(case, X_Consumer="consumer-9").status_code == 403
        assert ask(case, X_Team="team-9").status_code == 403
        assert ask(case, X_Stillwatch_Account="team-9").status_code == 204


def test_only_a_good_key_may_ask_and_403_means_a_verdict(case: ApiCase) -> None:
    """No key, a wrong one and one of another role are all 401; an admin's key is good."""
    assert case.client.get(PATH).status_code == 401
    assert case.client.get(PATH, headers={"Authorization": "Bearer sk-x"}).status_code == 401
    assert ask(case, who="viewer").status_code == 401
    assert ask(case, who="analyst").status_code == 401
    assert ask(case, who="admin").status_code == 204
    wrong = case.client.get(PATH, headers={"X-Stillwatch-Key": case.secrets["gateway"] + "x"})
    assert wrong.status_code == 401
    assert wrong.headers["content-type"] == "application/problem+json"
    assert wrong.headers["www-authenticate"].startswith("Bearer")


def test_the_gateways_key_in_authorization_is_no_customers_key(case: ApiCase) -> None:
    """Presented there it opens the door and names nobody."""
    secret = case.secrets["gateway"]
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    case.give(verdict("block", scope="key", scope_id=hashed, account="k"))
    answer = case.client.get(PATH, headers={"Authorization": f"Bearer {secret}"})
    assert told(answer) == (204, "allow", None)


def test_a_key_that_is_taken_away_is_soon_refused() -> None:
    """A good key is remembered for a second of the API's clock, no longer."""
    with api_case() as case:
        assert ask(case).status_code == 204
        case.service.keys.replace([])
        case.clock.forward(1.0)
        assert ask(case).status_code == 401


def test_stale_fails_open_says_so_and_recovers() -> None:
    """Age counts from the last time the end of the topic was known, not from the last verdict."""
    log = BreakableLog(make_log())
    with api_case(log=log, stale_after_s=30.0) as case:
        case.give(verdict("block", scope_id="b", account="b", expires_in_s=None))
        case.clock.forward(10_000.0)  # a quiet topic
        follower = case.service.verdict_follower
        until(lambda: follower.staleness_s() < 1.0)
        assert ask(case, X_Stillwatch_Account="b").status_code == 403
        log.broken = True
        until(lambda: follower.error is not None)
        case.clock.forward(29.0)
        assert ask(case, X_Stillwatch_Account="b").status_code == 403
        case.clock.forward(2.0)
        answer = ask(case, X_Stillwatch_Account="b")
        assert told(answer) == (204, "allow", None)
        assert answer.headers["x-stillwatch-stale"] == "true"
        assert case.client.get("/readyz/gateway").status_code == 503
        log.broken = False
        until(lambda: follower.staleness_s() < 1.0)
        assert ask(case, X_Stillwatch_Account="b").status_code == 403
        text = case.get("/metrics", who="gateway").text
    assert 'stillwatch_api_decisions_total{stale="true",verdict="allow"} 1.0' in text
    assert 'stillwatch_api_decisions_total{stale="false",verdict="block"} 3.0' in text


def test_before_the_end_is_reached_everybody_passes() -> None:
    """An API that has just started and cannot reach the log knows nothing: stale, not "allow"."""
    log = BreakableLog(make_log())
    log.broken = True
    with api_case(log=log, settle=False) as case:
        answer = ask(case, X_Stillwatch_Account="b")
        assert answer.status_code == 204
        assert answer.headers["x-stillwatch-stale"] == "true"


def test_a_record_that_is_no_verdict_stops_nothing(case: ApiCase) -> None:
    """It is counted, and the verdicts after it are taken in."""
    before = case.service.verdicts.unreadable
    bad = OutputRecord("stillwatch.verdicts", b"k", b"{not json", NOW_S, partition=0)
    case.append([bad])
    case.give(verdict("block", scope_id="after", account="after"))
    assert ask(case, X_Stillwatch_Account="after").status_code == 403
    assert case.service.verdicts.unreadable == before + 1
