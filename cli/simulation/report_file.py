"""The option `--report` of the commands that judge a model, and the file that it asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from cli.simulation.run import Simulation
from cli.terminal.connection import CommandError
from cli.terminal.files import require_directory
from cli.terminal.output import say

ReportFile = Annotated[Path | None, typer.Option("--report", help="Write an HTML report with plots to this file.")]


@dataclass(frozen=True, slots=True)
class ReportWriter:
    """Writes the report to a file, if one was asked for."""

    path: Path | None
    _to_html: Callable[[Simulation, Sequence[str]], str] | None

    def write(self, simulation: Simulation, provenance: Sequence[str] = ()) -> None:
        """Writes the report; `provenance` says what a fitted model was learnt from.

        Raises:
            CommandError: The file cannot be written.
        """
        if not (self.path and self._to_html):
            return
        try:
            self.path.write_text(self._to_html(simulation, provenance), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written: {error.strerror}") from None
        say(f"report written to {self.path}")


def report_writer(path: Path | None) -> ReportWriter:
    """Returns what writes the report; fails before the work starts if no report can be written.

    The plots are imported only for reports, because they need the optional packages of `leadscore[report]`.

    Raises:
        CommandError: There is no such directory, or a package is missing.
    """
    if not path:
        return ReportWriter(None, None)
    require_directory(path)
    try:
        return ReportWriter(path, import_module("cli.simulation.report").to_html)
    except ModuleNotFoundError as error:
        raise CommandError(f"--report needs {error.name}: pip install 'leadscore[report]'") from None
