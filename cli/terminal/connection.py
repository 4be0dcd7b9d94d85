"""Connections from commands to the services: channels with retries, deadlines and readable errors."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from leadscore.admin.v1.admin_pb2_grpc import AdminServiceStub
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.client import Tls, tls
from leadscore.client.keys import key_from_environment, with_key
from leadscore.ingest.v1.ingest_pb2_grpc import IngestServiceStub
from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceStub
from leadscore.scoring.v1.scoring_pb2_grpc import ScoringServiceStub

from shared.rpc import handshakes

SERVICES = ("ingest", "scoring", "automation", "intelligence", "admin")
"""In port order, starting at the base port."""
ADMIN_KEY = Path(".leadscore/keys/admin.key")
"""The key that `leadscore up --keys` makes in its data directory, by default."""
CALL_SECONDS = 15.0
"""Deadline of a unary call."""

_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"],
            },
        },
        # Not retried: a second call would fail with ABORTED, which hides the result of the first.
        {"name": [{"service": "leadscore.scoring.v1.ScoringService", "method": "PublishScoringModel"}]},
    ]
}


class CommandError(Exception):
    """A command failed. The text is one line that says why and what to do.

    `details` are further lines, one per mistake, if there are several.
    """

    def __init__(self, text: str, details: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.details = tuple(details)


@dataclass(frozen=True, slots=True)
class Connection:
    """The services of one system: at consecutive ports of this machine, unless the environment names others."""

    base_port: int

    def target(self, service: str) -> str:
        """Returns the address of a service on this machine."""
        return f"127.0.0.1:{self.base_port + SERVICES.index(service)}"

    def address(self, service: str) -> str:
        """Returns the address to call: that in `LEADSCORE_<SERVICE>_TARGET`, or else `target`."""
        return os.environ.get(f"LEADSCORE_{service.upper()}_TARGET") or self.target(service)

    @contextmanager
    def ingest(self) -> "Iterator[IngestServiceStub]":
        """Opens a stub of the ingest service."""
        with self.channel("ingest") as channel:
            yield IngestServiceStub(channel)

    @contextmanager
    def scoring(self) -> "Iterator[ScoringServiceStub]":
        """Opens a stub of the scoring service."""
        with self.channel("scoring") as channel:
            yield ScoringServiceStub(channel)

    @contextmanager
    def automation(self) -> "Iterator[AutomationServiceStub]":
        """Opens a stub of the automation service."""
        with self.channel("automation") as channel:
            yield AutomationServiceStub(channel)

    @contextmanager
    def intelligence(self) -> "Iterator[IntelligenceServiceStub]":
        """Opens a stub of the intelligence service."""
        with self.channel("intelligence") as channel:
            yield IntelligenceServiceStub(channel)

    @contextmanager
    def admin(self) -> "Iterator[AdminServiceStub]":
        """Opens a stub of the admin service."""
        with self.channel("admin") as channel:
            yield AdminServiceStub(channel)

    @contextmanager
    def channel(self, service: str) -> Iterator[grpc.Channel]:
        """Opens a channel; a failed call inside becomes a `CommandError`."""
        options = [("grpc.service_config", json.dumps(_RETRIES)), ("grpc.max_receive_message_length", -1)]
        try:
            with with_key(open_channel(self.address(service), options), own_key()) as channel:
                yield channel
        except grpc.RpcError as error:
            raise self.explain(service, error) from None

    def explain(self, service: str, error: grpc.RpcError) -> CommandError:
        """Returns the error that a person sees for a failed call."""
        code, details = error.code(), error.details() or ""
        if nobody_answers(error):
            address = self.address(service)
            reason = _flaw(address)
            if reason:
                return CommandError(f"the {service} service at {address} cannot be called: {reason}")
            return CommandError(
                f"no {service} service answers at {address}: "
                "start it with `leadscore up`, or give its port with --base-port"
            )
        reason = "".join(f", {info.reason}" for info in _details(error, error_details_pb2.ErrorInfo))
        violations = [f"{field}: {text}" if field else text for field, text in violations_of(error)]
        if code is grpc.StatusCode.UNAUTHENTICATED:
            details += ": set LEADSCORE_API_KEY or LEADSCORE_API_KEY_FILE"
        # The message already contains a single violation.
        flaws = violations if len(violations) > 1 else ()
        return CommandError(f"{service}: {details} ({code.name}{reason})", flaws)


def own_key() -> str:
    """Returns the API key of this command: from the environment, else that of a `leadscore up --keys` here, if any.

    Raises:
        CommandError: The file of the key cannot be read.
    """
    try:
        return key_from_environment() or (ADMIN_KEY.read_text().strip() if ADMIN_KEY.exists() else "")
    except OSError as error:
        raise CommandError(f"the API key cannot be read: {error}") from None


def open_channel(target: str, options: Iterable[tuple[str, Any]] = ()) -> grpc.Channel:
    """Opens a channel, over TLS if the environment says so.

    Raises:
        CommandError: A certificate file cannot be read.
    """
    try:
        return tls.open_channel(target, Tls.from_environment(), options)
    except OSError as error:
        raise CommandError(f"a certificate cannot be read: {error}") from None


def _flaw(target: str) -> str:
    """Returns what is wrong with TLS if a server cannot be called; empty if it is something else."""
    chosen = Tls.from_environment()
    files = (chosen.ca_file, chosen.cert_file, chosen.key_file) if chosen else ()
    reason = handshakes.flaw(
        target, handshakes.context_of(*map(str, files)) if files else None, chosen.server_name if chosen else ""
    )
    return f"{reason}; see LEADSCORE_TLS_… in docs/security.md" if reason else ""


def full_name(service: str) -> str:
    """Returns the name of a service in its proto."""
    return f"leadscore.{service}.v1.{service.capitalize()}Service"


def violations_of(error: grpc.RpcError) -> list[tuple[str, str]]:
    """Returns what is wrong with a request: the path of each field, and a sentence without the path."""
    return [
        (violation.field, violation.description.removeprefix(f"{violation.field}: "))
        for request in _details(error, error_details_pb2.BadRequest)
        for violation in request.field_violations
    ]


def nobody_answers(error: grpc.RpcError) -> bool:
    """Returns whether a call failed because no server accepted the connection."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in (error.details() or "")


def _details(error: grpc.RpcError, kind: type[Any]) -> Iterator[Any]:
    status: Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        found = kind()
        if detail.Unpack(found):
            yield found
