"""Reads metrics pages as Prometheus does."""

from collections.abc import Mapping

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families

ACCEPT = "application/openmetrics-text; version=1.0.0"
SECONDS = 30.0


class Page:
    """What a metrics page showed; the text is valid OpenMetrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values = {
            (sample.name, frozenset(sample.labels.items())): float(sample.value)
            for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Returns the value of a series; 0 if the page does not show it."""
        return self._values.get((name, frozenset(labels.items())), 0.0)

    def shows(self, name: str) -> bool:
        """Returns whether the page shows a series of this name."""
        return any(shown == name for shown, _ in self._values)

    def by(self, label: str, name: str, **labels: str) -> Mapping[str, float]:
        """Returns the values other than 0 of the series with these labels, by another label."""
        found: dict[str, float] = {}
        for (shown, pairs), value in self._values.items():
            having = dict(pairs)
            if shown == name and value and labels.items() <= having.items():
                found[having[label]] = found.get(having[label], 0.0) + value
        return found


async def fetch(port: int, *, host: str = "127.0.0.1") -> Page:
    """Fetches the page at a port."""
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
        answer = await client.get(f"http://{host}:{port}/metrics", headers={"Accept": ACCEPT})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text"), answer.headers
    return Page(answer.raise_for_status().text)
