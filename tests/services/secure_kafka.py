"""An Apache Kafka broker that lets nobody in unknown: TLS, logins and ACLs.

Listeners: SASL_SSL (PLAIN, SCRAM, OAUTHBEARER checked against a key set), SSL with client
certificates, and SASL_PLAINTEXT. Nobody may do anything without an ACL but the super user "admin"
and the broker itself. Certificates and keys are made anew with openssl.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.services.guarded import start_guarded
from tests.services.kafka import LIBS, free_ports, listens
from tests.services.required import unavailable

PASSWORD = "correct horse"  # noqa: S105 - of brokers that live for a test
USERS = (
    "admin",
    "worker",
    "api",
    "lake",
    "cohorts",
    "rekey",
    "gateway",
    "collector",
    "operator",
    "setup",
)
_START_LIMIT_S = 90.0
_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBS}/*")


@dataclass(frozen=True)
class SecureKafka:
    """A running broker: "host:port" of each listener, and the folder of certificates.

    The folder holds ca.pem, other-ca.pem (which signed nothing), NAME.pem and NAME.key.
    """

    folder: Path
    sasl_tls: str
    mutual_tls: str
    sasl_plain: str
    guard_pid: int

    def settings(
        self, user: str, mechanism: str = "SCRAM-SHA-512", **changes: Any
    ) -> dict[str, Any]:
        """Values of KafkaSettings by which `user` logs in over TLS."""
        login: dict[str, Any] = {"sasl_username": user, "sasl_password": PASSWORD}
        if mechanism == "OAUTHBEARER":
            token = self.folder / f"{user}.token"
            token.write_text(self.token(user))
            login = {"oauth_token_file": token}
        return {
            "bootstrap": self.sasl_tls,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "tls_ca": self.folder / "ca.pem",
            "heartbeat_s": 0.1,
            **login,
            **changes,
        }

    def certificate_settings(self, user: str, **changes: Any) -> dict[str, Any]:
        """Values of KafkaSettings by which `user` shows a certificate."""
        return {
            "bootstrap": self.mutual_tls,
            "security_protocol": "SSL",
            "tls_ca": self.folder / "ca.pem",
            "tls_cert": self.folder / f"{user}.pem",
            "tls_key": self.folder / f"{user}.key",
            "heartbeat_s": 0.1,
            **changes,
        }

    def token(self, user: str, life_s: int = 3600) -> str:
        """A signed JWT (RS256) that names the user."""
        now_s = int(time.time())  # noqa: TID251 - the broker compares with its own clock
        claims = {"sub": user, "iat": now_s, "exp": now_s + life_s, "aud": "kafka", "iss": "tests"}
        header = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "tokens.key")],
            input=text.encode(), capture_output=True, check=True,
        )  # fmt: skip
        return f"{text}.{_base64(signed.stdout)}"

    def stop(self) -> None:
        """Stops the broker; returns when it is gone."""
        try:
            guard = psutil.Process(self.guard_pid)
            processes = [guard, *guard.children(recursive=True)]
            guard.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            return
        psutil.wait_procs(processes, timeout=5.0)


def start_secure_kafka(folder: Path, owner_pid: int) -> SecureKafka:
    """Makes certificates in `folder` and starts a broker. Skips (or fails) without the programs."""
    if shutil.which("java") is None or not any(LIBS.glob("kafka_*.jar")):
        unavailable("Kafka", "install Java 17 and run `make kafka`")
    if shutil.which("openssl") is None:
        unavailable("openssl", "install it (on Debian: apt-get install openssl)")
    _make_certificates(folder)
    ports = free_ports(4)
    settings = folder / "kafka.properties"
    settings.write_text(_properties(folder, *ports))
    command = ["java", *_JAVA, "kafka.tools.StorageTool", "format", "-t", "c2VjdXJlLXN0aWxsd2F0Y2g"]
    for user in USERS:
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            command += ["--add-scram", f"{mechanism}=[name={user},password={PASSWORD}]"]
    made = subprocess.run(
        [*command, "-c", str(settings)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(f"Kafka's storage tool failed:\n{made.stdout}{made.stderr}")
    log = folder / "kafka.log"
    pid = start_guarded(
        [
            "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{folder}/keys.json",
            *_JAVA, "kafka.Kafka", str(settings),
        ],
        owner_pid=owner_pid, log=log,
    )  # fmt: skip
    deadline_s = time.monotonic() + _START_LIMIT_S
    while not all(listens(port) for port in ports):
        if not psutil.pid_exists(pid) or time.monotonic() > deadline_s:
            raise RuntimeError(f"the Kafka broker did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)
    sasl_tls, mutual_tls, sasl_plain, _ = (f"127.0.0.1:{port}" for port in ports)
    return SecureKafka(folder, sasl_tls, mutual_tls, sasl_plain, pid)


def _make_certificates(folder: Path) -> None:
    for name in ("ca", "other-ca"):
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                 "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
                 "-subj", f"/CN=Stillwatch tests {name}")  # fmt: skip
    for name in ("broker", *USERS):
        extensions = folder / f"{name}.ext"
        extensions.write_text(
            "subjectAltName=IP:127.0.0.1,DNS:broker.test\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}.key",
                 "-out", folder / f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        _openssl("x509", "-req", "-in", folder / f"{name}.csr", "-days", "2",
                 "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
                 "-extfile", extensions, "-out", folder / f"{name}.pem")  # fmt: skip
    # Kafka reads PEM as it is: the key before its certificates.
    chain = [folder / "broker.key", folder / "broker.pem", folder / "ca.pem"]
    (folder / "broker.both").write_text("".join(part.read_text() for part in chain))
    _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
             "-out", folder / "tokens.key")  # fmt: skip
    modulus = _openssl("rsa", "-in", folder / "tokens.key", "-noout", "-modulus")
    number = bytes.fromhex(modulus.strip().partition("=")[2])
    key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": _base64(number),
           "e": "AQAB"}  # fmt: skip
    (folder / "keys.json").write_text(json.dumps({"keys": [key]}))


def _openssl(*arguments: str | Path) -> str:
    made = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed:\n{made.stderr}")
    return made.stdout


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _properties(
    folder: Path, sasl_tls: int, mutual_tls: int, sasl_plain: int, controller: int
) -> str:
    module = "org.apache.kafka.common.security"
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    logins = []
    for listener in ("logins", "clear"):
        start = f"listener.name.{listener}"
        logins += [
            f"{start}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {users};",
            f"{start}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;",
            f"{start}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;",
            f"{start}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        ]
    listeners = (f"LOGINS://127.0.0.1:{sasl_tls},CERTS://127.0.0.1:{mutual_tls},"
                 f"CLEAR://127.0.0.1:{sasl_plain}")  # fmt: skip
    return "\n".join(
        [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners={listeners},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners={listeners}",
            "listener.security.protocol.map=LOGINS:SASL_SSL,CERTS:SSL,CLEAR:SASL_PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=CERTS",
            *logins,
            "listener.name.logins.sasl.enabled.mechanisms="
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            f"listener.name.logins.oauthbearer.sasl.jaas.config="
            f"{module}.oauthbearer.OAuthBearerLoginModule required;",
            "listener.name.logins.oauthbearer.sasl.server.callback.handler.class="
            f"{module}.oauthbearer.OAuthBearerValidatorCallbackHandler",
            "listener.name.logins.oauthbearer.sasl.oauthbearer.jwks.endpoint.url="
            f"file://{folder}/keys.json",
            "listener.name.logins.oauthbearer.sasl.oauthbearer.expected.audience=kafka",
            "listener.name.logins.oauthbearer.sasl.oauthbearer.expected.issuer=tests",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder}/broker.both",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={folder}/ca.pem",
            "listener.name.certs.ssl.client.auth=required",
            "listener.name.certs.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controller's listener is this machine's alone and unnamed.
            "super.users=User:admin;User:broker;User:ANONYMOUS",
            "allow.everyone.if.no.acl.found=false",
            f"log.dirs={folder}/data",
            "auto.create.topics.enable=false",
            "offsets.topic.num.partitions=4",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.num.partitions=4",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.num.partitions=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "group.min.session.timeout.ms=1000",
            "log.cleaner.dedupe.buffer.size=4194304",
        ]
    )
