"""The keys that calls must bring: read once, compared in constant time, never shown."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from app.settings import Settings
from cove.errors import SettingsError


@dataclass(frozen=True)
class Keys:
    """Digests of the keys: what is compared has one length, and no key stays in memory."""

    api: bytes | None
    admin: bytes | None

    def may_read(self, given: str | None) -> bool:
        """Whether a key opens the calls that change nothing; the admin's does too."""
        if self.api is None:
            return True
        digest = _digest(given or "")
        as_user, as_admin = _equal(digest, self.api), _equal(digest, self.admin)
        return as_user or as_admin

    def may_change(self, given: str | None) -> bool:
        """Whether a key opens the calls that change something; without an admin key none does."""
        return _equal(_digest(given or ""), self.admin)


def given_key(headers: Mapping[str, str]) -> str | None:
    """The key of a request: `Authorization: Bearer KEY`, or `X-API-Key: KEY`."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def read_keys(settings: Settings) -> Keys:
    """The keys of the settings, or of the files that they name.

    Raises:
        SettingsError: both a key and its file are given, or a file holds no key; no key is named.
    """
    return Keys(
        api=_read("COVE_API_KEY", settings.api_key, settings.api_key_file),
        admin=_read("COVE_ADMIN_KEY", settings.admin_key, settings.admin_key_file),
    )


def _read(name: str, value: SecretStr | None, file: Path | None) -> bytes | None:
    if value is not None and file is not None:
        raise SettingsError(f"give {name} or {name}_FILE, not both")
    if file is None:
        key = None if value is None else value.get_secret_value()
    else:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{name}_FILE: {file} cannot be read as text") from None
    if key is None:
        return None
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        source = name if file is None else f"{name}_FILE"
        raise SettingsError(f"{source}: a key is printable ASCII without spaces around it")
    return _digest(key)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _equal(digest: bytes, expected: bytes | None) -> bool:
    return hmac.compare_digest(digest, expected or b"")
