"""`leadscore export lead`: everything that is known about a lead, for a person who asks."""

import json
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer
from leadscore.admin.v1 import admin_pb2 as pb

from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, BasePort, LeadId
from cli.terminal.output import say


def export_lead(
    lead_id: LeadId,
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write. Default: standard output.")] = "-",
    base_port: BasePort = 50051,
) -> None:
    """Export everything that is stored about one lead, as NDJSON: a document and its collection per line."""
    if output == "-":
        _write(lead_id, base_port, sys.stdout)
        return
    part = Path(f"{output}.part")
    try:
        with part.open("w") as file:
            _write(lead_id, base_port, file)
        part.replace(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _write(lead_id: str, base_port: int, file: TextIO) -> None:
    count = 0
    with Connection(base_port).admin() as stub:
        for answer in stub.ExportLead(pb.ExportLeadRequest(lead_id=lead_id), timeout=STREAM_SECONDS):
            line = {"collection": answer.collection, "document": json.loads(answer.json)}
            file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            count += 1
    file.flush()
    say(f"exported {counted(count, 'document')}")
