"""Sends webhooks and Slack messages with httpx, and e-mails with aiosmtplib."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiosmtplib
import httpcore
import httpx
from standardwebhooks import Webhook as Signer

from automation_service.delivery.address_guard import CONNECT_SECONDS, AddressRefused, Guard
from automation_service.domain.action import Action
from automation_service.domain.delivery import ANSWER_BYTES, Answer, Delivery, Fate, fate_of_reply, fate_of_status
from automation_service.domain.limits import InvalidRule
from automation_service.domain.receiver import Email, Slack, Webhook
from automation_service.domain.redaction import redacted
from shared.traces.calls import outgoing

MAX_BYTES = 65_536
"""Bytes of a response that are read. After that the connection is closed."""
READ_SECONDS = 10.0
"""Longest pause between two bytes of a response, in seconds. The attempt as a whole has its own limit."""
CHECK_SECONDS = 2.0
"""Longest time to resolve a host while its rule is validated, in seconds. Each connection resolves it again."""
TEXT_SECONDS = 2.0
"""Longest time to read the body of a response, in seconds. The rest is ignored."""
SMTP_SECONDS = 10.0
"""Longest time for one SMTP command, in seconds."""
USER_AGENT = "leadscore-automations"


def open_client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """Returns the HTTP client of a process. It follows no redirects and uses no proxies from the environment."""
    return httpx.AsyncClient(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"user-agent": USER_AGENT, "accept-encoding": "identity", "content-type": "application/json"},
    )


class HttpReceivers:
    """Posts to webhooks and Slack."""

    def __init__(
        self, client: httpx.AsyncClient, guard: Guard, clock: Callable[[], datetime], *, allow_http: bool
    ) -> None:
        self._client = client
        self._guard = guard
        self._clock = clock
        self._schemes = {"https", "http"} if allow_http else {"https"}

    async def check(self, field: str, url: str) -> list[str]:
        """Checks the current addresses of a URL's host; see `Receivers`."""
        parts = httpx.URL(url)
        if not _is_readable(parts):
            raise InvalidRule(f"{field}.url", "has a host with invalid Punycode")
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._guard.addresses(parts.raw_host.decode(), parts.port or 443)
        except AddressRefused as error:
            raise InvalidRule(f"{field}.url", f"{error}; the operator can allow its network") from None
        except (OSError, UnicodeError):
            return [f"{field}.url: the host has no address at the moment"]
        return []

    async def post(self, receiver: Webhook | Slack, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Posts a body. The status alone decides the outcome, even if the rest of the response is long or slow."""
        try:
            if httpx.URL(receiver.url).scheme not in self._schemes:  # the rule was stored when http was allowed
                return Answer(Fate.FINAL, error="the URL is not https, and LEADSCORE_WEBHOOK_HTTP is false")
            async with self._client.stream("POST", receiver.url, content=body, headers=headers) as response:
                text = await _beginning(response)
                self._client.cookies.clear()
                return Answer(
                    fate_of_status(response.status_code),
                    response.status_code,
                    _cut(redacted(text, receiver)),
                    retry_after=_retry_after(response.headers.get("retry-after", ""), self._clock()),
                )
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.ConnectError) as error:
            refused = isinstance(error, AddressRefused) or isinstance(error.__cause__, AddressRefused)
            text = redacted(f"{type(error).__name__}: {error}", receiver)
            return Answer(Fate.FINAL if refused else Fate.RETRY, error=_cut(text))

    def sign(self, action: Webhook, delivery: Delivery) -> dict[str, str]:
        """Returns the Standard Webhooks headers for a delivery, signed now with every secret of the action."""
        now = self._clock()
        text = delivery.body.decode()
        signatures = [Signer(secret).sign(delivery.delivery_id, now, text) for secret in action.secrets]
        return {
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The operator's mail server.

    `tls` is `starttls`, `tls` or `none`; `sender` is the sender address. If `user` is empty, there is no login.
    """

    host: str
    port: int
    tls: str
    user: str
    password: Callable[[], str]
    sender: str

    async def send(self, delivery: Delivery) -> Answer:
        """Sends an e-mail; see `Receivers`."""
        try:
            async with aiosmtplib.SMTP(
                hostname=self.host,
                port=self.port,
                use_tls=self.tls == "tls",
                start_tls=self.tls == "starttls",
                timeout=SMTP_SECONDS,
            ) as server:
                if self.user:
                    await server.login(self.user, self.password())
                refused, text = await server.sendmail(self.sender, delivery.recipients, delivery.body)
        except aiosmtplib.SMTPRecipientsRefused as error:
            # Retry if any of the recipients may accept it later.
            worst = max(error.recipients, key=lambda each: fate_of_reply(each.code) is Fate.RETRY)
            return Answer(fate_of_reply(worst.code), worst.code, _storable(worst.message))
        except aiosmtplib.SMTPResponseException as error:
            return Answer(fate_of_reply(error.code), error.code, _storable(error.message))
        except (aiosmtplib.SMTPException, OSError) as error:
            return Answer(Fate.RETRY, error=_storable(f"{type(error).__name__}: {error}"))
        note = f"; refused for {', '.join(refused)}" if refused else ""
        return Answer(Fate.ARRIVED, aiosmtplib.SMTPStatus.completed, _storable(f"{text}{note}"))


class AllReceivers:
    """Implements `Receivers` for every kind of receiver. Without a mail server, e-mail is disabled."""

    def __init__(self, http: HttpReceivers, smtp: SmtpServer | None) -> None:
        self._http = http
        self._smtp = smtp

    async def check(self, field: str, action: Action) -> list[str]:
        """Checks that the receiver of an action can be reached; see `Receivers`."""
        if not isinstance(action.receiver, Email):
            return await self._http.check(field, action.receiver.url)
        if self._smtp is None:
            raise InvalidRule(field, "e-mail is disabled: LEADSCORE_SMTP_HOST is empty")
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Makes one attempt; see `Receivers`."""
        match action.receiver:
            case Webhook() as webhook:
                headers = self._http.sign(webhook, delivery) | dict(outgoing())
                return await self._http.post(webhook, delivery.body, headers)
            case Email():
                if self._smtp is None:
                    return Answer(Fate.RETRY, error="e-mail is disabled: LEADSCORE_SMTP_HOST is empty")
                return await self._smtp.send(delivery)
            case slack:
                return await self._http.post(slack, delivery.body, {})


def _is_readable(url: httpx.URL) -> bool:
    """Returns whether httpx can decode the host's Punycode, which it needs to for a request."""
    try:
        return bool(url.host)
    except UnicodeError:
        return False


def _storable(text: str) -> str:
    """Returns a text cut to the stored length and without characters that UTF-8 cannot encode."""
    return _cut(text.encode(errors="replace").decode())


def _cut(text: str) -> str:
    return text.encode()[:ANSWER_BYTES].decode(errors="ignore")


async def _beginning(response: httpx.Response) -> str:
    """Returns the first `MAX_BYTES` of a response body, as received: nothing is decompressed."""
    found = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(TEXT_SECONDS):
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) > MAX_BYTES:
                    break
    return found[:MAX_BYTES].decode(errors="replace")


def _retry_after(text: str, now: datetime) -> timedelta:
    """Returns the wait that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date); 0 if it is invalid."""
    try:
        if text.isdecimal():
            return timedelta(seconds=int(text[:9]))
        time = parsedate_to_datetime(text)
        return max(timedelta(), (time if time.tzinfo else time.replace(tzinfo=UTC)) - now)
    except (ValueError, OverflowError, TypeError):
        return timedelta()
