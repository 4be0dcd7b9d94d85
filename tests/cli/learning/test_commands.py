"""`leadscore model fit`: from the history to a file, with a sentence for everything that can be missing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.histories import Seen
from cli.model.files import read_model
from shared import wire
from tests.cli.learning.test_scorecard import BEGAN, made
from tests.cli.servicer import Run, Services, json_of, serving

OUTCOMES = ("--conversion", "won", "--lost", "lost")


@pytest.fixture
def system() -> Iterator[tuple[Services, Run]]:
    with serving() as (service, run):
        service.answers = [pb.SimulateScoringModelResponse(summary=pb.SimulationSummary(judgements=[pb.Judgement()]))]
        yield service, run


def fill(service: Services, leads: list[list[Seen]]) -> None:
    service.entries = [
        pb.ScoreEntry(
            lead_id=f"lead-{number}",
            event_id=f"{number}-{index}",
            kind=pb.ENTRY_KIND_EVENT,
            event_type=seen.event_type,
            event_time=wire.to_timestamp(seen.time),
        )
        for number, events in enumerate(leads)
        for index, seen in enumerate(events)
    ]
    last = max(seen.time for events in leads for seen in events)
    service.lead_scores = [pb.LeadScore(lead_id="lead-0", last_event_time=wire.to_timestamp(last))]


def test_a_model_is_written_and_judged_by_later_leads(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    fill(service, made(1_500))
    split = BEGAN + timedelta(hours=1_000)
    files = [tmp_path / "fitted.yaml", tmp_path / "again.yaml"]
    for file in files:
        found = run("model", "fit", *OUTCOMES, "--out", file, "--train-before", f"{split:%Y-%m-%d}", "--horizon", "30d")
        assert found.exit_code == 0, found.exception
    assert files[0].read_bytes() == files[1].read_bytes(), "the same history gives the same file"
    text, model = files[0].read_text(), read_model(files[0])
    assert "# learnt from 984 leads" in text
    assert "516 that began later" in text
    assert {rule.event_types[0] for rule in model.rules} >= {"demo_request", "unsubscribe"}
    assert [stage.stage for stage in model.stages] == ["cold", "hot"]
    request = service.requests[-1]
    assert request.draft == model
    assert list(request.lost_event_types) == ["lost"]
    assert wire.to_time(request.train_before) == split.replace(hour=0)
    assert request.horizon.seconds == 30 * 86400
    assert "how well scores predict conversion" in found.stdout
    [summary] = json_of(run("model", "fit", *OUTCOMES, "--out", files[0], "--json"))
    assert len(summary["judgements"]) == 1


def test_an_answer_among_the_events_is_warned_of(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    leads = made(1_000)
    for events in leads:
        if events[-1].event_type == "won":
            events.insert(-1, Seen("contract_draft", events[0].time + timedelta(days=2), {}))
    fill(service, leads)
    found = run("model", "fit", *OUTCOMES, "--out", tmp_path / "fitted.yaml")
    assert "too good to be true" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "leads", "sentence"),
    [
        (OUTCOMES, 0, "there are no leads to learn from"),
        (("--conversion", "bought", "--lost", "lost"), 50, "only 0 of"),
        (("--conversion", " "), 50, "--conversion names no event type"),
        (("--conversion", "won", "--lost", "won"), 50, "'won' is in --conversion and in --lost"),
        ((*OUTCOMES, "--landmark", "20d"), 50, "all 50 leads were decided before the landmark"),
        ((*OUTCOMES, "--train-before", "2020-01-01"), 50, "all 50 leads began at --train-before or later"),
        ((*OUTCOMES, "--property", "amount"), 50, "--property 'amount' is not TYPE:PROPERTY"),
        ((*OUTCOMES, "--time-zone", "Mars"), 50, "--time-zone 'Mars' is unknown"),
        ((*OUTCOMES, "--horizon", "soon"), 50, "--horizon is not a duration"),
    ],
)
def test_what_is_missing_is_said(
    system: tuple[Services, Run], tmp_path: Path, arguments: tuple[str, ...], leads: int, sentence: str
) -> None:
    service, run = system
    if leads:
        fill(service, made(leads))
    file = tmp_path / "fitted.yaml"
    found = run("model", "fit", *arguments, "--out", file)
    assert sentence in str(found.exception)
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_found_before_the_history_is_read(
    system: tuple[Services, Run], tmp_path: Path
) -> None:
    _, run = system
    found = run("model", "fit", *OUTCOMES, "--out", tmp_path / "no" / "fitted.yaml")
    assert "cannot be written: there is no directory" in str(found.exception)
