"""The key that encrypts the secrets of tests."""

import base64

from shared.secrets import SecretKeys, read_keys

KEY = base64.b64encode(bytes(range(32))).decode()
"""A value for `LEADSCORE_SECRET_KEYS`."""
KEYS = SecretKeys(read_keys(KEY))
