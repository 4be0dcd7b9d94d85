"""The mapping files that come with leadscore, by the names of their formats."""

from pathlib import Path

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
    "cloudevents",
    "marketo",
    "hubspot",
    "salesforce",
    "mautic",
)
"""The formats, in the order in which a file is compared with them."""


def preset_path(name: str) -> Path:
    """Returns the mapping file of a format, which is one of `PRESETS`."""
    return Path(__file__).parent / f"{name}.yaml"
