"""`leadscore model health`: a verdict and a sentence of advice for each figure, and an exit status for cron."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb
from prometheus_client.parser import text_string_to_metric_families

from cli.health.findings import Finding, findings
from cli.terminal.findings import Level
from shared import wire
from tests.cli.servicer import json_of, serving

DAY = datetime(2026, 1, 31, tzinfo=UTC)
OUTCOMES = ("--conversion", "won", "--lost", "lost")


def period(leads: int = 1_000) -> pb.PeriodHealth:
    """Returns a period in which the model fits."""
    bins = [pb.ReliabilityBin(mean_probability=0.2, lead_count=leads, converted_count=leads // 5, rate=0.2)]
    return pb.PeriodHealth(
        lead_count=leads,
        ranking=pb.Ranking(
            lead_count=leads,
            converted_count=leads // 5,
            auc=0.7,
            auc_low=0.66,
            auc_high=0.74,
            reliability=pb.Reliability(calibration_error=0.01, bins=bins),
        ),
        event_count=10 * leads,
        unknown_event_count=leads,
    )


def fine() -> pb.ModelHealth:
    bins = [pb.ScoreBin(minimum_score=10 * n, before_count=100, since_count=100) for n in range(10)]
    return pb.ModelHealth(
        model_version=3,
        since_time=wire.to_timestamp(DAY),
        landmark=Duration(seconds=7 * 86_400),
        before=period(),
        since=period(),
        stability=pb.ScoreStability(index=0.01, chance_index=0.03, bins=bins),
        unknown_event_types=[pb.UnknownTypeShare(event_type="like", before_count=1_000, since_count=1_000)],
    )


def found_in(health: pb.ModelHealth, name: str) -> Finding:
    [finding] = [each for each in findings(health, judged=True) if each.subject.startswith(name)]
    return finding


def test_a_model_that_fits_is_fine() -> None:
    assert {each.level for each in findings(fine(), judged=True)} == {Level.OK}
    assert len(list(findings(fine(), judged=True))) == 5
    assert [each.subject for each in findings(fine(), judged=False)] == ["scores (PSI)", "events without a rule"]


def stability(index: float, chance: float = 0.03) -> Callable[[pb.ModelHealth], None]:
    def change(health: pb.ModelHealth) -> None:
        health.stability.index, health.stability.chance_index = index, chance

    return change


def converted(count: int, leads: int = 1_000) -> Callable[[pb.ModelHealth], None]:
    def change(health: pb.ModelHealth) -> None:
        health.since.ranking.lead_count, health.since.ranking.converted_count = leads, count

    return change


def auc(value: float, high: float) -> Callable[[pb.ModelHealth], None]:
    def change(health: pb.ModelHealth) -> None:
        health.since.ranking.auc, health.since.ranking.auc_high = value, high

    return change


def error(value: float, leads: int = 1_000) -> Callable[[pb.ModelHealth], None]:
    def change(health: pb.ModelHealth) -> None:
        health.since.ranking.reliability.calibration_error = value
        health.since.ranking.reliability.bins[0].lead_count = leads

    return change


def unknown(count: int, events: int = 10_000) -> Callable[[pb.ModelHealth], None]:
    def change(health: pb.ModelHealth) -> None:
        health.since.unknown_event_count, health.since.event_count = count, events

    return change


def new_type(health: pb.ModelHealth) -> None:
    health.unknown_event_types.add(event_type="webinar", since_count=12)


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        (stability(0.12), "scores", Level.WARNING),
        (stability(0.30), "scores", Level.CRITICAL),
        (stability(0.30, chance=0.4), "scores", Level.OK),
        (converted(205), "conversion", Level.OK),
        (converted(160, 1_400), "conversion", Level.CRITICAL),
        (converted(155), "conversion", Level.WARNING),
        (auc(0.66, 0.69), "ranking", Level.WARNING),
        (auc(0.60, 0.65), "ranking", Level.CRITICAL),
        (error(0.04), "calibration", Level.WARNING),
        (error(0.08), "calibration", Level.CRITICAL),
        (error(0.08, leads=30), "calibration", Level.OK),
        (unknown(1_500), "events", Level.WARNING),
        (unknown(2_500), "events", Level.CRITICAL),
        (new_type, "events", Level.WARNING),
    ],
)
def test_a_change_counts_if_chance_would_rarely_make_one_as_large(
    change: Callable[[pb.ModelHealth], None], name: str, level: Level
) -> None:
    health = fine()
    change(health)
    assert found_in(health, name).level is level
    assert found_in(health, name).advice


@pytest.mark.parametrize(("change", "name"), [(converted(19, 99), "conversion"), (unknown(50, 99), "events")])
def test_a_figure_of_few_leads_or_events_is_unknown(change: Callable[[pb.ModelHealth], None], name: str) -> None:
    health = fine()
    change(health)
    assert (found_in(health, name).verdict, found_in(health, name).level) == ("unknown", Level.OK)


def test_a_new_event_type_is_named() -> None:
    health = fine()
    new_type(health)
    assert "webinar (12 events)" in found_in(health, "events").advice


def test_few_leads_say_nothing() -> None:
    health = pb.ModelHealth(before=period(50), since=period(50))
    del health.unknown_event_types[:]
    verdicts = {each.subject: each.verdict for each in findings(health, judged=True)}
    assert verdicts.pop("events without a rule") == "ok"
    assert set(verdicts.values()) == {"unknown"}


def test_prometheus_reads_the_verdicts_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "leadscore.prom"
    before = datetime.now(UTC).timestamp()
    with serving() as (service, run):
        health = fine()
        stability(0.3)(health)
        service.answers = [pb.CheckModelHealthResponse(health=health, done=True)]
        checked = run("model", "health", *OUTCOMES, "--metrics-file", str(file))
        lost = run("model", "health", "--metrics-file", str(tmp_path / "missing/leadscore.prom"))
    assert checked.exit_code == 2
    read = {
        (sample.name, sample.labels.get("check")): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }
    assert read.pop(("leadscore_model_health_timestamp_seconds", None)) >= before
    assert read.pop(("leadscore_model_health_level", "scores (PSI)")) == Level.CRITICAL
    assert set(read) == {("leadscore_model_health_level", each.subject) for each in findings(health, judged=True)} - {
        ("leadscore_model_health_level", "scores (PSI)")
    }
    assert set(read.values()) == {float(Level.OK)}
    assert "there is no directory" in str(lost.exception)


def test_the_exit_status_is_for_cron() -> None:
    with serving() as (service, run):
        service.answers = [pb.CheckModelHealthResponse(leads_checked=9, leads_total=9, health=fine(), done=True)]
        healthy = run("model", "health", *OUTCOMES, "--since", "2026-01-31", "--landmark", "3d", "--horizon", "30d")
        health = fine()
        stability(0.3)(health)
        service.answers = [pb.CheckModelHealthResponse(health=health, done=True)]
        drifted = run("model", "health")
        as_json = run("model", "health", "--json")
    request = service.requests[0]
    assert request.since_time == wire.to_timestamp(DAY)
    assert (request.landmark.seconds, request.horizon.seconds) == (3 * 86_400, 30 * 86_400)
    assert (list(request.conversion_event_types), list(request.lost_event_types)) == (["won"], ["lost"])
    assert not service.requests[1].HasField("since_time"), "the service knows the default"
    assert healthy.exit_code == 0
    assert "1,000 that began since 2026-01-31 00:00 UTC, compared with 1,000 earlier ones" in " ".join(
        healthy.stdout.split()
    )
    assert (drifted.exit_code, as_json.exit_code) == (2, 2)
    assert "leads by score" in drifted.stdout
    assert "name --conversion" in drifted.stdout
    [answer] = json_of(as_json)
    assert (answer["level"], answer["findings"]["scores (PSI)"]) == ("critical", "critical")
    assert (answer["verdict"], answer["exit_status"]) == ("critical: scores (PSI)", 2)
