"""`leadscore status`: shows the health and the backlog of a system on one page, with a verdict."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import typer
from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.scoring.v1 import scoring_pb2 as scoring

from cli.local.plan import HEALTH_OFFSET
from cli.operations import show_status
from cli.operations.health import Health, ask
from cli.operations.problems import Status, Worker, judge
from cli.terminal.connection import CALL_SECONDS, SERVICES, CommandError, Connection, full_name
from cli.terminal.findings import worst
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import OUT, print_json
from shared import wire
from shared.rpc.names import worker_name

MAX_WORKERS = 128
"""Number of ports that are searched for workers: the most that `leadscore up` starts."""
CONNECT_SECONDS = 0.5
ASK_SECONDS = 2.0
"""Longest time for one health check."""

A = TypeVar("A")


def status(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show the health of every service, its backlog, and what to do about problems.

    The exit status is 0 (ok) if all is well, 1 (warning) if something is behind or parked, 2 (critical) if a service or
    a worker is down.
    Workers are found on the health ports that `leadscore up` gives them. Others only show in the backlog.
    """
    found = gather(Connection(base_port))
    problems = judge(found)
    if as_json:
        print_json(show_status.to_json(found, problems))
    else:
        OUT.print(show_status.page(found, problems))
    raise typer.Exit(int(worst(problems)))


def gather(connection: Connection) -> Status:
    """Queries every service and every worker, also if some of them are down."""
    with ThreadPoolExecutor(16) as pool:
        health = pool.map(lambda service: _ask(connection.address(service), full_name(service)), SERVICES)
        first = connection.base_port + HEALTH_OFFSET
        workers = pool.map(_worker, range(first, min(first + MAX_WORKERS, 65_536)))
        services = dict(zip(SERVICES, health, strict=True))
        known = [worker for worker in workers if worker]
    failures: dict[str, str] = {}

    def query(service: str, call: Callable[[Connection], A]) -> A | None:
        if services[service] is not Health.SERVING:
            return None
        try:
            return call(connection)
        except CommandError as error:
            failures[service] = str(error)
            return None

    backlog = query("scoring", _scoring_backlog)
    return Status(
        time=wire.now(),
        services=services,
        workers=known,
        failures=failures,
        scoring=backlog,
        model=query("scoring", _model),
        leads_left=query("scoring", _leads_left) if backlog is not None and backlog.HasField("rollout") else None,
        automation=query("automation", _automation_backlog),
    )


def _ask(target: str, name: str) -> Health:
    return ask(target, name, seconds=ASK_SECONDS)


def _worker(port: int) -> Worker | None:
    """Returns the worker that reports its health on a port of this machine; None if there is none."""
    try:
        socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS).close()
    except OSError:
        return None
    return next(_answers(port), None)


def _answers(port: int) -> Iterator[Worker]:
    for service in ("scoring", "automation"):
        health = _ask(f"127.0.0.1:{port}", worker_name(service))
        # No answer may mean a program that is not ours. A dead worker shows as a growing backlog.
        if health in (Health.SERVING, Health.NOT_SERVING):
            yield Worker(service, port, health)


def _scoring_backlog(connection: Connection) -> scoring.GetScoringBacklogResponse:
    with connection.scoring() as stub:
        return stub.GetScoringBacklog(scoring.GetScoringBacklogRequest(), timeout=CALL_SECONDS)


def _model(connection: Connection) -> scoring.ScoringModel:
    with connection.scoring() as stub:
        return stub.GetScoringModel(scoring.GetScoringModelRequest(), timeout=CALL_SECONDS).scoring_model


def _leads_left(connection: Connection) -> int:
    """Returns about how many leads workers still have to go through for the last publication."""
    with connection.scoring() as stub:
        request = scoring.ListModelPublicationsRequest(page_size=1)
        publications = stub.ListModelPublications(request, timeout=CALL_SECONDS).publications
    return publications[0].leads_left if publications else 0


def _automation_backlog(connection: Connection) -> automation.GetAutomationBacklogResponse:
    with connection.automation() as stub:
        return stub.GetAutomationBacklog(automation.GetAutomationBacklogRequest(), timeout=CALL_SECONDS)
