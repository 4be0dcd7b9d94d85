"""Not one connection to an address that is refused, however it is named."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from automation_service.delivery.address_guard import KEEP_SECONDS, Guard, GuardedTransport, Resolve, SystemResolver
from automation_service.delivery.receivers import AllReceivers, HttpReceivers, open_client
from automation_service.domain.address import Networks, read_networks
from automation_service.domain.delivery import Delivery, Fate
from automation_service.domain.limits import InvalidRule
from automation_service.domain.receiver import Slack, Webhook
from automation_service.domain.url import check_url
from shared import wire
from testkit.receiver import SECRET, Receiver, receiving
from testkit.waiting import eventually
from tests.automation.fakes import webhook

DELIVERY = Delivery("e-1", "crm", "webhook", "https://crm.example", b"{}")
RESOLVER = SystemResolver()
TLS = httpx.create_ssl_context(trust_env=False)
LOOPBACK = read_networks(["127.0.0.0/8"])

HOSTILE = [
    "127.0.0.1", "127.1", "127.0.1", "127.000.000.001", "0177.0.0.1", "0177.0.0.01", "0x7f.0.0.1", "0x7f.1",
    "0x7f000001", "0X7F000001", "2130706433", "017700000001", "127.0.0.1.", "0", "0x0", "00",
    "127.255.255.254", ".".join("0000"),
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]",
    "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[100::1]", "[2001:db8::1]",
    "localhost", "LOCALHOST", "localhost.", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254",
    "0xa9fea9fe", "2852039166", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "①②⑦.0.0.1", "127。0。0。1", "user@127.0.0.1",
    "crm.example@127.0.0.1", "127.0.0.1#@crm.example", "crm.example\\@127.0.0.1", "127.0.0.1%00", "127.0.0.1 ",
    "%31%32%37.0.0.1",
]  # fmt: skip
"""Hosts that mean this machine, or one that only this machine's network can reach."""


@pytest.fixture
async def canary() -> AsyncIterator[Receiver]:
    """Listens on loopback, and should never hear anything."""
    async with receiving() as receiver:
        yield receiver


_clients: list[httpx.AsyncClient] = []


@pytest.fixture(autouse=True)
async def closing() -> AsyncIterator[None]:
    """Closes what `receivers` has opened."""
    yield
    while _clients:
        await _clients.pop().aclose()


def receivers(networks: Networks, resolver: Resolve = RESOLVER, tls: ssl.SSLContext = TLS) -> AllReceivers:
    guard = Guard(networks, resolver)
    _clients.append(open_client(GuardedTransport(guard, per_endpoint=8, tls=tls)))
    return AllReceivers(HttpReceivers(_clients[-1], guard, wire.now, allow_http=True), None)


def resolving(*answers: Sequence[str]) -> Resolve:
    """Returns a resolver that gives its answers in turns, then the last one for ever."""
    left = list(answers)

    async def resolver(host: str, port: int) -> list[str]:
        return list(left.pop(0) if len(left) > 1 else left[0])

    return resolver


async def looked_over(url: str) -> None:
    check_url("actions[0].webhook.url", url, allow_http=True)
    await receivers(Networks()).check("actions[0].webhook", webhook(url=url))


