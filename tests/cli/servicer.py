"""Fake services in this process, and the command line that talks to them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from leadscore.admin.v1 import admin_pb2_grpc
from leadscore.automation.v1 import automation_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.local.demo import free_base_port
from cli.local.plan import HEALTH_OFFSET
from cli.terminal.connection import SERVICES, full_name
from tests.cli.fake_admin import FakeAdmin
from tests.cli.fake_automation import FakeAutomation
from tests.cli.fake_intelligence import FakeIntelligence
from tests.cli.fake_scoring import FakeScoring


class Services(FakeScoring):
    """The scoring service, and beside it the other services and the health of all services and workers."""

    def __init__(self) -> None:
        super().__init__()
        self.automation = FakeAutomation()  # type: ignore[abstract]  # other calls are answered with UNIMPLEMENTED
        self.intelligence = FakeIntelligence()  # type: ignore[abstract]  # the same
        self.admin = FakeAdmin()  # type: ignore[abstract]  # the same
        self.health = HealthServicer()


Run = Callable[..., Result]
"""Runs `leadscore` with some arguments against a service; options are those of `CliRunner.invoke`."""


@contextmanager
def serving(
    *, automation: bool = False, worker: str = "", credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[Services, Run]]:
    """Serves fakes in this process and yields them, and the command line that talks to them.

    The automation service is down unless `automation` is set. With `worker`, the name of a worker's health, all
    services are up, and the worker reports its health at its port. With `credentials`, they serve TLS.
    """
    service = Services()  # type: ignore[abstract]  # other calls are answered with UNIMPLEMENTED
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(service, server)
        automation_pb2_grpc.add_AutomationServiceServicer_to_server(service.automation, server)
        health_pb2_grpc.add_HealthServicer_to_server(service.health, server)
        for name in ("", worker, *map(full_name, SERVICES)):
            service.health.set(name, HealthCheckResponse.SERVING)
        base = free_base_port()
        intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(service.intelligence, server)
        # Their ports follow that of the ingest service.
        admin_pb2_grpc.add_AdminServiceServicer_to_server(service.admin, server)
        offsets = [1, 3, 4, *((0, 2, HEALTH_OFFSET) if worker else ()), *((2,) if automation else ())]
        for address in {f"127.0.0.1:{base + offset}" for offset in offsets}:
            if credentials:
                server.add_secure_port(address, credentials)
            else:
                server.add_insecure_port(address)
        environment = {"LEADSCORE_BASE_PORT": str(base), "COLUMNS": "100"}
        server.start()
        try:
            yield (
                service,
                lambda *arguments, **options: CliRunner().invoke(
                    app, list(map(str, arguments)), env=environment, **options
                ),
            )
        finally:
            server.stop(0).wait()


def json_of(result: Result) -> list[dict[str, Any]]:
    """Returns what a command printed as JSON."""
    return [json.loads(line) for line in result.stdout.splitlines()]
