"""The API's keys."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from detector.key_ring import ROLES, KeyFileError, KeyRing, Principal, new_key, read_keys
from detector.key_watch import KeyWatch

NOW_S = 1_760_000_000.0
SECRET = "a" * 43


def entry(number: int = 0, **fields: object) -> str:
    """An entry of the file; `fields` replace those of a good one."""
    given: dict[str, object] = {
        "id": f'"abcd{number}"',
        "sha256": f'"{number:064x}"',
        "role": '"viewer"',
        "tenant": '"default"',
        **fields,
    }
    return "[[keys]]\n" + "".join(f"{name} = {value}\n" for name, value in given.items())


def test_a_key_is_found_by_its_secret_alone() -> None:
    """The right key gives role and tenant; one wrong character, or another id, gives nothing."""
    secret, kept = new_key("analyst", "acme", id_bits=b"\x01\x02", secret_bits=SECRET)
    ring = KeyRing([kept])
    assert ring.find(secret, NOW_S) == Principal("0102", "analyst", "acme")
    assert secret not in repr(kept)
    for wrong in (secret[:-1] + "b", secret + "a", secret.replace("0102", "0103"), "", "sw_", "ü"):
        assert ring.find(wrong, NOW_S) is None, wrong


def test_a_key_ends() -> None:
    """From its end on it is refused."""
    ends = dt.datetime.fromtimestamp(NOW_S, dt.UTC)
    secret, kept = new_key("viewer", "*", id_bits=b"\x01\x02", secret_bits=SECRET, expires_at=ends)
    ring = KeyRing([kept])
    assert ring.find(secret, NOW_S - 0.001) is not None
    assert ring.find(secret, NOW_S) is None


def test_roles_include_those_below_and_only_admin_and_gateway_decide() -> None:
    """The whole table of who may do what."""
    table = {
        role: {other for other in ROLES if Principal("k", role, "*").may(other)} for role in ROLES
    }
    assert table == {
        "gateway": {"gateway"},
        "viewer": {"viewer"},
        "analyst": {"viewer", "analyst"},
        "admin": set(ROLES),
    }


def test_a_short_secret_is_refused() -> None:
    """Fewer than 128 random bits are no key."""
    with pytest.raises(ValueError, match="22 or more"):
        new_key("viewer", "*", id_bits=b"\x01\x02", secret_bits="a" * 21)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keys = 3", "array"),
        ("[[keys]]\n", "id"),
        ("[[keys", "array declaration"),
        (entry(role='"boss"'), "boss"),
        (entry(sha256='"00"'), "64 hex"),
        (entry(tenant='""'), "tenant"),
        (entry(owner='"x"'), "owner"),
        (entry(expires_at="2027-01-01T00:00:00"), "zone"),
        (entry(0) + entry(0), "two keys"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    """The error names the file and the fault, and how to make a good entry."""
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(KeyFileError, match=told) as caught:
        read_keys(file)
    assert str(file) in str(caught.value)
    assert "stillwatch keys new" in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """No such file is no empty ring."""
    with pytest.raises(KeyFileError, match="no such file"):
        read_keys(tmp_path / "none.toml")


def test_a_changed_file_is_taken_into_use_and_a_bad_one_is_not(tmp_path: Path) -> None:
    """New keys count from the next look on; a file in disorder or gone leaves the keys in use."""
    file = tmp_path / "keys.toml"
    file.write_text(entry(1))
    ring = read_keys(file)
    watch = KeyWatch(file, ring)
    assert not watch.look()
    file.write_text(entry(1) + entry(2))
    assert watch.look()
    assert len(ring) == 2
    file.write_text("[[keys")
    assert not watch.look()
    file.unlink()
    assert not watch.look()
    assert len(ring) == 2
    file.write_text(entry(3))
    assert watch.look()
    assert [key.id for key in ring.entries()] == ["abcd3"]
