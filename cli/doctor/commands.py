"""`leadscore doctor`. It imports what it runs, because this takes longer than importing all other commands together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.doctor.findings import Finding, Level, merged, verdict, worst
from cli.local.commands import DataDir
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import OUT, print_json, say
from cli.terminal.pieces import plain

_SIGNS = {Level.OK: ("ok  ", "green"), Level.WARN: ("warn", "bold yellow"), Level.FAIL: ("fail", "bold red")}


def doctor(data_dir: DataDir = Path(".leadscore"), base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Check settings, databases, services, clocks and certificates, and say what to do about what is wrong.

    The exit status is 0 if all is well, 1 if something needs attention, 2 if a part of the system does not work. It
    checks the system that `leadscore up` runs in the data directory, if it has this base port; otherwise the databases
    that the LEADSCORE_* variables name, and the services at the base port. It changes nothing.
    """
    from cli.doctor.examination import examine
    from cli.doctor.surroundings import look_around

    surroundings = look_around(data_dir.resolve(), base_port)
    say(f"checking {surroundings.data_dir or f'the services from port {base_port} on, with this environment'}")
    findings = examine(surroundings)
    level = worst(findings)
    if as_json:
        checks = [each.to_json() for each in findings]
        print_json({"verdict": verdict(findings), "exit_status": int(level), "checks": checks})
    else:
        OUT.print(Group(*_lines(findings), Text(), plain(verdict(findings), _SIGNS[level][1])), soft_wrap=True)
    raise typer.Exit(int(level))


def _lines(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for each in merged(findings):
        sign, style = _SIGNS[each.level]
        yield Text.assemble((sign, style), "  ", plain(each.subject, "bold"), "  ", plain(each.text))
        if each.advice and each.level:
            yield Text.assemble("      → ", plain(each.advice))
