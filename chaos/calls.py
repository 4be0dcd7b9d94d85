"""Calls services as the clients of a round do, and records each call in the journal."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from leadscore.admin.v1 import admin_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc

from chaos.journal import FinishedCall
from chaos.world import World

CALL_SECONDS = 5.0
"""The deadline of a call in seconds; short, so that many calls are made during a fault."""
T = TypeVar("T")


class Calls:
    """Calls services under the documented retry policy, each with a deadline of `call_seconds`."""

    def __init__(self, world: World, call_seconds: float) -> None:
        self.world = world
        self.call_seconds = call_seconds

    async def call(
        self,
        method: str,
        ask: Callable[[], Awaitable[T]],
        *,
        deadline: float | None = None,
        progress: Callable[[], str] = str,
    ) -> tuple[grpc.StatusCode, T | None]:
        """Makes one call and records it in the journal; returns its status, and its response if it succeeded.

        `progress` describes how far the call has come when it ends, for the report of a violation.
        """
        began, was_under_fault = time.monotonic(), self.world.findings.is_under_fault
        deadline = deadline or self.call_seconds
        code, answer = grpc.StatusCode.OK, None
        try:
            answer = await ask()
        except grpc.aio.AioRpcError as error:
            code = error.code()
        under_fault = (
            was_under_fault or self.world.findings.is_under_fault
        ) and method not in self.world.findings.unaffected
        took = time.monotonic() - began - self.world.stalls.since(began)
        self.world.journal.calls.append(FinishedCall(method, code, took, deadline, under_fault, progress()))
        return code, answer

    @property
    def admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        """A stub of the admin service."""
        return admin_pb2_grpc.AdminServiceStub(self.world.channel("admin"))

    @property
    def ingest(self) -> "ingest_pb2_grpc.IngestServiceAsyncStub":
        """A stub of the ingest service."""
        return ingest_pb2_grpc.IngestServiceStub(self.world.channel("ingest"))

    @property
    def scoring(self) -> "scoring_pb2_grpc.ScoringServiceAsyncStub":
        """A stub of the scoring service."""
        return scoring_pb2_grpc.ScoringServiceStub(self.world.channel("scoring"))

    @property
    def intelligence(self) -> "intelligence_pb2_grpc.IntelligenceServiceAsyncStub":
        """A stub of the intelligence service."""
        return intelligence_pb2_grpc.IntelligenceServiceStub(self.world.channel("intelligence"))
