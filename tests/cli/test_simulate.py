"""`leadscore simulate`: the collected stream, the tables, and a report that escapes untrusted text."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.simulation.report import to_html
from cli.simulation.run import Simulation, bucket, buckets, label_of, stage_matrix
from cli.simulation.views import simulation_view
from shared.message_files.yaml_text import write_yaml
from tests.cli.fake_scoring import built_in
from tests.cli.servicer import json_of, serving
from tests.cli.terminal import text_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&$\\frac{$\x1b[31m\u202e"
STAGES = ("cold", "hot")


def difference(lead_id: str, before: int, after: int) -> pb.LeadDifference:
    return pb.LeadDifference(lead_id=lead_id, score_before=before, score_after=after, stage_after="hot")


def ranking(auc: float | None) -> pb.Ranking:
    rates = [pb.ConversionRate(name=str(n), lead_count=4.5, converted_count=n / 2, rate=n / 9, lift=n) for n in (1, 2)]
    stages = [pb.ConversionRate(name=name, lead_count=9, converted_count=1, rate=0.1, lift=1.2) for name in STAGES]
    return pb.Ranking(lead_count=9, converted_count=2, auc=auc, deciles=rates, stages=stages)


def judgement(**landmark: int) -> pb.Judgement:
    return pb.Judgement(
        landmark=Duration(**landmark),
        decided_before_count=4,
        censored_count=3,
        before=ranking(0.6),
        after=ranking(None),
        comparison=pb.Comparison(auc_difference=0.1, p_value=0.0123),
    )


def summary(*, text: str = "video", ranked: bool = True) -> pb.SimulationSummary:
    return pb.SimulationSummary(
        leads_changed=2,
        points_before=100,
        points_after=70,
        stages=[
            pb.Migration(before="cold", after="hot", lead_count=2),
            pb.Migration(before="hot", after="hot", lead_count=7),
        ],
        fit_grades=[pb.Migration(before="", after="A", lead_count=9)],
        rules=[
            pb.RuleShare(rule_id="signup", event_count=3, points=60, share=0.75),
            pb.RuleShare(rule_id="leave", event_count=1, points=-20, share=0.25),
            pb.RuleShare(rule_id=text),
        ],
        unknown_event_types=[pb.UnknownEventType(event_type=text, event_count=5)],
        type_mismatches=[
            pb.TypeMismatch(
                field="rules[0].conditions[0]",
                rule_id=text,
                property=text,
                expected_type="number",
                found_type="text",
                count=5,
            )
        ],
        judgements=[judgement(seconds=3600)] if ranked else None,
        leaks=[pb.Leak(rule_id=text, event_count=40, followed_count=39)] if ranked else None,
    )


def simulated(*leads: pb.LeadDifference, limit: int = 20, **options: Any) -> Simulation:
    simulation = Simulation(built_in(), built_in(), "model.yaml", limit)
    simulation.before.version = 1
    simulation.add(pb.SimulateScoringModelResponse(leads_total=9, differences=leads[::2]))
    answer = pb.SimulateScoringModelResponse(leads_total=9, differences=leads[1::2], summary=summary(**options))
    simulation.add(answer)
    return simulation


@given(st.lists(st.integers(-(10**12), 10**12), max_size=30), st.integers(0, 10))
def test_only_the_largest_changes_are_kept(changes: list[int], limit: int) -> None:
    leads = [difference(f"lead-{number}", 0, change) for number, change in enumerate(changes)]
    simulation = simulated(*leads, limit=limit)
    expected = sorted(leads, key=lambda lead: (-abs(lead.score_after), lead.lead_id))[:limit]
    assert simulation.largest == expected
    assert sum(simulation.changes.values()) == len(changes)


def test_empty_ranges_between_changes_are_included() -> None:
    assert buckets({-5: 1, 10: 3}) == [-5, -2, -1, 0, 1, 2, 5, 10]
    assert buckets([]) == [0]
    assert list(map(label_of, (-5, 1, 20, 100))) == ["-5 to -9", "+1", "+20 to +49", "+100 to +199"]


@given(st.integers(-(10**12), 10**12))
def test_a_change_is_counted_in_the_range_that_contains_it(change: int) -> None:
    lowest = bucket(change)
    assert bucket(-change) == -lowest
    assert abs(lowest) <= abs(change) <= max(2.5 * abs(lowest), 0)
    assert re.fullmatch("0|[125]0*", str(abs(lowest)))


def test_the_matrix_has_all_stages_of_both_models() -> None:
    simulation = simulated()
    simulation.after.stages.add(stage="won", minimum_score=90)
    simulation.summary.stages.add(before="new", after="cold", lead_count=1)
    matrix = stage_matrix(simulation)
    assert matrix.rows == ["cold", "hot", "new"]
    assert matrix.columns == ["cold", "hot", "won"]
    assert matrix.counts == [[0, 2, 0], [0, 7, 0], [1, 0, 0]]


def test_large_and_fractional_counts_are_shown_in_full() -> None:
    simulation = simulated()
    simulation.leads_total = 12_345_678
    simulation.summary.judgements[0].before.deciles[0].lead_count = 1_234_567 + 1 / 3
    for text in (text_of(simulation_view(simulation)), to_html(simulation, now=NOW)):
        assert "12,345,678" in text
        assert "1,234,567.3" in text


def test_the_tables_show_the_summary_and_the_largest_changes() -> None:
    text = text_of(simulation_view(simulated(difference("ada", 20, 50), difference("bob", 50, 10))))
    for part in (
        "2 of 9 (22.2%)",
        "100 → 70 (-30)",
        "never matched",
        "comparisons of values of different types",
        "75.0%",
        "video",
        "0.600",
        "0.012",
        "1h: left out 4 leads decided before, and 3 whose outcome is unknown",
        "39 of its 40 events are followed",
        "20 → 50",
        "-40",
        "+30",
    ):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_tables_without_conversions_and_grades_omit_them() -> None:
    simulation = simulated(ranked=False)
    del simulation.summary.fit_grades[:]
    text = text_of(simulation_view(simulation))
    assert "AUC" not in text
    assert "grade" not in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = text_of(simulation_view(simulated(difference(HOSTILE, 0, 1), text=HOSTILE)))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_model_from_a_file_is_simulated(tmp_path: Path) -> None:
    file, report = tmp_path / "model.yaml", tmp_path / "report.html"
    file.write_text(write_yaml(built_in()))
    with serving() as (service, run):
        service.answers = [
            pb.SimulateScoringModelResponse(
                leads_total=9, differences=[difference("ada", 1, 3), difference("bob", 1, 2)]
            ),
            pb.SimulateScoringModelResponse(leads_total=9, summary=summary(), done=True),
        ]
        outcomes = ("--conversion", "A_APPROVED, A_REGISTERED", "--lost", "A_DECLINED", "--horizon", "90d")
        arguments = ("simulate", file, *outcomes, "--landmark", "36h,7d", "--train-before", "2026-01-15")
        people = run(*arguments, "--report", report)
        programs = run(*arguments, "--limit", "1", "--json")
    request = service.requests[-1]
    assert request.draft == built_in()
    assert list(request.conversion_event_types) == ["A_APPROVED", "A_REGISTERED"]
    assert list(request.lost_event_types) == ["A_DECLINED"]
    assert [each.seconds for each in request.landmarks] == [36 * 3600, 7 * 86400]
    assert request.horizon.seconds == 90 * 86400
    assert request.train_before.ToDatetime(UTC) == datetime(2026, 1, 15, tzinfo=UTC)
    assert "leads that change most" in people.stdout
    assert "</html>" in report.read_text()
    lead, total = json_of(programs)
    assert lead["lead_id"] == "ada"
    assert total["leads_changed"] == "2"


def test_a_published_version_is_simulated() -> None:
    with serving() as (service, run):
        service.answers = [pb.SimulateScoringModelResponse(summary=pb.SimulationSummary(), done=True)]
        assert run("simulate", "in-force").exit_code == 0
    assert service.requests[-1].version == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--landmark", "soon"), "--landmark is not a duration such as 7d"),
        (("--horizon", "90"), "--horizon is not a duration such as 7d"),
        (("--report", "/no/such/place/report.html"), "there is no directory /no/such/place"),
    ],
)
def test_an_invalid_option_is_reported_before_the_simulation_starts(arguments: tuple[str, ...], message: str) -> None:
    with serving() as (service, run):
        assert message in str(run("simulate", "1", *arguments).exception)
    assert not service.requests


def test_an_unwritable_report_is_an_error(tmp_path: Path) -> None:
    with serving() as (service, run):
        service.answers = [pb.SimulateScoringModelResponse(summary=summary(), done=True)]
        assert "cannot be written" in str(run("simulate", "1", "--report", tmp_path).exception)


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a machine without the `report` extra."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in ("report", "plots", "judgement_plots", "drawing"):
        monkeypatch.delitem(sys.modules, f"cli.simulation.{module}")
        monkeypatch.delattr(f"cli.simulation.{module}")


@pytest.mark.usefixtures("without_matplotlib")
def test_a_report_needs_the_report_extra(tmp_path: Path) -> None:
    with serving() as (service, run):
        error = run("simulate", "1", "--report", tmp_path / "report.html").exception
    assert str(error) == "--report needs matplotlib: pip install 'leadscore[report]'"
    assert not service.requests


def test_the_rules_that_would_fire_are_listed() -> None:
    with serving(automation=True) as (service, run):
        service.answers = [
            pb.SimulateScoringModelResponse(differences=[difference("ada", 0, 40), difference("bob", 0, 50)]),
            pb.SimulateScoringModelResponse(differences=[difference("eve", 0, 60)], summary=summary(), done=True),
        ]
        assert json_of(run("simulate", "1", "--json"))[-1]["automations"] == {"call-hot": 3}
        assert "automation rules that would fire" in run("simulate", "1").stdout


def test_a_simulation_works_without_the_automation_service() -> None:
    with serving() as (service, run):
        service.answers = [
            pb.SimulateScoringModelResponse(differences=[difference("ada", 0, 40)], summary=summary(), done=True)
        ]
        result = run("simulate", "1", "--json")
    assert result.exit_code == 0
    assert json_of(result)[-1]["automations"] is None
