"""`leadscore verify` says how to continue when it is interrupted."""

from collections.abc import Iterator

from leadscore.scoring.v1 import scoring_pb2 as scoring

from cli.terminal.connection import CommandError
from tests.cli.servicer import serving

AFTER_ADA = "after-ada"


def test_an_interrupted_verification_says_how_to_continue() -> None:
    sure, unsure = (scoring.Violation(invariant="I5", lead_id=lead_id, message="wrong") for lead_id in ("ada", "bob"))

    def answers() -> Iterator[scoring.VerifyScoresResponse]:
        yield scoring.VerifyScoresResponse(violations=[sure], violations_total=1, resume_token=AFTER_ADA)
        yield scoring.VerifyScoresResponse(violations=[unsure], violations_total=2)
        raise ConnectionError("planted")

    with serving() as (service, run):
        service.answers = answers()
        interrupted = run("verify", "--counts-only")
        service.answers = [scoring.VerifyScoresResponse(violations_total=1, done=True)]
        resumed = run("verify", "--resume", AFTER_ADA, "--counts-only")
    assert interrupted.stdout == "I5 ada wrong\n", "expected only violations that will not be sent again"
    assert "continue with --resume after-ada --counts-only" in interrupted.stderr
    assert isinstance(interrupted.exception, CommandError)
    assert [(each.resume_token, each.counts_only) for each in service.requests] == [("", True), (AFTER_ADA, True)]
    assert (resumed.exit_code, "1 violation\n" in resumed.stdout) == (1, True), "expected the former ones to count"
