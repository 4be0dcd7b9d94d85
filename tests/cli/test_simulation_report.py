"""The report of a simulation: one page that needs no network and escapes untrusted text."""

import re
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


@pytest.mark.filterwarnings("error")
def test_the_report_is_self_contained_and_escapes_untrusted_text() -> None:
    simulation = simulated(difference(HOSTILE, 0, 1), difference("bob", 9, 2), text=HOSTILE)
    simulation.source = HOSTILE
    simulation.after.display_name = HOSTILE
    simulation.after.stages.add(stage=HOSTILE, minimum_score=90)
    html = to_html(simulation, NOW)
    page = Page(html)
    assert not page.elements & {"script", "img", "iframe", "object", "link", "image", "frac"}
    assert not page.handlers
    assert all(reference.startswith("#") for reference in page.references)
    assert not re.findall(r"url\((?!#)|@import", html)
    assert len(page.ids) == len(set(page.ids))
    assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_report_has_all_plots() -> None:
    html = to_html(simulated(difference("ada", 20, 50)), NOW)
    assert html.count("<svg") == 5
    assert "in force: 0.600" in html
    assert "39 of its 40 events are followed" in html
    assert "2026-01-31 12:00 UTC" in html


def test_a_report_without_conversions_and_changes_has_fewer_plots() -> None:
    simulation = simulated(ranked=False)
    del simulation.summary.fit_grades[:]
    html = to_html(simulation, NOW)
    assert html.count("<svg") == 2
    assert "AUC" not in html


def test_an_empty_simulation_has_a_report() -> None:
    assert "What publishing" in to_html(Simulation(pb.ScoringModel(version=1), pb.ScoringModel(version=2), "2", 0), NOW)


def test_the_same_simulation_gives_the_same_report() -> None:
    first, second = (to_html(simulated(difference("ada", 20, 50)), NOW) for _ in range(2))
    assert first == second
