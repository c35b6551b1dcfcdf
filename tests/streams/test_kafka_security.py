"""The link to a Kafka that lets nobody in unknown: logins, certificates, and what is said when they
are wrong. A real broker, with TLS, SASL and ACLs."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import SaslAuthenticationFailedError

from streams.kafka_errors import log_error
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import create_topics
from streams.log import LogError, LogRecord, OutputRecord, TopicPartition, Unreachable
from streams.topics import TopicSpec
from tests.services.secure_kafka import PASSWORD, SecureKafka, start_secure_kafka
from tests.services.token_server import TokenServer

pytestmark = pytest.mark.kafka

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
WRONG = "battery staple"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A secured broker of this module's own."""
    broker = start_secure_kafka(tmp_path_factory.mktemp("secure-kafka"), os.getpid())
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def tokens(secure: SecureKafka) -> Iterator[TokenServer]:
    """An OpenID provider's token endpoint."""
    with TokenServer(secure.folder, lambda: secure.token("admin"), PASSWORD) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does, kafka-python at its most talkative writes no secret."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="kafka")
    yield
    said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    for word in (PASSWORD, WRONG, "Bearer ey", "PRIVATE KEY"):
        assert word not in said


def through(values: dict[str, Any]) -> None:
    """Every kind of client comes through and does its work."""
    settings = KafkaSettings.model_validate(values)
    topic = f"topic-{next(_numbers)}"
    (report,) = create_topics(settings, [TopicSpec(topic, "a test", {}, 1)], partitions=1)
    assert report.state == "created"
    log = KafkaLog(settings)
    at = TopicPartition(topic, 0)
    plain = log.producer()
    plain.send([OutputRecord(topic, b"k", b"first", 1.0)])
    plain.close()
    member = log.consumer(f"group-{topic}", [topic], member_id="m")
    got: list[LogRecord] = []
    while not got:
        got = member.poll(10, 1.0)
    producer = log.producer(f"transactions-{topic}")
    producer.send_transaction(
        [OutputRecord(topic, b"k", b"second", 2.0)], {at: 1}, member.group_metadata()
    )
    assert member.committed() == {at: 1}
    reader = log.reader([at])
    read: list[bytes] = []
    while len(read) < 2:
        read += [record.value for record in reader.poll(10, 1.0)]
    assert read == [b"first", b"second"]
    for client in (producer, member, reader, log):
        client.close()


