"""`leadscore model fit`: from the history to a file, with a sentence for everything that can be missing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.histories import Seen
from cli.model.files import read_model
from shared import wire
from tests.cli.learning.leads import BEGAN, identified, made, with_outcomes
from tests.cli.servicer import Run, Services, json_of, serving

OUTCOMES = ("--conversion", "won", "--lost", "lost", "--decay", "none")


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
            properties=wire.to_struct(seen.properties),
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
    report = tmp_path / "report.html"
    [summary] = json_of(run("model", "fit", *OUTCOMES, "--out", files[0], "--report", report, "--json"))
    assert len(summary["judgements"]) == 1
    html = report.read_text()
    assert "How well fitted.yaml predicts" in html
    assert "learnt from 1,500 leads" in html


def with_a_leak(before: timedelta, share: float = 1.0) -> list[list[Seen]]:
    """Returns leads of which some that convert have another event before they do, and a few within the landmark."""
    leads = made(1_000)
    won = [events for events in leads if events[-1].event_type == "won"]
    for events in won[: int(len(won) * share)]:
        events.insert(-1, Seen("contract_draft", events[-1].time - before, {}))
    return leads


def test_an_event_that_knows_the_answer_is_refused(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    fill(service, with_a_leak(timedelta(days=8)))
    file = tmp_path / "fitted.yaml"
    found = run("model", "fit", *OUTCOMES, "--out", file)
    assert "too good to be true: 'contract_draft' alone reaches 1.000" in str(found.exception)
    assert not file.exists()
    assert run("model", "fit", *OUTCOMES, "--out", file, "--without", "contract_draft").exit_code == 0
    assert "contract_draft" not in file.read_text()
    assert run("model", "fit", *OUTCOMES, "--out", file, "--accept-leaks").exit_code == 0
    assert "contract_draft" in file.read_text()


def test_an_event_that_is_suspiciously_sure_is_warned_of(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    fill(service, with_a_leak(timedelta(days=8), share=0.5))
    found = run("model", "fit", *OUTCOMES, "--out", tmp_path / "fitted.yaml")
    assert found.exit_code == 0
    assert "leads with 'contract_draft' converted: if it is a part of the outcome" in found.stderr


def test_nothing_is_learnt_from_what_the_outcome_follows_at_once(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    fill(service, with_a_leak(timedelta(minutes=5)))
    found = run("model", "fit", *OUTCOMES, "--landmark", "239h", "--out", tmp_path / "fitted.yaml")
    assert found.exit_code == 0, found.exception
    assert "nothing was learnt from 'contract_draft': the outcome follows" in found.stderr
    assert "contract_draft" not in (tmp_path / "fitted.yaml").read_text()


def test_attributes_become_fit_rules_unless_they_are_left_out(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    countries = [("DE", "US")[number % 2] for number in range(1_000)]
    leads = identified([{"country": country, "id": float(number)} for number, country in enumerate(countries)])
    for events in leads:
        events.append(Seen("visit", events[0].time, {}))
    fill(service, with_outcomes(leads, [1.0 if country == "DE" else -1.0 for country in countries]))
    arguments = ("model", "fit", *OUTCOMES, "--out", tmp_path / "fitted.yaml")
    assert run(*arguments).exit_code == 0
    model = read_model(tmp_path / "fitted.yaml")
    assert {rule.conditions[0].property for rule in model.fit.rules} == {"country"}
    assert not model.rules, "all leads had the same events"
    assert "no kind of event tells the leads apart" in str(run(*arguments, "--attribute", "none").exception)


def test_a_draft_is_stored_if_asked(system: tuple[Services, Run], tmp_path: Path) -> None:
    service, run = system
    fill(service, made(500))
    found = run("model", "fit", *OUTCOMES, "--out", tmp_path / "fitted.yaml", "--draft")
    assert "stored as version" in found.stderr
    [request] = [each for each in service.requests if isinstance(each, pb.CreateScoringModelRequest)]
    assert request.scoring_model == read_model(tmp_path / "fitted.yaml")
    assert not [each for each in service.requests if isinstance(each, pb.PublishScoringModelRequest)]


@pytest.mark.parametrize(
    ("arguments", "leads", "sentence"),
    [
        (OUTCOMES, 0, "there are no leads to learn from"),
        (("--conversion", "bought", "--lost", "lost"), 50, "only 0 of"),
        (("--conversion", " "), 50, "--conversion names no event type"),
        (("--conversion", "won", "--lost", "won"), 50, "'won' is in --conversion and in --lost"),
        ((*OUTCOMES, "--landmark", "20d"), 500, "all 500 leads were decided before the landmark"),
        ((*OUTCOMES, "--landmark", "20d"), 50, "the landmark comes after the end of the data, 2025-01-13, for every"),
        (OUTCOMES, 1, "of 1 lead with a known outcome"),
        ((*OUTCOMES, "--property", "won:amount"), 50, "--property names 'won', which is an outcome"),
        ((*OUTCOMES, "--positive", "lost"), 50, "--positive or --negative names 'lost', which is an outcome"),
        ((*OUTCOMES, "--positive", "a", "--negative", "a"), 50, "'a' is in --positive and in --negative"),
        ((*OUTCOMES, "--decay", "36h"), 50, "--decay is '36h', must be whole days"),
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
