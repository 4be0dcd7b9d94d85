"""What a simulation shows of how well scores predict conversion."""

from datetime import timedelta

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.simulation.report import to_html
from cli.simulation.views import simulation_view
from tests.cli.terminal import text_of
from tests.cli.test_simulate import NOW, judgement, simulated
from tests.cli.test_simulation_report import Page


def test_several_landmarks_share_a_table_and_have_a_plot_each() -> None:
    simulation = simulated()
    simulation.summary.judgements.append(judgement(seconds=7 * 86400))
    text, html = text_of(simulation_view(simulation)), to_html(simulation, now=NOW)
    assert "1h" in text
    assert "7d" in text
    assert "decile" not in text, "the rates of several landmarks are in the report"
    assert html.count("Conversion rate of each decile") == html.count("ROC curves of both models") == 2
    assert len(Page(html).ids) == len(set(Page(html).ids))


def test_probabilities_are_shown_beside_what_happened() -> None:
    simulation = simulated()
    bins = [
        pb.ReliabilityBin(mean_probability=0.05, lead_count=1_200, converted_count=72, rate=0.06),
        pb.ReliabilityBin(mean_probability=0.4, lead_count=50, converted_count=19, rate=0.38),
    ]
    ranking = simulation.summary.judgements[0].after
    ranking.reliability.CopyFrom(pb.Reliability(brier_score=0.0712, calibration_error=0.0104, bins=bins))
    ranking.reliability.landmark.CopyFrom(simulation.summary.judgements[0].landmark)
    text = text_of(simulation_view(simulation), 120)
    assert "how well probabilities agree with what happened" in text
    [row] = [line for line in text.splitlines() if "0.071" in line]
    assert row.split() == ["1h", "simulated", f"{ranking.lead_count:,}", "0.071", "0.010"]
    assert ["5.0%", "1,200", "72", "6.0%"] in [line.split() for line in text.splitlines()]
    assert "are for" not in text, "they are judged at their own landmark"
    assert "probabilities" not in text_of(simulation_view(simulated())), "expected nothing without a calibration"


@pytest.mark.parametrize(
    ("landmark", "horizon", "judged_with", "options"),
    [
        (7, 30, None, "--landmark 7d and --horizon 30d"),
        (7, None, 30, "--landmark 7d and no --horizon"),
        (None, 30, 60, "--landmark 1h and --horizon 30d"),
    ],
)
def test_probabilities_that_are_judged_for_something_else_are_noted(
    landmark: int | None, horizon: int | None, judged_with: int | None, options: str
) -> None:
    simulation = simulated()
    [judgement] = simulation.summary.judgements
    found = judgement.after.reliability
    found.landmark.CopyFrom(judgement.landmark)
    if landmark is not None:
        found.landmark.FromTimedelta(timedelta(days=landmark))
    if horizon is not None:
        found.horizon.FromTimedelta(timedelta(days=horizon))
    if judged_with is not None:
        simulation.summary.horizon.FromTimedelta(timedelta(days=judged_with))
    sentence = f"the probabilities of the model (simulated) are for {options}: judge them with these options"
    assert sentence in text_of(simulation_view(simulation), 120)


@pytest.mark.parametrize(
    ("leads", "converted", "sentence"),
    [
        (0, 0, "1h: no lead can be judged: choose an earlier landmark or a shorter horizon"),
        (9, 0, "1h: no lead converted after the landmark: check the names in --conversion"),
        (9, 9, "1h: all leads that can be judged converted: name the event types of lost leads"),
    ],
)
def test_a_landmark_that_cannot_be_judged_says_why(leads: int, converted: int, sentence: str) -> None:
    simulation = simulated()
    ranking = simulation.summary.judgements[0].after
    ranking.lead_count, ranking.converted_count = leads, converted
    assert sentence in text_of(simulation_view(simulation)).replace("\n", " ")


def test_leads_of_which_nothing_was_known_say_why() -> None:
    simulation = simulated()
    simulation.summary.judgements[0].recorded_later_count = 12
    simulation.summary.judgements[0].after.ranges.add(lead_count=9)
    text = " ".join(text_of(simulation_view(simulation)).split())
    assert "1h: left out 12 events and adjustments recorded after the landmark" in text
    assert "as by an import: judge them without --as-known" in text
