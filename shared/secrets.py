"""Encrypts the secrets that are stored in MongoDB: AES-256-GCM with the keys of `LEADSCORE_SECRET_KEYS`.

Guarantee: a stored secret can only be read with one of the keys, and only in the place for which it was encrypted. No
`repr` and no error contains a key or a secret.
"""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, SecretStr, field_validator

from shared.private_files import write_private
from shared.settings import ProcessSettings, StartupError

KEY_BYTES = 32
_MAKE_ONE = "make a key with: openssl rand -base64 32"
_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES = 8, 12
_HEAD_BYTES = len(_VERSION) + _ID_BYTES


class SecretUnreadable(Exception):
    """A stored secret cannot be decrypted. The message says why."""


class SecretKeys:
    """Encrypts with the first key, and decrypts with any of them.

    A ciphertext is the version (1 byte), the id of its key (8 bytes of the key's SHA-256), a random nonce (12 bytes),
    and what AES-GCM returns.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {hashlib.sha256(key).digest()[:_ID_BYTES]: AESGCM(key) for key in keys}
        self._newest = next(iter(self._ciphers))

    def seal(self, text: str, place: Sequence[str]) -> bytes:
        """Encrypts a text. `place` says where it is stored; `open` with another one fails."""
        head, nonce = _VERSION + self._newest, os.urandom(_NONCE_BYTES)
        return head + nonce + self._ciphers[self._newest].encrypt(nonce, text.encode(), _bound(head, place))

    def open(self, sealed: bytes, place: Sequence[str]) -> str:
        """Decrypts a result of `seal`.

        Raises:
            SecretUnreadable: None of the keys encrypted it, it is damaged, or it was encrypted for another place.
        """
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:][:_NONCE_BYTES]
        if len(nonce) < _NONCE_BYTES or not head.startswith(_VERSION):
            raise SecretUnreadable("the stored secret is damaged")
        cipher = self._ciphers.get(head.removeprefix(_VERSION))
        if cipher is None:
            raise SecretUnreadable("no key in LEADSCORE_SECRET_KEYS encrypted the stored secret")
        try:
            return cipher.decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], _bound(head, place)).decode()
        except InvalidTag:
            raise SecretUnreadable("the stored secret is damaged, or was copied from another place") from None


class SecretSettings(ProcessSettings):
    """Settings of every process that stores or reads secrets."""

    secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that encrypt stored secrets, each 32 bytes in base64, separated by commas. The first one "
        "encrypts, and all of them decrypt.",
    )

    @field_validator("secret_keys")
    @classmethod
    def _check_keys(cls, text: SecretStr) -> SecretStr:
        read_keys(text.get_secret_value())
        return text

    def secret_keyring(self) -> SecretKeys:
        """Returns `secret_keys`.

        Raises:
            StartupError: There is none.
        """
        keys = read_keys(self.secret_keys.get_secret_value())
        if not keys:
            raise StartupError(
                f"LEADSCORE_SECRET_KEYS is not set, and stored secrets are encrypted with it; {_MAKE_ONE}"
            )
        return SecretKeys(keys)


def read_keys(text: str) -> list[bytes]:
    """Returns the keys in a text such as that of `LEADSCORE_SECRET_KEYS`; none in an empty one.

    Raises:
        ValueError: A key is malformed, or is given twice. The message has its number, but no part of it.
    """
    keys = [_read_key(number, part.strip()) for number, part in enumerate(text.split(","), 1)] if text.strip() else []
    if len(set(keys)) < len(keys):
        raise ValueError("a key is given twice")
    return keys


def new_key() -> str:
    """Returns a random key."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def keys_in(path: Path) -> str:
    """Returns the content of a file of keys. If there is no file, it makes one with a new key.

    Only the owner of the file can read it.
    """
    if not path.exists():
        write_private(path, f"{new_key()}\n")
    path.chmod(0o600)
    return path.read_text().strip()


def _read_key(number: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {number} is not {KEY_BYTES} bytes in base64; {_MAKE_ONE}")
    return key


def _bound(head: bytes, place: Sequence[str]) -> bytes:
    """Returns the associated data: what is not encrypted, but cannot be changed either."""
    return head + json.dumps(list(place)).encode()
