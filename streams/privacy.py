"""Identities that must not be kept: users and addresses become HMACs, secrets become hashes."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re

_SECRET = re.compile(
    r"^(?:Bearer\s+\S+|Basic\s+\S+|(?:sk|pk|rk)-[\w\-.]{8,}|AIza[\w\-]{20,}|gsk_\w{8,}"
    r"|xai-\w{8,}|eyJ[\w\-]+\.[\w\-.]+)$",
    re.IGNORECASE,
)
_MOST_CACHED = 65_536


class Privacy:
    """Replaces identities with the operator's key; the last 65,536 results are remembered."""

    def __init__(self, hmac_key: bytes) -> None:
        self._key = hmac_key
        self._users: dict[str, str] = {}
        self._addresses: dict[str, tuple[str, str | None]] = {}
        self._names: dict[str, str] = {}

    def pseudonym(self, identity: str) -> str:
        """The first 32 hex digits of HMAC-SHA256 over the identity."""
        found = self._users.get(identity)
        if found is None:
            raw = identity.encode("utf-8", "surrogatepass")
            found = hmac.new(self._key, raw, hashlib.sha256).hexdigest()[:32]
            if len(self._users) >= _MOST_CACHED:
                self._users.clear()
            self._users[identity] = found
        return found

    def name(self, text: str) -> str:
        """An account or key as it may be kept: secrets hashed, an address as its pseudonym.

        An operator may take the address for the account; it is an address still.
        """
        found = self._names.get(text)
        if found is None:
            found = key_name(text)
            if found == text and ip_of(text) is not None:
                found = "ip:" + self.address(text)[0]
            if len(self._names) >= _MOST_CACHED:
                self._names.clear()
            self._names[text] = found
        return found

    def address(self, address: str) -> tuple[str, str | None]:
        """The address's pseudonym and its network (/24 or /48), None if it is no IP address."""
        found = self._addresses.get(address)
        if found is None:
            parsed = ip_of(address)
            found = (
                self.pseudonym(str(parsed) if parsed else address),
                network_of(parsed) if parsed else None,
            )
            if len(self._addresses) >= _MOST_CACHED:
                self._addresses.clear()
            self._addresses[address] = found
        return found


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address out of a log's text, a port after it ignored."""
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
    length = 24 if isinstance(address, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network((address, length), strict=False))


def key_name(key: str) -> str:
    """A raw secret becomes "sha256:" and 16 hex digits; a hash or a name stays as it is."""
    if not _SECRET.match(key):
        return key
    secret = key.split(None, 1)[-1]
    return "sha256:" + hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:16]