def test_there_are_enough_hostile_hosts() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("host", HOSTILE)
async def test_a_hostile_host_is_refused_with_its_field_and_never_connected_to(host: str, canary: Receiver) -> None:
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}:{canary.port}/"
        with pytest.raises(InvalidRule) as caught:
            await looked_over(url)
        assert caught.value.field == "actions[0].webhook.url"
        # One that was stored by another hand is not followed either.
        answer = await receivers(Networks()).send(webhook(url=url), DELIVERY)
        assert answer.fate is not Fate.ARRIVED
    assert (canary.connections, canary.requests) == (0, [])


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "//crm.example", "https://", "https:///hook", "ftp://crm.example", "file:///etc/passwd",
        "gopher://crm.example", "javascript:alert(1)", "https://crm.example:0/", "https://crm.example:99999/",
        "https://crm.example:/", "https://crm.example:a/", "https://[::1", "https://[v1.a]/", "https://a..b/",
        "https://-a.example/", "https://crm.example/\r\nx: y", "https://crm.example/a b", "https://crm.example/\x00",
        "https://bücher.example/", f"https://crm.example/{'a' * 2048}", "https://*.example/", "https://crm.example/#a",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_receiver_is_refused(url: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        check_url("url", url, allow_http=True)
    assert caught.value.field == "url"


def test_http_must_be_allowed() -> None:
    with pytest.raises(InvalidRule):
        check_url("url", "http://crm.example/hook", allow_http=False)
    check_url("url", "http://crm.example/hook", allow_http=True)


async def test_a_name_with_a_private_address_among_public_ones_is_refused(canary: Receiver) -> None:
    both = resolving(["93.184.215.14", "127.0.0.1"])
    url = canary.url(host="crm.example")
    with pytest.raises(InvalidRule) as caught:
        await receivers(Networks(), both).check("actions[0].webhook", webhook(url=url))
    assert caught.value.field == "actions[0].webhook.url"
    answer = await receivers(Networks(), both).send(webhook(url=url), DELIVERY)
    assert (answer.fate, canary.connections) == (Fate.FINAL, 0)


async def test_a_name_that_changes_its_answer_is_judged_by_the_one_that_is_used(canary: Receiver) -> None:
    """Public when the rule was made and when it was looked at, this machine when it is connected to."""
    resolver = resolving(["93.184.215.14"], ["127.0.0.1"])
    url = canary.url(host="rebind.example")
    subject = receivers(Networks(), resolver)
    assert await subject.check("actions[0].webhook", webhook(url=url)) == []
    for _ in range(3):
        answer = await subject.send(webhook(url=url), DELIVERY)
        assert (answer.fate, "forbidden address: loopback" in answer.error) == (Fate.FINAL, True)
    assert canary.connections == 0


async def test_nothing_is_resolved_between_the_check_and_the_connection(canary: Receiver) -> None:
    """The first answer is allowed, and used; a second one, were it asked for, would lead elsewhere."""
    resolver = resolving(["127.0.0.1"], ["127.0.0.2"])
    answer = await receivers(LOOPBACK, resolver).send(webhook(url=canary.url(host="crm.example")), DELIVERY)
    assert answer.fate is Fate.ARRIVED
    assert canary.requests[0].headers["host"] == f"crm.example:{canary.port}"


async def test_tls_asks_for_the_name_not_for_the_address() -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("crm.example").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with receiving(server) as receiver:
        subject = receivers(LOOPBACK, resolving(["127.0.0.1"]), client)
        assert (await subject.send(webhook(url=receiver.url(host="crm.example")), DELIVERY)).fate is Fate.ARRIVED
        answer = await subject.send(webhook(url=receiver.url(host="other.example")), DELIVERY)
        assert (answer.fate, "CERTIFICATE_VERIFY_FAILED" in answer.error) == (Fate.RETRY, True)


async def test_no_proxy_of_the_environment_is_used(canary: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, canary.url(""))
    answer = await receivers(Networks(), resolving(["127.0.0.1"])).send(webhook(url="http://crm.example/"), DELIVERY)
    assert (answer.fate, canary.connections) == (Fate.FINAL, 0)


async def test_a_redirect_is_not_followed(canary: Receiver) -> None:
    async def redirect(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 307 Go\r\nlocation: {canary.url()}\r\ncontent-length: 0\r\n\r\n".encode())

    async with receiving() as receiver:
        receiver.behaviour = redirect
        answer = await receivers(LOOPBACK).send(webhook(url=receiver.url()), DELIVERY)
    assert (answer.fate, answer.status, canary.connections) == (Fate.REFUSED, 307, 0)


async def test_a_name_without_an_address_is_retried() -> None:
    async def nobody(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    subject = receivers(Networks(), nobody)
    assert await subject.check("actions[0].webhook", webhook()) == [
        "actions[0].webhook.url: the host has no address at the moment"
    ]
    assert (await subject.send(webhook(), DELIVERY)).fate is Fate.RETRY


@pytest.mark.parametrize("host", ["xn--zz.com", "xn--a.example"])
async def test_a_name_that_cannot_be_written_on_the_wire_is_refused(host: str) -> None:
    subject = receivers(Networks(), resolving(["1.1.1.1"]))
    assert await subject.check("actions[0].webhook", webhook(url="https://xn--strae-oqa.example/")) == []
    with pytest.raises(InvalidRule) as caught:
        await subject.check("actions[0].webhook", webhook(url=f"https://{host}/"))
    assert caught.value.field == "actions[0].webhook.url"


@given(st.ip_addresses())
def test_whatever_python_knows_to_be_not_global_is_refused(address: object) -> None:
    if not address.is_global:  # type: ignore[attr-defined]
        assert Networks().refusal(str(address)) is not None


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "1.1.1.1", "9.9.9.9"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert Networks().refusal(address) is None


def test_the_operator_can_list_networks() -> None:
    listed = read_networks(["10.1.0.0/16", " fd00::/64 ", ""])
    allowed = {each: listed.refusal(each) is None for each in ("10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1", "fd00::7")}
    assert allowed == {"10.1.2.3": True, "::ffff:10.1.2.3": True, "10.2.0.1": False, "fd00::7": True}
    with pytest.raises(ValueError, match="host bits"):
        read_networks(["10.0.0.1/8"])


def test_a_secret_is_in_no_representation() -> None:
    assert SECRET not in repr(webhook())
    assert "T0" not in repr(Slack("https://hooks.example/T0/B0"))
    assert repr(Webhook("u", (SECRET,), b"u", b"s")) == "Webhook()"


async def test_idle_connections_are_closed() -> None:
    transport = GuardedTransport(Guard(LOOPBACK, RESOLVER), per_endpoint=4)
    async with receiving() as one, receiving() as other, open_client(transport) as client:
        for _ in range(3):
            await client.post(one.url(), content=b"{}")
        assert (one.connections, len(one.tasks)) == (1, 1), "expected a connection that is kept"
        [pool] = transport._pools.values()
        pool.last_use -= 2 * KEEP_SECONDS
        await client.post(other.url(), content=b"{}")

        async def are_closed() -> bool:
            return not one.tasks

        await eventually(are_closed, what="the idle connection is closed")
        assert len(other.tasks) == 1, "expected the one that was just used to be kept"


async def test_the_client_connects_through_the_guard() -> None:
    """There is no public place for it in httpx, so an update of httpx that moved the place would be noticed here."""
    transport = GuardedTransport(Guard(Networks(), RESOLVER), per_endpoint=1)
    async with open_client(transport) as client:
        with pytest.raises(httpx.ConnectError, match="forbidden address: loopback"):
            await client.get("http://127.0.0.1:9/")
