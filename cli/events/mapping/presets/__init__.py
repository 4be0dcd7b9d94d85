"""The mapping files that come with leadscore, by the names of their formats."""

from pathlib import Path

from cli.terminal.connection import CommandError

AUTO = "auto"
"""Stands for the first format whose columns a file has."""
PRESETS = (
    "leadscore-export",
    "leadscore",
    "segment",
    "posthog",
    "mixpanel",
    "amplitude",
    "ga4",
    "snowplow",
    "snowplow-tsv",
    "marketo",
    "hubspot",
    "salesforce",
    "mautic",
)
"""The formats, in the order in which a file is compared with them."""


def preset_path(name: str) -> Path:
    """Returns the mapping file of a format.

    Raises:
        CommandError: There is no such format.
    """
    if name not in PRESETS:
        raise CommandError(f"--format {name!r} is unknown: give {AUTO}, {', '.join(PRESETS[:-1])} or {PRESETS[-1]}")
    return Path(__file__).parent / f"{name}.yaml"
