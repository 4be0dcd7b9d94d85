"""Runs all checks, each by itself: one that fails or waits does not keep the others from being reported."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cli.doctor import certificates, databases, services
from cli.doctor.surroundings import Surroundings
from cli.terminal.connection import CommandError
from cli.terminal.findings import Finding, Level
from shared.settings import StartupError, StoreSettings, load, unknown_variables

Check = Callable[[Surroundings], Iterator[Finding]]
"""Every check bounds the time that it waits."""


def examine(surroundings: Surroundings) -> list[Finding]:
    """Runs every check and returns what they have found, in the order of the checks."""
    with ThreadPoolExecutor(8) as pool:
        return [finding for found in pool.map(partial(_run, surroundings), _checks()) for finding in found]


def _checks() -> Sequence[Check]:
    return (
        services.programs,
        _names,
        partial(_with_settings, databases.mongod),
        partial(_with_settings, databases.redis_server),
        *(partial(services.settings_and_database, service) for service in services.CHECKED),
        services.gateway,
        certificates.files,
        certificates.shown,
        services.health_and_backlog,
        services.http_api,
        services.disk,
    )


def _run(surroundings: Surroundings, check: Check) -> Sequence[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(surroundings))
    except CommandError as error:
        found.append(Finding(Level.CRITICAL, "command", str(error), "correct it, then run the command again"))
    except Exception as error:  # noqa: BLE001 (the other checks must be reported)
        text = f"a check has failed unexpectedly with {type(error).__name__}: {error}"
        found.append(Finding(Level.CRITICAL, "doctor", text, "please report this"))
    return found


def _names(_: Surroundings) -> Iterator[Finding]:
    unknown = unknown_variables()
    for sentence in unknown:
        yield Finding(Level.WARNING, "settings", sentence, "correct the name, or remove the variable")
    if not unknown:
        yield Finding(Level.OK, "settings", "every LEADSCORE_* variable is known")


def _with_settings(check: Callable[[StoreSettings], Iterator[Finding]], _: Surroundings) -> Iterator[Finding]:
    try:
        settings = load(StoreSettings)
    except StartupError:
        return  # each service reports it
    yield from check(settings)
