"""`Receivers` by HTTP (httpx) and SMTP (aiosmtplib)."""

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
from automation_service.domain.receiver import Email, Webhook

MAX_BYTES = 65_536
"""Bytes of an answer that are read. What is longer is cut off, and the connection with it."""
READ_SECONDS = 10.0
"""Longest time between two bytes of an answer; an attempt as a whole has its own limit."""
CHECK_SECONDS = 2.0
"""Longest time to resolve the host of a rule that is being stored; it is resolved again before each connection."""
TEXT_SECONDS = 2.0
"""Longest time to read the text of an answer whose status is known; the rest is left unread."""
SMTP_SECONDS = 10.0
"""Longest time for one command of SMTP."""
USER_AGENT = "leadscore-automations"


def open_client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """Returns the one client of a process: no redirects, no proxies, no cookies that outlive an answer."""
    return httpx.AsyncClient(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"user-agent": USER_AGENT, "accept-encoding": "identity", "content-type": "application/json"},
    )


class HttpReceivers:
    """Webhooks and Slack."""

    def __init__(
        self, client: httpx.AsyncClient, guard: Guard, clock: Callable[[], datetime], *, allow_http: bool
    ) -> None:
        self._client = client
        self._guard = guard
        self._clock = clock
        self._schemes = {"https", "http"} if allow_http else {"https"}

    async def check(self, field: str, url: str) -> list[str]:
        """Looks at the addresses of a URL's host as they are now; see `Receivers`."""
        parts = httpx.URL(url)
        if not _is_readable(parts):
            raise InvalidRule(f"{field}.url", "has a host whose Punycode stands for no name")
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._guard.addresses(parts.raw_host.decode(), parts.port or 443)
        except AddressRefused as error:
            raise InvalidRule(f"{field}.url", f"{error}; the operator can list its network") from None
        except (OSError, UnicodeError):
            return [f"{field}.url: the host has no address at present"]
        return []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Posts a body. The status decides as soon as it is there, however long the rest of the answer is."""
        try:
            if httpx.URL(url).scheme not in self._schemes:  # of a rule that was stored when it was allowed
                return Answer(Fate.FINAL, error="the URL is not https, and LEADSCORE_WEBHOOK_HTTP is false")
            async with self._client.stream("POST", url, content=body, headers=headers) as response:
                text = await _beginning(response)
                self._client.cookies.clear()
                return Answer(
                    fate_of_status(response.status_code),
                    response.status_code,
                    text,
                    retry_after=_retry_after(response.headers.get("retry-after", ""), self._clock()),
                )
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.ConnectError) as error:
            refused = isinstance(error, AddressRefused) or isinstance(error.__cause__, AddressRefused)
            return Answer(
                Fate.FINAL if refused else Fate.RETRY, error=f"{type(error).__name__}: {error}"[:ANSWER_BYTES]
            )

    def signed(self, action: Webhook, delivery: Delivery) -> dict[str, str]:
        """Returns the headers of Standard Webhooks for a delivery, signed now with every secret of its rule."""
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

    `tls` is `starttls`, `tls` or `none`, `sender` the address that e-mails come from; without a `user` nobody logs in.
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
            # Worth another try if it is for one of them.
            told = max(error.recipients, key=lambda each: fate_of_reply(each.code) is Fate.RETRY)
            return Answer(fate_of_reply(told.code), told.code, _kept(told.message))
        except aiosmtplib.SMTPResponseException as error:
            return Answer(fate_of_reply(error.code), error.code, _kept(error.message))
        except (aiosmtplib.SMTPException, OSError) as error:
            return Answer(Fate.RETRY, error=_kept(f"{type(error).__name__}: {error}"))
        note = f"; refused for {', '.join(refused)}" if refused else ""
        return Answer(Fate.ARRIVED, aiosmtplib.SMTPStatus.completed, _kept(f"{text}{note}"))


class AllReceivers:
    """`Receivers` of every kind; without a mail server there is no e-mail."""

    def __init__(self, http: HttpReceivers, smtp: SmtpServer | None) -> None:
        self._http = http
        self._smtp = smtp

    async def check(self, field: str, action: Action) -> list[str]:
        """Looks whether an action can reach its receiver; see `Receivers`."""
        if not isinstance(action.receiver, Email):
            return await self._http.check(field, action.receiver.url)
        if self._smtp is None:
            raise InvalidRule(field, "no mail server is set up: LEADSCORE_SMTP_HOST is empty")
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Makes one attempt; see `Receivers`."""
        match action.receiver:
            case Webhook() as webhook:
                return await self._http.post(webhook.url, delivery.body, self._http.signed(webhook, delivery))
            case Email():
                if self._smtp is None:
                    return Answer(Fate.RETRY, error="no mail server is set up: LEADSCORE_SMTP_HOST is empty")
                return await self._smtp.send(delivery)
            case slack:
                return await self._http.post(slack.url, delivery.body, {})


def _is_readable(url: httpx.URL) -> bool:
    """Tells whether httpx can read the host's Punycode; where it cannot, it makes no request."""
    try:
        return bool(url.host)
    except UnicodeError:
        return False


def _kept(text: str) -> str:
    """Returns what is kept of a text: mail servers answer in any encoding, and what is not text cannot be stored."""
    return text.encode(errors="replace").decode()[:ANSWER_BYTES]


async def _beginning(response: httpx.Response) -> str:
    """Returns the first bytes of an answer as they came over the wire: nothing is decompressed."""
    found = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(TEXT_SECONDS):
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) > MAX_BYTES:
                    break
    return found[:ANSWER_BYTES].decode(errors="replace")


def _retry_after(text: str, now: datetime) -> timedelta:
    """Returns how long a receiver asks us to wait (RFC 9110, 10.2.3: seconds or a date); 0 when it makes no sense."""
    try:
        if text.isdecimal():
            return timedelta(seconds=int(text[:9]))
        time = parsedate_to_datetime(text)
        return max(timedelta(), (time if time.tzinfo else time.replace(tzinfo=UTC)) - now)
    except (ValueError, OverflowError, TypeError):
        return timedelta()
