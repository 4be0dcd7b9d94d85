"""Tokens of an issuer: who is let in, with which roles, and what happens when the issuer changes its keys."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from joserfc import jwk, jwt

from shared.access import oidc
from shared.access.oidc import Tokens
from shared.access.roles import Role
from shared.access.token_rules import TokenRules, read_roles, require_safe
from testkit.waiting import eventually
from tests.shared.access.issuer import Issuer, running_issuer

ROLES = {"analysts": frozenset({Role.READ}), "admins": frozenset({Role.ADMIN, Role.OPERATE})}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.05)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@asynccontextmanager
async def trusting(issuer: Issuer, clock: Callable[[], float] = time.time, **rules: Any) -> AsyncIterator[Tokens]:
    """Yields what verifies the tokens of an issuer, with its keys fetched."""
    tokens = Tokens(TokenRules(issuer.url, "leadscore", ROLES, **rules), clock)
    running = asyncio.create_task(tokens.run())

    async def is_known() -> bool:
        return tokens.verify(issuer.sign(claims(issuer) | rules_of_names(rules))) is not None

    try:
        await eventually(is_known, what="the keys are fetched")
        yield tokens
    finally:
        running.cancel()
        await asyncio.wait([running])


def rules_of_names(rules: Mapping[str, Any]) -> dict[str, str]:
    return {rules["name_claim"]: "ada"} if "name_claim" in rules else {}


async def check_recovery(issuer: Issuer, **spoilt: object) -> None:
    """Checks that tokens are accepted while the issuer is spoilt, and that new keys are fetched when it is mended."""
    good = {name: getattr(issuer, name) for name in spoilt}
    async with trusting(issuer) as tokens:
        vars(issuer).update(spoilt)
        issuer.add_key("second")
        new, asked = issuer.sign(claims(issuer), "second"), issuer.discoveries

        async def is_asked_twice() -> bool:
            assert tokens.verify(new) is None
            return issuer.discoveries >= asked + 2

        await eventually(is_asked_twice, what="the issuer is asked again although it answered nonsense")
        assert tokens.verify(issuer.sign(claims(issuer))) is not None
        vars(issuer).update(good)

        async def is_known() -> bool:
            return tokens.verify(new) is not None

        await eventually(is_known, what="the key is fetched")


def claims(issuer: Issuer, **others: Any) -> dict[str, Any]:
    """Returns the claims of a good token; None leaves one out."""
    good = {
        "iss": issuer.url, "aud": "leadscore", "sub": "ada", "roles": ["analysts"], "exp": int(time.time()) + 300,
    }  # fmt: skip
    return {name: value for name, value in (good | others).items() if value is not None}


async def test_a_token_of_the_issuer_has_the_name_and_the_roles_of_its_claims(issuer: Issuer) -> None:
    async with trusting(issuer) as tokens:
        caller = tokens.verify(issuer.sign(claims(issuer, aud=["other", "leadscore"], roles=["analysts", "admins"])))
    assert caller is not None
    assert (caller.name, caller.key_id) == ("ada", "")
    assert caller.roles == {Role.READ, Role.ADMIN, Role.OPERATE}


@pytest.mark.parametrize(
    ("claim", "given"),
    [
        ("roles", {"roles": "analysts other"}),
        ("realm.access", {"realm": {"access": ["analysts", 7]}}),
        ("https://leadscore.example/roles", {"https://leadscore.example/roles": ["analysts"]}),
    ],
)
async def test_the_claim_may_be_a_text_a_path_or_a_url(issuer: Issuer, claim: str, given: dict[str, Any]) -> None:
    async with trusting(issuer, roles_claim=claim) as tokens:
        caller = tokens.verify(issuer.sign(claims(issuer, roles=None) | given))
    assert caller is not None
    assert caller.roles == {Role.READ}


@pytest.mark.parametrize("given", [None, [], "", 7, {"a": 1}, ["strangers"]])
async def test_a_token_without_a_known_role_may_do_nothing(issuer: Issuer, given: object) -> None:
    async with trusting(issuer) as tokens:
        caller = tokens.verify(issuer.sign(claims(issuer, roles=given)))
    assert caller is not None
    assert caller.roles == frozenset()


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"nbf": 2**40}, {"iat": 2**40},
        {"iss": "https://other.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": []},
        {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "a" * 257},
    ],
)  # fmt: skip
async def test_a_token_with_a_wrong_claim_is_refused(issuer: Issuer, wrong: dict[str, Any]) -> None:
    async with trusting(issuer) as tokens:
        assert tokens.verify(issuer.sign(claims(issuer, **wrong))) is None


async def test_a_token_that_the_issuer_has_not_signed_is_refused(issuer: Issuer) -> None:
    good, body = issuer.sign(claims(issuer)), claims(issuer)
    header, payload, signature = good.split(".")
    other = jwk.generate_key("EC", "P-256", {"kid": "first"})
    shared_secret = jwk.OctKey.import_key(json.dumps(issuer.published[0]).ljust(32), {"kid": "first"})
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","kid":"first"}').rstrip(b"=").decode()
    forged = [
        jwt.encode({"alg": "ES256", "kid": "first"}, body, other),
        jwt.encode({"alg": "HS256", "kid": "first"}, body, shared_secret),
        jwt.encode({"alg": "ES256", "kid": "unheard-of"}, body, other),
        f"{nothing}.{payload}.",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload[:-2]}.{signature}",
        good[:40], f"{good}.{signature}.{signature}", "", ".", "..", "a.b.c", "\0", "ä.ö.ü", "x" * 8000,
    ]  # fmt: skip
    async with trusting(issuer) as tokens:
        assert tokens.verify(good) is not None
        assert [each for each in forged if tokens.verify(each)] == []


async def test_clocks_may_differ_by_the_leeway(issuer: Issuer) -> None:
    now = time.time()
    async with trusting(issuer, lambda: now, leeway=60) as tokens:
        token = issuer.sign(claims(issuer, exp=int(now) - 30))
        assert tokens.verify(token) is not None
        assert tokens.verify(issuer.sign(claims(issuer, exp=int(now) - 61))) is None
        assert tokens.verify(issuer.sign(claims(issuer, nbf=int(now) + 30))) is not None
        now += 31
        assert tokens.verify(token) is None, "expected a token that was accepted before to expire"


async def test_a_key_that_the_issuer_adds_is_fetched_when_a_token_names_it(issuer: Issuer) -> None:
    async with trusting(issuer) as tokens:
        old = issuer.sign(claims(issuer))
        assert tokens.verify(old) is not None
        issuer.add_key("second", "RSA", 2048)
        issuer.remove_key("first")
        new = issuer.sign(claims(issuer), "second", "RS256")

        async def is_known() -> bool:
            return tokens.verify(new) is not None

        await eventually(is_known, what="the new key is fetched")
        assert tokens.verify(old) is None, "expected a removed key to be of no use, although the token was verified"


async def test_keys_remain_valid_while_the_issuer_is_down(issuer: Issuer) -> None:
    async with trusting(issuer) as tokens:
        issuer.is_down, fetched = True, issuer.fetches
        issuer.add_key("second")
        unknown = issuer.sign(claims(issuer), "second")
        assert tokens.verify(unknown) is None
        assert tokens.verify(issuer.sign(claims(issuer))) is not None
        issuer.is_down = False

        async def is_known() -> bool:
            return tokens.verify(unknown) is not None

        await eventually(is_known, what="the key is fetched once the issuer is up again")
        assert issuer.fetches > fetched


async def test_tokens_with_unknown_keys_cause_few_fetches(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with trusting(issuer) as tokens:
        monkeypatch.setattr(oidc, "RETRY_SECONDS", 3600.0)
        fetched = issuer.fetches
        other = jwk.generate_key("EC", "P-256")
        for number in range(200):
            assert tokens.verify(jwt.encode({"alg": "ES256", "kid": str(number)}, claims(issuer), other)) is None
            await asyncio.sleep(0)
        assert issuer.fetches <= fetched + 1


async def test_keys_that_cannot_be_used_are_skipped(issuer: Issuer) -> None:
    encrypting = jwk.generate_key("EC", "P-256").as_dict(private=False) | {"use": "enc", "kid": "enc"}
    issuer.published = [{"kty": "future"}, {"kty": "EC"}, 7, {}, encrypting, *issuer.published]
    async with trusting(issuer) as tokens:
        assert tokens.verify(issuer.sign(claims(issuer))) is not None


async def test_an_issuer_with_another_name_is_not_trusted(issuer: Issuer) -> None:
    issuer.calls_itself = "https://other.example"
    tokens = Tokens(TokenRules(issuer.url, "leadscore", ROLES))
    running = asyncio.create_task(tokens.run())

    async def is_asked_twice() -> bool:
        return issuer.discoveries >= 2

    await eventually(is_asked_twice, what="the issuer is asked again")
    running.cancel()
    await asyncio.wait([running])
    assert issuer.fetches == 0


@pytest.mark.parametrize(
    "uri", ["https://exa mple/keys", "https://[", "https://\0", "ftp://a", "http://issuer.example/keys", "", 7, None]
)
async def test_an_issuer_without_a_good_address_of_its_keys_harms_nothing(issuer: Issuer, uri: object) -> None:
    await check_recovery(issuer, jwks_uri=uri)


@pytest.mark.parametrize(
    "content", [b"", b"no JSON", b"[]", b"7", b"\xff\xfe", b"[" * 200_000, b"{" + b" " * 2**20 + b"}"]
)
async def test_an_issuer_that_answers_nonsense_harms_nothing(issuer: Issuer, content: bytes) -> None:
    await check_recovery(issuer, spoilt=content)


async def test_remembered_tokens_are_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "MAX_VERIFIED", 3)
    async with trusting(issuer) as tokens:
        many = [issuer.sign(claims(issuer, jti=str(number))) for number in range(9)]
        assert all(tokens.verify(each) for each in many)
        assert len(tokens._verified) == 3
        assert all(tokens.verify(each) for each in many)


def test_the_values_of_a_claim_give_roles() -> None:
    assert read_roles("analysts=read, admins=admin,admins=operate") == {
        "analysts": {Role.READ},
        "admins": {Role.ADMIN, Role.OPERATE},
    }
    assert read_roles("a=b=read") == {"a=b": {Role.READ}}


@pytest.mark.parametrize("text", ["", "analysts", "=read", "analysts=", "analysts=owner", "a=read,"])
def test_a_malformed_table_of_roles_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"role|Role"):
        read_roles(text)


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://issuer.example", "issuer.example", "https://", ""])
def test_an_issuer_needs_https_except_on_this_machine(url: str) -> None:
    assert require_safe("https://issuer.example/realm") == "https://issuer.example/realm"
    assert require_safe("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    with pytest.raises(ValueError, match="must be an https URL"):
        require_safe(url)
