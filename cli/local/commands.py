"""`leadscore up`, `leadscore down` and `leadscore demo`: the whole system on this machine.

The functions import what they run, because this takes longer than importing all other commands together.
"""

import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.local.plan import MAX_PROCESSES, Plan, cores
from cli.terminal.connection import SERVICES, Connection
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import OUT, print_json, say
from shared import wire

DataDir = Annotated[Path, typer.Option(help="Directory for the databases and logs.")]


def up(
    data_dir: DataDir = Path(".leadscore"),
    base_port: BasePort = 50051,
    scoring_workers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_PROCESSES, help="Scoring worker processes.", show_default="one per core"),
    ] = None,
    automation_workers: Annotated[
        int,
        typer.Option(min=0, max=MAX_PROCESSES, help="Automation worker processes; with 0, no rule fires yet."),
    ] = 1,
    ingest_processes: Annotated[
        int, typer.Option(min=1, max=MAX_PROCESSES, help="Processes of the ingest server, all at its port.")
    ] = 1,
    http: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, metavar="PORT", help="Serve the HTTP API, too, at this port.", show_default="no"
        ),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Refuse calls without an API key; makes keys in the data directory.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Starts MongoDB and Redis, too, unless LEADSCORE_MONGO_URI and LEADSCORE_REDIS_URL are set.
    """
    from cli.local.up import run_until_stopped

    connection = Connection(base_port)
    plan = Plan(
        connection,
        data_dir.resolve(),
        scoring_workers or cores(),
        automation_workers,
        ingest_processes,
        http,
        keys=keys,
    )
    run_until_stopped(plan, say, lambda: _print_ready(plan, as_json=as_json))


def down(data_dir: DataDir = Path(".leadscore"), as_json: AsJson = False) -> None:
    """Stop the system that `leadscore up` runs in a data directory, and processes that an earlier one left running."""
    from cli.local.down import stop_system

    has_stopped = stop_system(data_dir.resolve(), say)
    if as_json:
        print_json({"data_dir": str(data_dir.resolve()), "stopped": has_stopped})


def demo(as_json: AsJson = False) -> None:
    """Start the whole system, ingest a made-up funnel of 300 leads, show the results, and stop."""
    from cli.local.demo import run_demo

    run_demo(as_json=as_json)


def _print_ready(plan: Plan, *, as_json: bool) -> None:
    connection = plan.connection
    targets = {service: connection.target(service) for service in SERVICES}
    if plan.http_port:
        targets["http"] = f"127.0.0.1:{plan.http_port}"
    if as_json:
        print_json(targets)
    else:
        addresses = Table.grid(padding=(0, 2))
        for service, target in targets.items():
            addresses.add_row(service, target)
        OUT.print(addresses)
        event = (
            f'{{"event": {{"event_id": "hello-{uuid.uuid4()}", "lead_id": "ada", "event_type": "demo_request", '
            f'"event_time": "{wire.now().isoformat().replace("+00:00", "Z")}"}}}}'
        )
        OUT.print("\ntry:", style="dim")
        method = "leadscore.ingest.v1.IngestService/IngestEvent"
        key = f' -H "authorization: Bearer $(cat {plan.key_file})"' if plan.keys else ""
        command = f"grpcurl -plaintext{key} -d '{event}' {targets['ingest']} {method}"
        OUT.print(command, soft_wrap=True, markup=False)
        OUT.print(f"leadscore lead ada --base-port {connection.base_port}\n", highlight=False)
        OUT.print("ready")
        OUT.file.flush()
