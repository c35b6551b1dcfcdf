"""The API's keys: who may call, as what, and for which tenant.

A key is `sw_<id>_<secret>`. The file holds its id and the SHA-256 of the whole key, never the key:
a secret of 256 random bits needs no slow hash. The file is TOML, one `[[keys]]` table a key:

    [[keys]]
    id = "3f9ac2d41b07"
    sha256 = "…64 hex digits…"
    role = "gateway"
    tenant = "default"              # "*": every tenant
    label = "edge nginx"            # may be left out
    expires_at = 2027-01-01T00:00:00Z   # may be left out
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from detector.errors import DetectorError

Role = Literal["gateway", "viewer", "analyst", "admin"]
"""`gateway` asks for decisions only; `viewer` reads alerts; `analyst` accounts too; `admin` all."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
EVERY_TENANT: Final = "*"

_GRANTS: Final[dict[Role, frozenset[Role]]] = {
    "gateway": frozenset({"gateway"}),
    "viewer": frozenset({"viewer"}),
    "analyst": frozenset({"viewer", "analyst"}),
    "admin": frozenset(ROLES),
}
_KEY: Final = re.compile(r"sw_([a-z0-9]{4,32})_([A-Za-z0-9_\-]{22,})")
_NO_SUCH_KEY: Final = "0" * 64


class KeyFileError(DetectorError):
    """The keys file is missing, cannot be read or holds a wrong entry."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"keys file {path}: {problem}; make an entry with "
            f"`stillwatch keys new --role viewer --tenant default --keys {path}`"
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who called: a key that was found good."""

    key_id: str
    role: Role
    tenant: str
    """The one tenant it may see; "*" is every tenant."""

    def may(self, role: Role) -> bool:
        """Whether the key's role includes `role`."""
        return role in _GRANTS[self.role]

    def sees(self, tenant: str) -> bool:
        """Whether the key may see what belongs to `tenant`."""
        return self.tenant in (EVERY_TENANT, tenant)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the keys file."""

    id: str
    sha256: str
    role: Role
    tenant: str
    label: str = ""
    expires_at: dt.datetime | None = None
    """The key is refused from this moment on."""

    def expired(self, now_s: float) -> bool:
        """Whether the key's time is over. `now_s`: UTC epoch seconds."""
        return self.expires_at is not None and self.expires_at.timestamp() <= now_s


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[ApiKey] = []


class KeyRing:
    """Every key that the API knows."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        """Raises ValueError when two keys have one id."""
        self._keys: dict[str, ApiKey] = {}
        self.replace(keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Takes these keys in place of the present ones. Raises ValueError and changes nothing."""
        taken: dict[str, ApiKey] = {}
        for key in keys:
            if key.id in taken:
                raise ValueError(f"two keys have the id {key.id!r}")
            taken[key.id] = key
        self._keys = taken

    def __len__(self) -> int:
        return len(self._keys)

    def entries(self) -> list[ApiKey]:
        """The entries in the file's order."""
        return list(self._keys.values())

    def find(self, presented: str, now_s: float) -> Principal | None:
        """Whose key this is; None when it is no key, not ours, wrong or expired.

        Takes the same time for an unknown id as for a wrong secret.
        """
        match = _KEY.fullmatch(presented)
        key = self._keys.get(match[1]) if match is not None else None
        digest = hashlib.sha256(presented.encode("utf-8", "replace")).hexdigest()
        same = hmac.compare_digest(digest, _NO_SUCH_KEY if key is None else key.sha256)
        if key is None or not same or key.expired(now_s):
            return None
        return Principal(key.id, key.role, key.tenant)


def new_key(
    role: Role,
    tenant: str,
    *,
    id_bits: bytes,
    secret_bits: str,
    label: str = "",
    expires_at: dt.datetime | None = None,
) -> tuple[str, ApiKey]:
    """A key and its entry. The caller draws the randomness: the edge alone does.

    id_bits: a few random bytes; secret_bits: at least 128 random bits as URL-safe text.
    Raises ValueError for a secret that is too short.
    """
    secret = f"sw_{id_bits.hex()}_{secret_bits}"
    if _KEY.fullmatch(secret) is None:
        raise ValueError("a key needs 2 to 16 bytes of id and 22 or more URL-safe characters")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    entry = ApiKey(
        id=id_bits.hex(),
        sha256=digest,
        role=role,
        tenant=tenant,
        label=label,
        expires_at=expires_at,
    )
    return secret, entry


def read_keys(path: Path) -> KeyRing:
    """The keys of a file. Raises KeyFileError saying what is wrong with it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        keys = msgspec.convert(raw, _File).keys
        _check(keys)
        return KeyRing(keys)
    except FileNotFoundError as error:
        raise KeyFileError(path, "there is no such file") from error
    except OSError as error:
        raise KeyFileError(path, error.strerror or str(error)) from error
    except (ValueError, msgspec.ValidationError) as error:  # UnicodeError, TOMLDecodeError too
        raise KeyFileError(path, str(error)) from error


def _check(keys: Iterable[ApiKey]) -> None:
    for key in keys:
        if not re.fullmatch(r"[0-9a-f]{64}", key.sha256):
            raise ValueError(f"key {key.id!r}: sha256 must be 64 hex digits in lower case")
        if not key.tenant:
            raise ValueError(f'key {key.id!r}: tenant must be a name, or "*" for every tenant')
        if key.expires_at is not None and key.expires_at.tzinfo is None:
            raise ValueError(f"key {key.id!r}: expires_at needs its zone (2027-01-01T00:00:00Z)")
