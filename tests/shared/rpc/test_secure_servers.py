"""Servers over TLS: who is let in, what is agreed on, and certificates that change while the server runs."""

import asyncio
import ssl
from pathlib import Path

import grpc
import pytest

from shared.rpc import tls
from shared.rpc.channels import connect
from testkit.certificates import Authority
from tests.shared.rpc.secure import Doorman, ask, guarding, handshake, settings_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the files at every use, and not once a second."""
    monkeypatch.setattr(tls, "CHECK_SECONDS", 0.0)


def trusting(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(["h2"])
    return context


def required(authority: Authority) -> dict[str, str]:
    return {**authority.issue("server"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}


def spoil(path: str) -> None:
    Path(path).write_text("neither key nor certificate")


async def refused(address: str, *settings: dict[str, str]) -> str:
    """Returns why a call is not possible."""
    async with connect(address, settings_of(*settings)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(channel)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    return caught.value.details() or ""


async def test_a_call_over_tls_is_answered(authority: Authority) -> None:
    async with (
        guarding(settings_of(authority.issue("server"))) as address,
        connect(address, settings_of(authority.trusted())) as channel,
    ):
        assert await ask(channel) == ""


async def test_the_authorities_of_the_system_are_the_default(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ssl.get_default_verify_paths()._replace(cafile=str(authority.file))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    async with (
        guarding(settings_of(authority.issue("server"))) as address,
        connect(address, settings_of(tls="true")) as channel,
    ):
        assert await ask(channel) == ""


async def test_a_server_for_another_name_is_called_by_that_name(authority: Authority) -> None:
    async with (
        guarding(settings_of(authority.issue("server", "scores.internal"))) as address,
        connect(address, settings_of(authority.trusted(), tls_server_name="scores.internal")) as channel,
    ):
        assert await ask(channel) == ""


async def test_a_required_certificate_says_who_calls(authority: Authority) -> None:
    mine = {**authority.trusted(), **authority.issue("client", "intelligence.internal", "spare.internal")}
    async with (
        guarding(settings_of(required(authority))) as address,
        connect(address, settings_of(mine)) as channel,
    ):
        assert await ask(channel) == "intelligence.internal,spare.internal"


async def test_callers_without_the_right_certificate_are_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    async with guarding(settings_of(required(authority))) as address:
        await refused(address, authority.trusted())
        await refused(address, authority.trusted(), stranger.issue("client"))


async def test_servers_without_the_right_certificate_are_not_called(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    async with guarding(settings_of(stranger.issue("server"))) as address:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(address, authority.trusted())
    async with guarding(settings_of(authority.issue("server", "other.internal"))) as address:
        assert "Hostname Verification Check failed" in await refused(address, authority.trusted())


async def test_plain_text_and_tls_do_not_meet(authority: Authority) -> None:
    async with guarding(settings_of(authority.issue("server"))) as address:
        await refused(address)
    async with guarding(settings_of()) as address:
        assert "WRONG_VERSION_NUMBER" in await refused(address, authority.trusted())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_secure_versions_of_tls_are_served(authority: Authority, version: ssl.TLSVersion) -> None:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    async with guarding(settings_of(authority.issue("server"))) as address:
        agreed = await handshake(address, context)
    assert agreed.protocol == version.name.replace("_", ".")
    assert agreed.application == "h2"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_of_tls_are_refused(authority: Authority, version: ssl.TLSVersion) -> None:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with guarding(settings_of(authority.issue("server"))) as address:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await handshake(address, context)


async def test_only_ciphers_with_forward_secrecy_and_authentication_are_served(authority: Authority) -> None:
    accepted = set()
    async with guarding(settings_of(authority.issue("server"))) as address:
        context = trusting(authority)
        context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        offered = [each["name"] for each in context.get_ciphers() if not each["name"].startswith("TLS_")]
        for name in offered:
            context = trusting(authority)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"{name}:@SECLEVEL=0")
            try:
                accepted.add((await handshake(address, context)).cipher)
            except (ssl.SSLError, ConnectionError):
                continue
    assert accepted, "expected some cipher of TLS 1.2 to be accepted"
    weak = {name for name in accepted if not (name.startswith("ECDHE-") and ("GCM" in name or "POLY1305" in name))}
    assert not weak, f"{len(offered)} ciphers offered"


async def test_a_new_connection_gets_the_new_certificate_of_a_server(authority: Authority) -> None:
    async with (
        guarding(settings_of(authority.issue("server"))) as address,
        connect(address, settings_of(authority.trusted())) as channel,
    ):
        before = await handshake(address, trusting(authority))
        assert await ask(channel) == ""
        authority.issue("server")
        after = await handshake(address, trusting(authority))
        assert after.certificate != before.certificate
        assert await ask(channel) == "", "expected open connections to remain"


async def test_a_broken_new_certificate_leaves_a_server_as_it_is(authority: Authority) -> None:
    pair = authority.issue("server")
    async with guarding(settings_of(pair)) as address:
        before = await handshake(address, trusting(authority))
        spoil(pair["LEADSCORE_TLS_KEY_FILE"])
        assert (await handshake(address, trusting(authority))).certificate == before.certificate
        authority.issue("server")
        assert (await handshake(address, trusting(authority))).certificate != before.certificate


async def test_a_server_trusts_a_new_authority_of_its_clients(authority: Authority, tmp_path: Path) -> None:
    newcomer = Authority(tmp_path / "newcomer")
    theirs = {**authority.trusted(), **newcomer.issue("client", "newcomer.internal")}
    async with guarding(settings_of(required(authority))) as address:
        await refused(address, theirs)
        authority.file.write_bytes(authority.file.read_bytes() + newcomer.file.read_bytes())
        async with connect(address, settings_of(theirs)) as channel:
            assert await ask(channel) == "newcomer.internal"


async def test_a_channel_shows_a_new_certificate_at_the_next_call(authority: Authority) -> None:
    mine = {**authority.trusted(), **authority.issue("client", "before.internal")}
    async with (
        guarding(settings_of(required(authority))) as address,
        connect(address, settings_of(mine)) as channel,
    ):
        assert await ask(channel) == "before.internal"
        authority.issue("client", "after.internal")
        assert await ask(channel) == "after.internal"


async def test_a_running_call_ends_on_the_old_channel(authority: Authority) -> None:
    doorman = Doorman()
    mine = {**authority.trusted(), **authority.issue("client", "before.internal")}
    async with (
        guarding(settings_of(required(authority)), doorman) as address,
        connect(address, settings_of(mine)) as channel,
    ):
        running = asyncio.create_task(ask(channel, "Wait"))
        await doorman.busy.wait()
        authority.issue("client", "after.internal")
        assert await ask(channel) == "after.internal"
        doorman.free.set()
        assert await running == "before.internal"


async def test_a_broken_new_certificate_leaves_a_channel_as_it_is(authority: Authority) -> None:
    mine = {**authority.trusted(), **authority.issue("client", "before.internal")}
    async with (
        guarding(settings_of(required(authority))) as address,
        connect(address, settings_of(mine)) as channel,
    ):
        spoil(mine["LEADSCORE_TLS_CERT_FILE"])
        assert await ask(channel) == "before.internal"