def refusal(values: dict[str, Any]) -> str:
    """What a client that cannot come through is told; no secret stands in it."""
    log = KafkaLog(KafkaSettings.model_validate(values), connect_timeout_s=3.0)
    with pytest.raises(LogError) as caught:
        log.partitions_for("topic")
    log.close()
    told = "".join(str(error) for error in _chain(caught.value))
    assert PASSWORD not in told
    assert WRONG not in told
    assert "eyJ" not in told
    return str(caught.value)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_logins_over_tls(
    secure: SecureKafka, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Producer, transactional producer, member of a group, reader and admin come through."""
    through(secure.settings("admin", mechanism))
    assert "Starting KafkaAdminClient with configuration" in caplog.text, "nothing was looked at"


def test_a_login_in_the_clear(secure: SecureKafka) -> None:
    """SASL without TLS, for links that something else encrypts."""
    through(
        secure.settings(
            "admin", bootstrap=secure.sasl_plain, security_protocol="SASL_PLAINTEXT", tls_ca=None
        )
    )


def test_certificates_of_both_sides(secure: SecureKafka) -> None:
    """Mutual TLS: the client's certificate says who it is."""
    through(secure.certificate_settings("admin"))


def test_tokens_of_an_endpoint(secure: SecureKafka, tokens: TokenServer) -> None:
    """The token comes from an OpenID provider by client id and secret; clients of one log share
    it until most of its life is over."""
    before = tokens.asked
    through(oauth(secure, tokens))
    assert 1 <= tokens.asked - before <= 8
    log = KafkaLog(KafkaSettings.model_validate(oauth(secure, tokens)))
    before = tokens.asked
    log.partitions_for("__consumer_offsets")
    assert tokens.asked == before + 1
    log.close()


def oauth(secure: SecureKafka, tokens: TokenServer, **changes: Any) -> dict[str, Any]:
    """Values of KafkaSettings by which the admin logs in with tokens of the endpoint."""
    values = secure.settings("admin", "OAUTHBEARER")
    del values["oauth_token_file"]
    return {
        **values,
        "oauth_token_url": tokens.url,
        "oauth_client_id": "stillwatch",
        "oauth_client_secret": PASSWORD,
        "oauth_scope": "kafka",
        **changes,
    }


def test_secrets_in_files(secure: SecureKafka, tmp_path: Path) -> None:
    """A file with a last line break will do; one renewed in place counts for the next client."""
    file = tmp_path / "password"
    file.write_text(f"{WRONG}\n")
    values = secure.settings("admin", sasl_password=None, sasl_password_file=file)
    told = refusal(values)
    assert "kafka.sasl_password_file" in told
    file.write_text(f"{PASSWORD}\n")
    through(values)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password(secure: SecureKafka, mechanism: str) -> None:
    """Said at once, with the settings to correct; not after a timeout."""
    told = refusal(secure.settings("admin", mechanism, sasl_password=WRONG))
    assert f"refuses the login by {mechanism}" in told
    assert "correct kafka.sasl_username and kafka.sasl_password" in told


def test_a_token_that_is_not_fresh(secure: SecureKafka, tmp_path: Path) -> None:
    """The broker refuses a token whose time is over; the setting that gave it is named."""
    file = tmp_path / "token"
    file.write_text(secure.token("admin", life_s=-600))
    told = refusal(secure.settings("admin", "OAUTHBEARER", oauth_token_file=file))
    assert "OAUTHBEARER" in told
    assert "kafka.oauth_token_file" in told


def test_an_endpoint_that_gives_no_token(secure: SecureKafka, tokens: TokenServer) -> None:
    """A wrong client secret, and an endpoint that is not there, each with what to check."""
    told = refusal(oauth(secure, tokens, oauth_client_secret=WRONG))
    assert "answers 401" in told
    assert "kafka.oauth_client_secret" in told
    told = refusal(oauth(secure, tokens, oauth_token_url="https://127.0.0.1:1/token"))  # noqa: S106
    assert "kafka.oauth_token_url" in told


def test_the_client_secret_goes_to_the_endpoint_alone(
    secure: SecureKafka, tokens: TokenServer
) -> None:
    """An endpoint that sends elsewhere is not followed: the secret would go along. And whatever
    brokers are called, the endpoint's certificate must name its host."""
    before = tokens.asked
    told = refusal(oauth(secure, tokens, oauth_token_url=tokens.url.replace("/token", "/moved")))
    assert "answers 302" in told
    assert tokens.asked == before + 1
    elsewhere = tokens.url.replace("127.0.0.1", "localhost")
    values = oauth(secure, tokens, oauth_token_url=elsewhere, tls_check_hostname=False)
    assert "gives no token" in refusal(values)
    assert tokens.asked == before + 1


def test_a_mechanism_that_the_broker_does_not_take(secure: SecureKafka) -> None:
    """Those that it takes are named."""
    values = secure.settings("admin", "OAUTHBEARER", bootstrap=secure.sasl_plain, tls_ca=None)
    told = refusal(values | {"security_protocol": "SASL_PLAINTEXT"})
    assert "does not take sasl_mechanism OAUTHBEARER, only " in told
    assert "SCRAM-SHA-512" in told
    assert "kafka.sasl_mechanism" in told


def test_an_authority_that_did_not_sign(secure: SecureKafka) -> None:
    """The file to add to is named."""
    told = refusal(secure.settings("admin", tls_ca=secure.folder / "other-ca.pem"))
    assert "is not trusted" in told
    assert "kafka.tls_ca" in told


def test_a_certificate_for_another_host(secure: SecureKafka) -> None:
    """`localhost` reaches the broker, and its certificate names 127.0.0.1 only. Who must can turn
    the check off."""
    port = secure.sasl_tls.rpartition(":")[2]
    values = secure.settings("admin", bootstrap=f"localhost:{port}")
    told = refusal(values)
    assert "is for another host" in told
    assert "kafka.bootstrap" in told
    log = KafkaLog(KafkaSettings.model_validate(values | {"tls_check_hostname": False}))
    assert log.partitions_for("__consumer_offsets") == 4
    log.close()


@pytest.mark.parametrize(
    ("listener", "protocol", "wanted"),
    [
        ("sasl_tls", "PLAINTEXT", "set kafka.security_protocol to SSL or SASL_SSL"),
        ("mutual_tls", "PLAINTEXT", "set kafka.security_protocol to SSL or SASL_SSL"),
        ("sasl_plain", "PLAINTEXT", "expects a login"),
        ("sasl_plain", "SSL", "does not speak TLS; set kafka.security_protocol"),
        ("sasl_tls", "SSL", "set kafka.sasl_mechanism and kafka.security_protocol"),
        ("mutual_tls", "SSL", "set kafka.tls_cert and kafka.tls_key"),
    ],
)
def test_a_listener_of_another_kind(
    secure: SecureKafka, listener: str, protocol: str, wanted: str
) -> None:
    """Every mismatch of listener and settings is told apart, with the setting to change."""
    values: dict[str, Any] = {"bootstrap": getattr(secure, listener), "security_protocol": protocol}
    if protocol == "SSL":
        values["tls_ca"] = secure.folder / "ca.pem"
    told = refusal(values)
    assert wanted in told


def test_a_login_where_none_is_expected(secure: SecureKafka) -> None:
    """A SASL client on a listener that goes by certificates."""
    values = secure.certificate_settings("admin") | {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "admin",
        "sasl_password": PASSWORD,
    }
    assert "expects no login on this listener" in refusal(values)


def test_a_certificate_that_another_authority_signed(secure: SecureKafka) -> None:
    """The broker refuses it; the two settings are named."""
    other = {"tls_cert": secure.folder / "other-ca.pem", "tls_key": secure.folder / "other-ca.key"}
    told = refusal(secure.certificate_settings("admin", **other))
    assert "does not take this client's certificate" in told
    assert "kafka.tls_cert" in told


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"tls_ca": "none.pem"}, "kafka.tls_ca"),
        ({"tls_cert": "none.pem"}, "kafka.tls_cert"),
        ({"tls_key": "ca.pem"}, "kafka.tls_key"),
    ],
)
def test_files_that_cannot_be_used(
    secure: SecureKafka, changes: dict[str, str], wanted: str
) -> None:
    """A missing file, and one that holds something else, are named with their setting."""
    paths = {name: secure.folder / file for name, file in changes.items()}
    assert wanted in refusal(secure.certificate_settings("admin", **paths))


