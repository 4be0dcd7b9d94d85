"""Versions of the model: shown as files that can be published, compared by name, checked, and put in force."""

import getpass
import sys
from pathlib import Path

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.__main__ import main
from cli.model import commands as models
from cli.model import consent
from cli.model.differences import Difference, differences
from cli.terminal.connection import CommandError
from shared.message_files.yaml_text import write_yaml
from tests.cli.fake_scoring import built_in
from tests.cli.servicer import json_of, serving


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound model that differs from the built-in one."""
    model = built_in()
    model.rules[0].points = 30
    model.rules.add(rule_id="demo", event_types=["demo_request"], points=50)
    path = tmp_path / "model.yaml"
    path.write_text(write_yaml(model))
    return path


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """A file that is a model, but not a sound one."""
    path = tmp_path / "flawed.yaml"
    path.write_text("score_floor: 1")
    return path


def test_what_is_shown_can_be_published(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    with serving(automation=True) as (service, run):
        shown = run("model", "show")
        copy.write_text(shown.stdout)
        assert run("model", "publish", copy, "--mode", "rescore", "--actor", "ada").exit_code == 0
        assert run("model", "diff", "1", "2").stdout == "no difference\n"
        assert run("model", "show", "in-force").stdout.splitlines()[0] == "# version 2, in force"
    assert shown.stdout.splitlines()[0] == "# version 1, in force"
    assert service.models[1].rules == service.models[0].rules


def test_a_model_as_json_is_the_same_document(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    with serving() as (_, run):
        copy.write_text(run("model", "show", "1", "--json").stdout)
        assert run("model", "diff", "in-force", copy, "--json").stdout == ""


def test_versions_are_listed_over_pages(file: Path) -> None:
    with serving() as (_, run):
        run("model", "create", file)
        run("model", "create", file)
        table = run("model", "list").stdout
        newest = json_of(run("model", "list", "--limit", "2", "--json"))
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [["3", "draft"], ["2", "draft"], ["1", "in"]]
    assert [each["version"] for each in newest] == ["3", "2"]


def test_a_sound_file_is_checked_and_not_stored(file: Path) -> None:
    with serving() as (service, run):
        result = run("model", "validate", file)
    assert result.exit_code == 0
    assert "is valid: 2 rules, 2 stages" in result.stdout
    assert len(service.models) == 1


def test_comparisons_of_different_types_are_warned_of(file: Path) -> None:
    with serving() as (service, run):
        found = {"rule_id": "big", "property": "amount", "expected_type": "number", "found_type": "text"}
        service.type_mismatches = [
            pb.TypeMismatch(field="rules[1].conditions[0]", count=1_204, **found),
            pb.TypeMismatch(field="fit.rules[0].conditions[0]", count=1, **found),
        ]
        result = run("model", "validate", file)
    assert result.exit_code == 0
    (event, lead) = result.stderr.splitlines()
    assert event == (
        "warning: rules[1].conditions[0] (rule big): 'amount' is compared as number, but is text as a property of "
        "1,204 events, for which the condition does not hold"
    )
    assert "is text as an attribute of 1 lead" in lead


def test_all_that_the_service_finds_is_told(flawed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (service, run):
        error = run("model", "validate", flawed).exception
    assert isinstance(error, CommandError)
    assert "the model has 2 mistakes" in str(error)
    assert error.details == ("rules[0].points: must not be 0", "stages[1].minimum_score: must be above 0")
    assert len(service.models) == 1


def test_all_that_the_file_gets_wrong_is_told_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text('rules: [{pionts: 3, points: x}]\n"\\e[31m": 1')
    monkeypatch.setattr(sys, "argv", ["leadscore", "model", "validate", str(path)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert str(caught.value).splitlines() == [
        f"leadscore: {path} is not a valid model",
        "  rules[0].pionts: is unknown; did you mean points?",
        "  rules[0].points: is text, must be a whole number",
        "  �[31m: is unknown; must be one of " + ", ".join(pb.ScoringModel.DESCRIPTOR.fields_by_name),
    ]


@pytest.mark.parametrize("command", ["validate", "create"])
def test_a_file_that_does_not_exist(command: str) -> None:
    with serving() as (_, run):
        error = run("model", command, "none.yaml").exception
    assert str(error).startswith("none.yaml cannot be read: No such file")


def test_a_version_that_does_not_exist() -> None:
    with serving() as (_, run):
        assert "MODEL_NOT_FOUND" in str(run("model", "show", "7").exception)


def test_publishing_a_file_makes_a_draft_of_it_first(file: Path) -> None:
    with serving(automation=True) as (service, run):
        arguments = ("publish", file, "--mode", "forward", "--note", "more [points]", "--actor", "ada")
        result = run("model", *arguments, "--json")
        history = run("model", "history").stdout
    request = service.requests[-1]
    assert (request.version, request.base_version, request.mode) == (2, 1, pb.PUBLICATION_MODE_FORWARD)
    assert (request.actor, request.note) == ("ada", "more [points]")
    assert json_of(result)[0]["publication"] == "1"
    assert "more [points]" in history


def test_the_actor_of_a_publication_is_the_login_name_by_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "grace")
    with serving(automation=True) as (service, run):
        run("model", "create", file)
        service.leads_left = 7
        result = run("model", "publish", "2", "--mode", "rescore", "--base", "1")
    assert service.requests[-1].actor == "grace"
    assert "version 2 is in force (rescore); workers still have to go through about 7 leads" in result.stdout
    assert "leadscore model history" in result.stdout


@pytest.mark.parametrize(("mode", "is_told"), [("rescore", True), ("forward", False)])
def test_a_rescore_for_a_new_calibration_is_said_to_be_needless(tmp_path: Path, mode: str, is_told: bool) -> None:
    model = built_in()
    model.calibration.lead_count = 9
    model.calibration.steps.add(probability=0.1, low=0.0, high=0.2, lead_count=9)
    path = tmp_path / "model.yaml"
    path.write_text(write_yaml(model))
    with serving(automation=True) as (_, run):
        result = run("model", "publish", path, "--mode", mode, "--actor", "ada")
    assert result.exit_code == 0
    assert ("only the calibration differs" in result.stderr) is is_told


def test_publishing_without_a_login_name_asks_for_an_actor(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    with serving(automation=True) as (service, run):
        error = run("model", "publish", file, "--mode", "rescore").exception
    assert "--actor" in str(error)
    assert len(service.models) == 1


def test_an_outdated_base_is_refused_at_once(file: Path) -> None:
    with serving(automation=True) as (service, run):
        error = run("model", "publish", file, "--mode", "rescore", "--base", "9", "--actor", "ada").exception
    assert "version 1 is in force, not 9 (ABORTED, MODEL_OUTDATED)" in str(error)
    assert sum(isinstance(each, pb.PublishScoringModelRequest) for each in service.requests) == 1


def test_an_invalid_file_is_not_published(flawed: Path) -> None:
    with serving(automation=True) as (service, run):
        error = run("model", "publish", flawed, "--mode", "rescore", "--actor", "ada").exception
    assert isinstance(error, CommandError)
    assert len(error.details) == 2
    assert not service.publications


def test_waiting_until_all_leads_are_scored_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "POLL_SECONDS", 0.0)
    with serving(automation=True) as (service, run):
        service.leads_left = 5
        result = run("model", "publish", file, "--mode", "rescore", "--actor", "ada", "--wait", "--json")
    assert json_of(result)[0]["leads_left"] == "0"


def test_waiting_fails_after_the_timeout(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "POLL_SECONDS", 0.0)
    with serving(automation=True) as (service, run):
        service.leads_left = 10_000
        arguments = ("publish", file, "--mode", "rescore", "--actor", "ada", "--wait", "--timeout", "0")
        error = run("model", *arguments).exception
    assert "workers still have to go through about" in str(error)
    assert "check that scoring workers are running" in str(error)


def enters_hot(count: int, *, historical: bool = False) -> list[pb.LeadDifference]:
    return [
        pb.LeadDifference(
            lead_id=f"lead-{number}",
            score_after=40,
            stage_before="cold",
            stage_after="hot",
            last_event_historical=historical,
        )
        for number in range(count)
    ]


PUBLISH = ("model", "publish", "1", "--mode", "rescore", "--actor", "ada")


def test_a_publication_that_fires_many_automations_needs_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(automation=True) as (service, run):
        service.automation.enabled = True
        service.answers = [pb.SimulateScoringModelResponse(differences=enters_hot(101))]
        error = run(*PUBLISH).exception
        assert "would fire automations 101 times (call-hot 101)" in str(error)
        assert "--yes" in str(error)
        assert not service.publications
        assert run(*PUBLISH, "--yes").exit_code == 0
        assert run(*PUBLISH, "--quiet").exit_code == 0
        assert [each.quiet for each in service.publications] == [False, True]
        monkeypatch.setattr(consent, "is_terminal", lambda: True)
        assert run(*PUBLISH, input="n\n").exit_code == 1
        assert len(service.publications) == 2
        assert run(*PUBLISH, input="y\n").exit_code == 0
    assert len(service.publications) == 3


@pytest.mark.parametrize("differences", [enters_hot(100), enters_hot(5_000, historical=True)])
def test_few_automations_and_those_of_history_need_no_consent(differences: list[pb.LeadDifference]) -> None:
    with serving(automation=True) as (service, run):
        service.automation.enabled = True
        service.answers = [pb.SimulateScoringModelResponse(differences=differences)]
        assert run(*PUBLISH).exit_code == 0
    assert len(service.publications) == 1


def test_a_forward_publication_needs_consent_if_its_stages_move_many_leads(file: Path) -> None:
    with serving(automation=True) as (service, run):
        service.automation.enabled = True
        service.lead_scores = [
            pb.LeadScore(lead_id=f"lead-{number}", score=25, stage="cold", last_event_historical=number >= 150)
            for number in range(600)
        ]
        forward = ("model", "publish", "--mode", "forward", "--actor", "ada")
        assert run(*forward, file).exit_code == 0, "the stages are the same"
        lower = built_in()
        lower.stages[1].minimum_score = 20
        file.write_text(write_yaml(lower))
        error = run(*forward, file).exception
        assert "would fire automations 150 times (call-hot 150)" in str(error)
        assert run(*forward, file, "--quiet").exit_code == 0
    assert [each.quiet for each in service.publications] == [False, True]


def test_models_are_compared_by_the_ids_of_their_parts() -> None:
    before, after = built_in(), built_in()
    before.rules.add(rule_id="old", event_types=["x"], points=1)
    after.rules.insert(0, pb.ScoringRule(rule_id="new", event_types=["y"], points=2))
    after.rules[1].points = 25
    after.stages[1].minimum_score = 40
    after.next_actions.insert(0, pb.NextAction(next_action="monitor", stages=["hot"]))
    after.decay.percent_per_day = 5
    assert list(differences(before, after)) == [
        Difference("rules[new]", None, {"rule_id": "new", "event_types": ["y"], "points": 2}),
        Difference("rules[signup].points", 20, 25),
        Difference("rules[old]", {"rule_id": "old", "event_types": ["x"], "points": 1}, None),
        Difference("stages[hot].minimum_score", 30, 40),
        Difference("decay", None, {"percent_per_day": 5}),
        Difference("next_actions[0].stages", None, ["hot"]),
        Difference("next_actions[1]", None, {"next_action": "monitor"}),
    ]


def test_the_order_of_rules_is_a_difference() -> None:
    before, after = built_in(), built_in()
    for model, names in ((before, "ab"), (after, "ba")):
        model.rules.extend(pb.ScoringRule(rule_id=name) for name in names)
    assert list(differences(before, after)) == [Difference("rules: order", ["signup", "a", "b"], ["signup", "b", "a"])]


def test_differences_are_shown(file: Path) -> None:
    with serving() as (_, run):
        table = run("model", "diff", "1", file).stdout
        rows = json_of(run("model", "diff", "1", file, "--json"))
    assert "rules[signup].points" in table
    assert {"path": "rules[signup].points", "before": 20, "after": 30} in rows
