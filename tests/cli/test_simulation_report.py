"""The report of a simulation: one page that needs no network and escapes untrusted text."""

import re
import warnings
from html.parser import HTMLParser

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.simulation.report import to_html
from cli.simulation.run import Simulation
from tests.cli.test_simulate import HOSTILE, NOW, difference, simulated


class Page(HTMLParser):
    """Collects the elements, ids, references and event handlers of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects one element; the parser calls it."""
        self.elements.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in {"href", "src", "xlink:href", "action", "data"}:
                self.references.append(value or "")
            elif name.startswith("on"):
                self.handlers.append(name)


@pytest.fixture(scope="module")
def html() -> str:
    """A report whose texts are all hostile, with everything that a report can have."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulation = simulated(difference(HOSTILE, 0, 1), difference("bob", 9, 2), text=HOSTILE)
        simulation.source = simulation.after.display_name = HOSTILE
        simulation.after.stages.add(stage=HOSTILE, minimum_score=90)
        limits = simulation.after.rules[0].limits
        limits.add(max_times=1, period=pb.PERIOD_DAY)
        limits.add(max_points=1_000, period=pb.PERIOD_30_DAYS)
        simulation.summary.rules[0].rule_id = simulation.after.rules[0].rule_id
        bins = [
            pb.ReliabilityBin(mean_probability=share / 10, lead_count=9, converted_count=share, rate=share / 9)
            for share in (0, 3, 9)
        ]
        reliability = pb.Reliability(brier_score=0.123, calibration_error=0.045, bins=bins)
        simulation.summary.judgements[0].after.reliability.CopyFrom(reliability)
        return to_html(simulation, [f"learnt from {HOSTILE}"], NOW)


def test_the_report_is_self_contained_and_escapes_untrusted_text(html: str) -> None:
    page = Page(html)
    assert not page.elements & {"script", "img", "iframe", "object", "link", "image", "frac"}
    assert not page.handlers
    assert all(reference.startswith("#") for reference in page.references)
    assert not re.findall(r"url\((?!#)|@import", html)
    assert len(page.ids) == len(set(page.ids))
    assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_every_plot_has_a_title_for_those_who_cannot_see_it(html: str) -> None:
    titles = re.findall(r'<svg role="img" aria-labelledby="([\w-]+)"[^>]*><title id="\1">([^<]+)</title>', html)
    assert len(titles) == html.count("<svg") == 9
    assert len(set(titles)) == len(titles)


def test_the_report_has_all_figures(html: str) -> None:
    for text in (
        "in force: 0.600",
        "2026-01-31 12:00 UTC",
        "1h: left out 4 leads decided before, and 3 whose outcome is unknown.",
        "at most once a day, 1,000 points in 30 days",
        "learnt from &lt;script&gt;",
        "Brier score 0.123",
        "simulated, calibration error 0.045",
    ):
        assert text in html


def test_warnings_come_first(html: str) -> None:
    first = html[html.index("Check before you publish") : html.index("How well scores predict")]
    for sentence in ("39 of its 40 events are followed", "is compared as number", "never matched: &lt;script"):
        assert sentence in first


def test_a_report_without_conversions_and_changes_has_fewer_plots() -> None:
    simulation = simulated(ranked=False)
    del simulation.summary.fit_grades[:]
    found = to_html(simulation, now=NOW)
    assert found.count("<svg") == 3
    assert "AUC" not in found
    assert found == to_html(simulation, now=NOW), "the same simulation gives the same report"


def test_an_empty_simulation_has_a_report() -> None:
    simulation = Simulation(pb.ScoringModel(version=1), pb.ScoringModel(version=2), "2", 0)
    assert "What publishing version 2 would do" in to_html(simulation, now=NOW)
