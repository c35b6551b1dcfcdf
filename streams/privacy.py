"""Identities that must not be kept: users and addresses become HMACs, secrets become hashes."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from typing import TypeVar

_SECRET = re.compile(
    r"^(?:Bearer\s+\S+|Basic\s+\S+|(?:sk|pk|rk)-[\w\-.]{8,}|AIza[\w\-]{20,}|gsk_\w{8,}"
    r"|xai-\w{8,}|eyJ[\w\-]+\.[\w\-.]+)$",
    re.IGNORECASE,
)
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_MOST_CACHED = 65_536
_Value = TypeVar("_Value")


class _Remembered(dict[str, _Value]):
    """Results by identity, made when asked for; forgets all when it holds 65,536."""

    def __init__(self, make: Callable[[str], _Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, identity: str) -> _Value:
        value = self._make(identity)
        if len(self) >= _MOST_CACHED:
            self.clear()
        self[identity] = value
        return value


class Privacy:
    """Replaces identities with the operator's key. Its results are looked up by identity.

    Attributes:
        pseudonyms: the first 32 hex digits of HMAC-SHA256 over an identity.
        names: an account or key as it may be kept: secrets hashed, an address as its pseudonym (an
            operator may take the address for the account; it is an address still).
        addresses: an address's pseudonym and its network (/24 or /48), None if it is no IP address.
    """

    def __init__(self, hmac_key: bytes) -> None:
        self._key = hmac_key
        self.pseudonyms = _Remembered(self._pseudonym)
        self.names = _Remembered(self._name)
        self.addresses = _Remembered(self._address)

    def _pseudonym(self, identity: str) -> str:
        raw = identity.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, raw, "sha256").hex()[:32]

    def _name(self, text: str) -> str:
        found = key_name(text)
        if found == text and ip_of(text) is not None:
            found = "ip:" + self.addresses[text][0]
        return found

    def _address(self, address: str) -> tuple[str, str | None]:
        if _IPV4.fullmatch(address):  # the common case, without the cost of ipaddress
            return self._pseudonym(address), address.rpartition(".")[0] + ".0/24"
        parsed = ip_of(address)
        if parsed is None:
            return self._pseudonym(address), None
        return self._pseudonym(str(parsed)), network_of(parsed)


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address out of a log's text, a port after it ignored."""
    if "." not in text and ":" not in text:
        return None
    text = text.strip().strip("[]")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    host, _, port = text.rpartition(":")
    if port.isdigit():
        try:
            return ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return None
    return None


def network_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The /24 or /48 that the address lies in; a mapped IPv4 address counts as IPv4."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv4Address):
        return str(address).rpartition(".")[0] + ".0/24"
    return str(ipaddress.ip_network((address, 48), strict=False))


def key_name(key: str) -> str:
    """A raw secret becomes "sha256:" and 16 hex digits; a hash or a name stays as it is."""
    if not _SECRET.match(key):
        return key
    secret = key.split(None, 1)[-1]
    return "sha256:" + hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:16]
