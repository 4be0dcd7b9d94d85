"""The system under test, started as `leadscore up` starts it by default, with databases of its own."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from leadscore.automation.v1 import automation_pb2
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceStub
from leadscore.scoring.v1 import scoring_pb2
from leadscore.scoring.v1.scoring_pb2_grpc import ScoringServiceStub

from benchmarks.harness.clients import Clients
from benchmarks.harness.memory import MemoryLog
from cli.local.demo import free_base_port
from cli.local.embedded import EmbeddedMongo, EmbeddedRedis
from cli.local.plan import Plan
from cli.local.up import system
from cli.terminal.connection import SERVICES, Connection

CALL_SECONDS = 60.0
SCORED_SECONDS = 600.0
FINEST_POLL, COARSEST_POLL = 0.02, 0.5
"""Seconds between two looks at the backlog; the fewer events are left, the more often."""
EVENTS_A_SECOND = 20_000
"""More than any system on two cores scores: the next look comes before everything can be scored."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running system, the client processes that call it, and the MongoDB that it shares with the reference."""

    clients: Clients
    mongo_uri: str
    redis_url: str
    targets: dict[str, str]
    scoring: ScoringServiceStub
    automation: AutomationServiceStub
    intelligence: IntelligenceServiceStub
    memory: MemoryLog

    def wait_until_scored(self) -> float:
        """Waits until no event is pending, and returns when that was, in seconds of the monotonic clock."""
        ends = time.monotonic() + SCORED_SECONDS
        while True:
            pending = self.scoring.GetScoringBacklog(
                scoring_pb2.GetScoringBacklogRequest(), timeout=CALL_SECONDS
            ).pending_events
            now = time.monotonic()
            if not pending:
                return now
            if now > ends:
                raise TimeoutError(f"{pending:,} events are not scored within {SCORED_SECONDS:g} s")
            time.sleep(min(max(pending / EVENTS_A_SECOND, FINEST_POLL), COARSEST_POLL))

    def settle(self) -> None:
        """Waits until nothing is left to do, so that the next measurement has the machine for itself."""
        self.wait_until_scored()
        while self.automation.GetAutomationBacklog(
            automation_pb2.GetAutomationBacklogRequest(), timeout=CALL_SECONDS
        ).pending_changes:
            time.sleep(FINEST_POLL)


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    """Runs a new system in a directory while the block runs."""
    connection, data_dir = Connection(free_base_port()), directory / "system"
    with ExitStack() as stack:
        clients = stack.enter_context(Clients())
        stack.enter_context(system(Plan(connection, data_dir, own_databases=True), lambda _: None))
        targets = {service: connection.target(service) for service in SERVICES}
        channels = {name: stack.enter_context(grpc.insecure_channel(target)) for name, target in targets.items()}
        memory = MemoryLog()
        stack.enter_context(memory.sampling())
        yield Running(
            clients,
            EmbeddedMongo(data_dir / "mongo").uri,
            EmbeddedRedis(data_dir / "redis").url,
            targets,
            ScoringServiceStub(channels["scoring"]),
            AutomationServiceStub(channels["automation"]),
            IntelligenceServiceStub(channels["intelligence"]),
            memory,
        )
