"""Tokens of an OpenID Connect issuer, a second way in beside API keys.

Guarantee: a token is accepted only if a key that the issuer publishes has signed it with an asymmetric algorithm, it is
for our audience, and it has not expired. No call waits for the issuer: its keys are fetched in the background. While it
is unreachable, the last keys remain valid.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx
from joserfc import jwk, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from shared import logs
from shared.access.callers import Caller
from shared.access.roles import Role
from shared.access.token_rules import TokenRules, require_safe
from shared.tasks import is_cancelled

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Asymmetric ones only: with the others, whoever can verify a token can also make one."""
REFRESH_SECONDS = 300.0
"""Interval at which the keys of the issuer are fetched anew."""
RETRY_SECONDS = 5.0
"""Shortest time between two fetches: after a failure, or when a token names a key that is not known yet."""
FETCH_SECONDS = 5.0
MAX_BYTES = 1024 * 1024
"""Largest document of an issuer."""
MAX_VERIFIED = 1_000
"""Verified tokens that are remembered, because verifying a signature costs far more than the rest of a small call."""
MAX_NAME = 256

_LOG = logs.get(__name__)


class IssuerError(Exception):
    """The issuer's answer cannot be used; the text says why."""


_UNUSABLE = (httpx.HTTPError, httpx.InvalidURL, IssuerError, ValueError, RecursionError)
"""Whatever an issuer answers, these are the only errors. They must not end the server."""


class Tokens:
    """Tells who the bearer of a token is; `run` must be running."""

    def __init__(self, rules: TokenRules, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock
        self._keys = jwk.KeySet([])
        self._published: object = None
        self._verified: dict[str, Caller] = {}
        self._is_key_missing = asyncio.Event()
        self._registry = jwt.JWTClaimsRegistry(
            lambda: int(clock()),
            rules.leeway,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            exp={"essential": True},
        )

    def verify(self, token: str) -> Caller | None:
        """Returns the bearer of a token; None if the token is not valid."""
        known = self._verified.get(token)
        if known is None:
            known = self._check(token)
            if known is not None:
                self._remember(token, known)
        return known if known is not None and self._clock() < known.ends_at else None

    async def run(self) -> None:
        """Fetches the keys of the issuer again and again, until it is cancelled."""
        is_stale = False
        async with httpx.AsyncClient(timeout=FETCH_SECONDS, verify=ssl.create_default_context()) as client:
            while not is_cancelled():
                self._is_key_missing.clear()
                try:
                    self._publish(await _fetch_keys(client, self._rules.issuer))
                    is_stale = False
                except _UNUSABLE as error:
                    if not is_stale:
                        _LOG.warning(
                            "keys of the token issuer cannot be fetched; the last ones remain valid",
                            issuer=self._rules.issuer,
                            error=logs.one_line(error),
                        )
                    is_stale = True
                await asyncio.sleep(RETRY_SECONDS)
                if not is_stale:
                    await self._until_due()

    async def _until_due(self) -> None:
        """Waits until the next regular fetch, or until a token names a key that is not known."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_SECONDS):
                await self._is_key_missing.wait()

    def _publish(self, published: object) -> None:
        """Replaces the keys, and forgets the tokens that were verified with the previous ones."""
        if published != self._published:
            self._keys, self._published = jwk.KeySet(list(_usable(published))), published
            self._verified.clear()
            _LOG.info("keys of the token issuer fetched", issuer=self._rules.issuer, keys=len(self._keys.keys))

    def _check(self, token: str) -> Caller | None:
        try:
            claims = jwt.decode(token, self._keys, ALGORITHMS).claims
            self._registry.validate(claims)
        except InvalidKeyIdError:
            self._is_key_missing.set()
            return None
        except (JoseError, ValueError, TypeError, RecursionError):
            return None  # whatever is wrong with it, the caller learns nothing
        name = claims.get(self._rules.name_claim)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            return None
        return Caller(name, self._roles(claims), ends_at=claims["exp"] + self._rules.leeway)

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        given = (self._rules.roles.get(value, frozenset()) for value in _values(claims, self._rules.roles_claim))
        return frozenset[Role]().union(*given)

    def _remember(self, token: str, caller: Caller) -> None:
        if len(self._verified) >= MAX_VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = caller


async def _fetch_keys(client: httpx.AsyncClient, issuer: str) -> object:
    """Returns the keys that an issuer publishes, as JSON values.

    Raises:
        HTTPError, IssuerError, ValueError: The issuer does not answer, or not as OpenID Connect Discovery says.
    """
    discovered = await _get(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if discovered.get("issuer") != issuer:
        raise IssuerError(f"the issuer calls itself {discovered.get('issuer')!r}")
    keys = (await _get(client, require_safe(str(discovered.get("jwks_uri"))))).get("keys")
    if not isinstance(keys, list):
        raise IssuerError("the issuer's keys are not a list")
    return keys


async def _get(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    content = b""
    async with client.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise IssuerError(f"{url} answered {response.status_code}")
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_BYTES:
                raise IssuerError(f"{url} answered more than {MAX_BYTES:,} bytes")
    document = json.loads(content)
    if not isinstance(document, dict):
        raise IssuerError(f"{url} did not answer with an object")
    return document


def _usable(published: Any) -> Iterable[jwk.Key]:  # noqa: ANN401 (any JSON value)
    """Yields the keys that signatures can be verified with. Keys of unknown kinds are skipped, as RFC 7517 says."""
    for each in published:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            key = jwk.import_key(each)
            if key.key_type != "oct" and each.get("use", "sig") == "sig":
                yield key


def _values(claims: Mapping[str, Any], name: str) -> Iterable[str]:
    """Yields the values of a claim: a list of texts, or one text with spaces between them, as in `scope`.

    The name may be a path, such as `realm_access.roles`, unless a claim has exactly this name.
    """
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    values = found.split() if isinstance(found, str) else found
    yield from (each for each in values if isinstance(each, str)) if isinstance(values, list) else ()
