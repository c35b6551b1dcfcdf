"""Identities: pseudonyms, networks, names that may be kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

import pytest

from streams.privacy import Privacy


def pseudonym(identity: str) -> str:
    """HMAC-SHA256 as RFC 2104 has it, by the standard library's other interface."""
    return hmac.new(b"k", identity.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize(
    ("address", "same_as", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("255.249.199.0", "255.249.199.0", "255.249.199.0/24"),
        ("192.0.2.77:8080", "192.0.2.77", "192.0.2.0/24"),
        (" 192.0.2.77 ", "192.0.2.77", "192.0.2.0/24"),
        ("[2001:db8:1:2::5]:443", "2001:db8:1:2::5", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "::ffff:192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.256", "192.0.2.256", None),
        ("192.0.2.07", "192.0.2.07", None),
        ("١٩٢.0.2.7", "١٩٢.0.2.7", None),
        ("gateway-7", "gateway-7", None),
    ],
)
def test_addresses(address: str, same_as: str, network: str | None) -> None:
    """One address written in several ways has one pseudonym; what is none has no network."""
    expected = same_as
    if network is not None:
        expected = str(ipaddress.ip_address(same_as))
    assert Privacy(b"k").addresses[address] == (pseudonym(expected), network)


def test_names() -> None:
    """Names and hashes stay, secrets are hashed, an address as an account becomes a pseudonym."""
    names = Privacy(b"k").names
    assert names["acct_1"] == "acct_1"
    assert names["sk-abcdefghijkl"].startswith("sha256:")
    assert names["192.0.2.77"] == "ip:" + pseudonym("192.0.2.77")


def test_results_do_not_depend_on_what_is_remembered() -> None:
    """More identities than are remembered: every answer is still the same."""
    pseudonyms = Privacy(b"k").pseudonyms
    first = [pseudonyms[f"u{i}"] for i in range(70_000)]
    assert len(pseudonyms) <= 65_536
    assert first[:10] == [pseudonyms[f"u{i}"] for i in range(10)]
    assert first[0] == pseudonym("u0")
