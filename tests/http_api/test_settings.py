"""CORS, TLS, the gateway, and what happens without the services."""

import asyncio
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import grpc
import httpx
import pytest

from cli.http.routes import SERVICES
from cli.local.embedded import free_port
from testkit.certificates import Authority
from testkit.http_api import HttpApi, running_http_api
from testkit.waiting import eventually
from tests.http_api.services import Services, served

ORIGIN = "https://app.example.com"
SECONDS = 60.0
get, post = partial(httpx.get, timeout=SECONDS), partial(httpx.post, timeout=SECONDS)


@contextmanager
def api(directory: Path, **settings: str) -> Iterator[tuple[HttpApi, Services]]:
    named = {f"LEADSCORE_{name.upper()}": value for name, value in settings.items()}
    with (
        served() as (services, target),
        running_http_api(directory, dict.fromkeys(SERVICES, target), named) as running,
    ):
        yield running, services


def preflight(url: str, origin: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    return httpx.options(f"{url}/v1/events", headers=asked, timeout=SECONDS)


def test_no_other_origin_may_call_it_by_default(tmp_path: Path) -> None:
    with api(tmp_path) as (running, _):
        answers = [preflight(running.url, ORIGIN), get(f"{running.url}/v1/leads/ada", headers={"origin": ORIGIN})]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]
    assert answers[0].status_code == 405


def test_only_origins_in_the_settings_may_call_it(tmp_path: Path) -> None:
    with api(tmp_path, cors_origins=f"http://localhost:3000,{ORIGIN}") as (running, _):
        allowed, refused = preflight(running.url, ORIGIN), preflight(running.url, "https://evil.example")
        answer = get(f"{running.url}/v1/leads/ada", headers={"origin": ORIGIN})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in refused.headers
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers


def shown(running: HttpApi, authority: Authority) -> int:
    """Returns the serial number of the certificate that it shows to a caller who trusts the authority."""
    context = ssl.create_default_context(cafile=str(authority.file))
    certificate = ssl.get_server_certificate(("127.0.0.1", running.port), ca_certs=str(authority.file))
    answer = get(f"https://127.0.0.1:{running.port}/v1/leads/ada", verify=context)
    assert answer.status_code == 200
    return hash(certificate)


def test_it_serves_tls_and_reads_certificates_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    pair = {name.removeprefix("LEADSCORE_"): value for name, value in authority.issue("server").items()}
    with api(tmp_path, **pair) as (running, _):
        before = shown(running, authority)
        with pytest.raises(httpx.RemoteProtocolError):
            get(f"{running.url}/v1/leads/ada")
        with pytest.raises(httpx.ConnectError):
            get(f"https://127.0.0.1:{running.port}/v1/leads/ada")
        for name, value in authority.issue("new").items():
            Path(value).rename(pair[name.removeprefix("LEADSCORE_")])

        async def is_replaced() -> bool:
            return shown(running, authority) != before

        asyncio.run(eventually(is_replaced, what="the new certificate is shown"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    pair = {name.removeprefix("LEADSCORE_"): value for name, value in authority.issue("server").items()}
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with api(tmp_path, **pair) as (running, _), pytest.raises(httpx.ConnectError):
        get(f"https://127.0.0.1:{running.port}/health", verify=context)


@pytest.mark.parametrize("trusted", [True, False])
def test_it_calls_services_over_tls_and_only_those_it_trusts(tmp_path: Path, trusted: bool) -> None:
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    pair = authority.issue("service")
    key, chain = (Path(pair[f"LEADSCORE_TLS_{kind}_FILE"]).read_bytes() for kind in ("KEY", "CERT"))
    with served(grpc.ssl_server_credentials([(key, chain)])) as (services, target):
        running = HttpApi(tmp_path, dict.fromkeys(SERVICES, target), (authority if trusted else other).trusted())
        try:
            if trusted:
                running.wait_until_healthy()
            with patient(running) as client:
                assert client.get("/v1/leads/ada").status_code == (200 if trusted else 503)
            assert bool(services.calls) == trusted
        finally:
            running.stop()


def patient(running: HttpApi) -> httpx.Client:
    """Returns a client that waits until something listens."""
    return httpx.Client(transport=httpx.HTTPTransport(retries=8), base_url=running.url, timeout=SECONDS)


def test_without_the_services_it_says_so(tmp_path: Path) -> None:
    with served() as (_, target):
        nobody = f"127.0.0.1:{free_port()}"
        targets = dict.fromkeys(SERVICES, target)
        with running_http_api(tmp_path, targets) as running:
            assert get(f"{running.url}/health").status_code == 200
        running = HttpApi(tmp_path, targets | {"scoring": nobody}, {})
        try:
            with patient(running) as client:
                assert client.get("/health").status_code == 503
                answer = client.get("/v1/leads/ada")
                assert (answer.status_code, answer.json()["code"]) == (503, 14)
        finally:
            running.stop()


class Gateway(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        """Answers."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['authorization']} ".encode() + body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_paths_of_the_gateway_are_passed_on(tmp_path: Path, gateway: str) -> None:
    with api(tmp_path, gateway_target=gateway) as (running, services):
        for path in ("/v1/batch", "/v1/track", "/v1/cloudevents", "/v1/webhooks/crm?x=y"):
            answer = post(f"{running.url}{path}", content=b"<x/>", headers={"authorization": "Basic eDo="})
            assert (answer.status_code, answer.text) == (200, f"{path} Basic eDo= <x/>")
        assert post(f"{running.url}/v1/webhooks/../events", content=b"{}").status_code == 415
        assert post(f"{running.url}/v1/batch", content=b"x" * (1 << 20) + b"x").status_code == 413
        assert not services.calls
