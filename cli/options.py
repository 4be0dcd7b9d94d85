"""The options that commands have in common."""

from typing import Annotated

import typer

BasePort = Annotated[
    int,
    typer.Option(
        envvar="LEADSCORE_BASE_PORT",
        min=1,
        max=65532,
        help="Port of the ingest service; scoring, automation and intelligence are on the three after it.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
LeadId = Annotated[str, typer.Argument(help="The lead's id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Print at most so many.")]
