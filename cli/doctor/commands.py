"""`leadscore doctor`. It imports what it runs, because this takes longer than importing all other commands together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.doctor.findings import merged
from cli.local.commands import DataDir
from cli.terminal.findings import STYLES, Finding, outcome, verdict, word, worst
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import OUT, print_json, say
from cli.terminal.pieces import plain

_WIDTH = len("critical")


def doctor(data_dir: DataDir = Path(".leadscore"), base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Check settings, databases, services, clocks and certificates, and say what to do about what is wrong.

    The exit status is 0 (ok) if all is well, 1 (warning) if something needs attention, 2 (critical) if a part of the
    system does not work. It checks the system that `leadscore up` runs in the data directory, if it has this base port;
    otherwise the databases that the LEADSCORE_* variables name, and the services at the base port. It changes nothing.
    """
    from cli.doctor.examination import examine
    from cli.doctor.surroundings import look_around

    surroundings = look_around(data_dir.resolve(), base_port)
    say(f"checking {surroundings.data_dir or f'the services from port {base_port} on, with this environment'}")
    findings = examine(surroundings)
    level = worst(findings)
    if as_json:
        checks = [each.to_json() for each in findings]
        print_json(outcome(findings) | {"checks": checks})
    else:
        OUT.print(Group(*_lines(findings), Text(), plain(verdict(findings), STYLES[level])), soft_wrap=True)
    raise typer.Exit(int(level))


def _lines(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for each in merged(findings):
        sign = word(each.level).ljust(_WIDTH), STYLES[each.level]
        yield Text.assemble(sign, "  ", plain(each.subject, "bold"), "  ", plain(each.text))
        if each.advice and each.level:
            yield Text.assemble(" " * (_WIDTH + 2), "→ ", plain(each.advice))
