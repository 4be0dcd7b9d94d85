"""`leadscore watch`: changes of leads, as they are committed."""

from typing import Annotated

import grpc
import typer
from leadscore.intelligence.v1 import intelligence_pb2 as pb

from cli.leads import show
from cli.leads.corrections import MAX_POINTS
from cli.terminal.connection import Connection
from cli.terminal.counts import counted
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import say
from cli.terminal.output import show as print_view


def watch(
    stages: Annotated[list[str], typer.Option("--stage", help="Only leads in this stage; may be repeated.")] = [],  # noqa: B006 (typer reads it)
    minimum_score: Annotated[
        int | None, typer.Option(min=-MAX_POINTS, max=MAX_POINTS, help="Only leads with at least this score.")
    ] = None,
    lead_ids: Annotated[list[str], typer.Option("--lead", help="Only this lead; may be repeated.")] = [],  # noqa: B006 (typer reads it)
    resume: Annotated[str, typer.Option(help="Continue after this resume token.")] = "",
    count: Annotated[int, typer.Option(min=0, help="Stop after this many changes; 0 for no limit.")] = 0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show each change of a lead as it is committed, until Ctrl-C."""
    request = pb.WatchLeadsRequest(stages=stages, minimum_score=minimum_score, lead_ids=lead_ids, resume_token=resume)
    seen, token = 0, resume
    with Connection(base_port).intelligence() as stub:
        answers = stub.WatchLeads(request)
        try:
            for answer in answers:
                token = answer.resume_token
                if not answer.HasField("change"):
                    say("watching; press Ctrl-C to stop")
                    continue
                print_view(show.change_line(answer), answer, as_json=as_json)
                seen += 1
                if seen == count:
                    break
        except KeyboardInterrupt:
            pass
        except grpc.RpcError:
            if token != resume:
                say(f"continue with --resume {token}")
            raise
        finally:
            answers.cancel()
    if not as_json:
        say(f"{counted(seen, 'change')}; continue with --resume {token}")