def test_a_broker_that_is_away_is_no_question_of_security(secure: SecureKafka) -> None:
    """Nobody answers: Unreachable, so that a worker waits for it instead of giving up."""
    settings = KafkaSettings.model_validate(secure.settings("admin", bootstrap="127.0.0.1:1"))
    with pytest.raises(Unreachable, match=r"kafka\.bootstrap"):
        KafkaLog(settings, connect_timeout_s=0.5).partitions_for("topic")


def test_who_may_not_is_told_what_to_grant(secure: SecureKafka) -> None:
    """Without an ACL every kind of client says what it may not do, and where the grants stand."""
    topic = f"topic-{next(_numbers)}"
    admin = KafkaSettings.model_validate(secure.settings("admin"))
    create_topics(admin, [TopicSpec(topic, "a test", {}, 1)], partitions=1)
    settings = KafkaSettings.model_validate(secure.settings("gateway"))
    log = KafkaLog(settings)
    for attempt in (
        lambda: log.partitions_for(topic),
        lambda: log.reader([TopicPartition(topic, 0)]),
        lambda: log.consumer("group", [topic], member_id="m"),
        lambda: log.producer("transactions"),
        lambda: log.producer().send([OutputRecord(topic, b"k", b"v", 1.0)]),
        lambda: create_topics(settings, [TopicSpec("new", "a test", {}, 1)], partitions=1),
    ):
        with pytest.raises(LogError, match="does not allow it") as caught:
            attempt()
        assert "`stillwatch topics acls`" in str(caught.value)
    log.close()


def test_settings_alone_name_what_to_renew() -> None:
    """A login that was good when the client connected and no longer is: the secret to renew."""
    told = log_error(SaslAuthenticationFailedError("token expired"), "reading", "kafka:1")
    assert type(told) is LogError
    assert "kafka.sasl_password" in str(told)
    assert "kafka.oauth_token_file" in str(told)


@pytest.mark.parametrize(
    "changes",
    [
        {"security_protocol": "SASL_SSL"},
        {"sasl_mechanism": "PLAIN"},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"},
        {
            "security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u",
            "sasl_password": PASSWORD, "sasl_password_file": "f",
        },
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_password": PASSWORD},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
        {
            "security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER",
            "oauth_token_url": "http://idp/token", "oauth_client_id": "c",
            "oauth_client_secret": PASSWORD,
        },
        {"tls_cert": "c", "tls_key": "k"},
        {"security_protocol": "SSL", "tls_cert": "c"},
    ],
)  # fmt: skip
def test_settings_alone_that_do_not_go_together(changes: dict[str, Any]) -> None:
    """Refused when they are read; the message holds no value that was given."""
    with pytest.raises(ValueError, match=r"needs?|needed|begin with https") as caught:
        KafkaSettings.model_validate(changes)
    assert PASSWORD not in str(caught.value)


def test_settings_alone_do_not_show_secrets() -> None:
    """Neither repr nor a dump for people holds one."""
    settings = KafkaSettings.model_validate(
        {
            "security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u",
            "sasl_password": PASSWORD, "tls_key_password": WRONG, "tls_cert": "c", "tls_key": "k",
        }
    )  # fmt: skip
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert PASSWORD not in text
        assert WRONG not in text
