"""Bearer tokens for SASL/OAUTHBEARER: from a file, or from an OpenID provider's token endpoint.

The endpoint is asked as RFC 6749, section 4.4 (client credentials) says.
"""

from __future__ import annotations

import base64
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Annotated

import msgspec
from kafka.net.sasl.oauth import AbstractTokenProvider

from streams.kafka_secrets import secret
from streams.kafka_settings import KafkaSettings
from streams.log import LogError

_TIMEOUT_S = 5.0
_RENEW_SHARE = 0.8
"""A token is asked for anew once this share of its life is over."""
_LIFE_S = 300.0
"""Taken where the provider does not say how long a token lives."""
_MOST_BYTES = 1024 * 1024


class _Answer(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    expires_in: float = _LIFE_S


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets an answer that sends elsewhere stand as the error that it is here."""

    def redirect_request(self, *_: object) -> None:
        """Nothing is to be asked instead."""


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # untyped base
    """The token that stands in a file now; somebody else renews it there."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__()
        self._settings = settings

    def token(self) -> str:
        """Raises LogError when the file cannot be read."""
        return secret("oauth_token", None, self._settings.oauth_token_file).strip()


class EndpointTokens(AbstractTokenProvider):  # type: ignore[misc]  # untyped base
    """Tokens of a token endpoint, each used until most of its life is over."""

    def __init__(self, settings: KafkaSettings, tls: ssl.SSLContext) -> None:
        super().__init__()
        self._settings = settings
        self._tls = tls
        self._lock = threading.Lock()  # the clients of a process share it
        self._held = ""
        self._good_until_s = 0.0

    def token(self) -> str:
        """Raises LogError when the endpoint gives none and the last one is old."""
        with self._lock:
            if time.monotonic() >= self._good_until_s:
                answer = self._ask()
                self._held = answer.access_token
                self._good_until_s = time.monotonic() + _RENEW_SHARE * max(answer.expires_in, 0.0)
            return self._held

    def _ask(self) -> _Answer:
        settings = self._settings
        url = settings.oauth_token_url or ""
        password = secret(
            "oauth_client_secret", settings.oauth_client_secret, settings.oauth_client_secret_file
        )
        form = {"grant_type": "client_credentials"}
        if settings.oauth_scope is not None:
            form["scope"] = settings.oauth_scope
        quoted = [urllib.parse.quote(part, safe="") for part in (settings.oauth_client_id or "",
                                                                 password)]  # fmt: skip
        basic = base64.b64encode(":".join(quoted).encode()).decode()
        # Not redirected: the secret would go along, wherever to.
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self._tls), _NoRedirect()
        )
        request = urllib.request.Request(  # noqa: S310 - the settings take https:// alone
            url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {basic}", "Accept": "application/json"},
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return msgspec.json.decode(answer.read(_MOST_BYTES), type=_Answer)
        except urllib.error.HTTPError as error:
            error.close()  # it is the answer, with its connection
            raise LogError(
                f"the token endpoint {url} answers {error.code}; check kafka.oauth_token_url, "
                "kafka.oauth_client_id, kafka.oauth_client_secret and kafka.oauth_scope"
            ) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise LogError(
                f"the token endpoint {url} gives no token ({error}); check kafka.oauth_token_url "
                "and kafka.tls_ca"
            ) from error


def token_provider(settings: KafkaSettings, tls: ssl.SSLContext) -> AbstractTokenProvider:
    """Where the settings' tokens come from. `tls` is used towards a token endpoint."""
    if settings.oauth_token_file is not None:
        return FileTokens(settings)
    return EndpointTokens(settings, tls)
