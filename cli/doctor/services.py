"""Checks of the services: their settings, the database as each expects it, their health, and their backlogs."""

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator

from cli import VERSION
from cli.doctor.databases import FULL, NEARLY_FULL
from cli.doctor.findings import split_advice
from cli.doctor.surroundings import Surroundings
from cli.local.plan import HttpProgram
from cli.operations.problems import Status, judge
from cli.operations.status import gather
from cli.terminal.counts import counted
from cli.terminal.findings import Finding, Level

CHECKED = ("ingest", "scoring", "automation", "intelligence", "admin")
CHECK_SECONDS = 60.0
"""Much longer than a check takes: most of it is for the imports on a busy machine."""


def programs(_: Surroundings) -> Iterator[Finding]:
    """Yields the versions of this installation."""
    text = f"leadscore {VERSION}, Python {platform.python_version()}, {platform.system()} on {platform.machine()}"
    yield Finding(Level.OK, "versions", text)


def settings_and_database(service: str, surroundings: Surroundings) -> Iterator[Finding]:
    """Yields what a service finds wrong with its settings and with the database, by `python -m SERVICE check`."""
    module = f"{service}_service"
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, "check"],
            env=dict(surroundings.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        yield Finding(
            Level.CRITICAL, service, f"its check takes more than {CHECK_SECONDS:.0f} s", "see whether MongoDB hangs"
        )
        return
    if done.returncode == 0:
        database = "" if service == "gateway" else ", and the database is as it expects"
        yield Finding(Level.OK, service, f"its settings are valid{database}")
        return
    yield from _problems(service, done.stderr.splitlines())


def gateway(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields what the gateway finds wrong with its settings, if it is installed."""
    if importlib.util.find_spec("starlette"):
        yield from settings_and_database("gateway", surroundings)


def health_and_backlog(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields what `leadscore status` complains about: health, backlogs, decay, parked rows, a rollout."""
    status = gather(surroundings.connection)
    yield from judge(status)
    yield from _good_news(status)


def http_api(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields whether the HTTP API answers, if `leadscore up` serves it."""
    port = surroundings.http_port
    if port is None:
        return
    if HttpProgram("http", "cli.http", "serve", port).is_serving():
        yield Finding(Level.OK, "http", f"the HTTP API on port {port} is healthy")
    else:
        yield Finding(Level.CRITICAL, "http", f"the HTTP API on port {port} is not healthy", "see logs/http.log")


def disk(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields how full the disk of the data directory is."""
    if surroundings.data_dir is None:
        return
    usage = shutil.disk_usage(surroundings.data_dir)
    share = 1 - usage.free / usage.total
    level = Level.CRITICAL if share > FULL else Level.WARNING if share > NEARLY_FULL else Level.OK
    text = f"{share:.0%} of the disk of {surroundings.data_dir} are in use, {usage.free / 1e9:,.0f} GB are free"
    yield Finding(level, "disk", text, "make room, or move the data directory" if level else "")


def _problems(service: str, lines: list[str]) -> Iterator[Finding]:
    """Yields the mistakes that a service names after its log lines: one on a line, or several below a heading."""
    begin = next((number for number, line in enumerate(lines) if line.startswith(f"{service}_service: ")), None)
    if begin is None:
        yield Finding(
            Level.CRITICAL, service, f"its check fails: {lines[-1] if lines else 'it says nothing'}", "reinstall it"
        )
        return
    first, *others = [line.strip() for line in lines[begin:]]
    for line in others or [first.removeprefix(f"{service}_service: ")]:
        yield split_advice(service, line)


def _good_news(status: Status) -> Iterator[Finding]:
    if all(health.value == "serving" for health in status.services.values()):
        workers = counted(len(status.workers), "worker")
        yield Finding(Level.OK, "health", f"all services are serving, and {workers} on this machine")
    if status.scoring is not None:
        through = status.scoring.decayed_through.latest_date or "never"
        text = f"{counted(status.scoring.pending_events, 'event')} pending, {status.scoring.parked_events:,} parked"
        yield Finding(Level.OK, "backlog", f"scoring: {text}; decay through {through}")
    if status.automation is not None:
        automation = status.automation
        text = f"{counted(automation.pending_changes, 'change')} pending, {automation.parked_changes:,} parked"
        yield Finding(Level.OK, "backlog", f"automation: {text}; {automation.due_deliveries:,} deliveries due")
