"""`make predict EVENTS=…`: how well scores predict on a file of events, as in docs/predicting.md.

It starts a system, sends it the events, and judges four kinds of models at several landmarks by leads that began on or
after a day: one written by hand, fitted ones, and a logistic regression and gradient boosting of scikit-learn, which
know how often each type of event had happened. All but the first learn from the leads that began earlier. Then it
publishes a fitted model, has all leads scored again, and checks that nothing is lost and that a replay gives the same
scores.

Everything goes through the command line, as people would do it; only the models of scikit-learn have no command.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.exporting.pages import all_items
from cli.learning.baselines import boosting, logistic_regression
from cli.learning.facts import Facts, Vector
from cli.learning.histories import KINDS, History, histories
from cli.learning.sample import Collector
from cli.local.demo import free_base_port
from cli.local.plan import Plan
from cli.local.up import system
from cli.model.files import read_model
from cli.simulation.question import question_of
from cli.terminal.connection import Connection
from cli.terminal.options import names_in
from scoring_service.domain.discrimination import Auc, auc_of

MODEL = Path(__file__).parents[1] / "docs/examples/bpic2012.yaml"
COLUMNS = (
    "landmark",
    "leads",
    "written by hand",
    "fitted, with its number of rules",
    "fitted with the amount",
    "logistic regression",
    "gradient boosting",
)
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass(frozen=True, slots=True)
class Judges:
    """A row of the table: the AUC of each model at a landmark."""

    landmark: str
    leads: int
    by_hand: Auc
    fitted: Auc
    rules: int
    with_property: Auc
    property_rules: int
    regression: Auc
    boosting: Auc


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is judged, and on which system."""

    arguments: argparse.Namespace
    connection: Connection
    directory: Path

    def run(self) -> Iterator[Judges]:
        """Sends the events, and yields a row per landmark."""
        self._command("ingest", self.arguments.events, "--history", "--wait")
        self._command("model", "publish", self.arguments.model, "--mode", "rescore", "--quiet", "--wait")
        leads = list(self._histories())
        for landmark in names_in(self.arguments.landmarks):
            yield self._judge(landmark, leads)

    def check(self) -> None:
        """Publishes the model that was fitted last; fails if a check finds anything, or a replay differs."""
        self._command("model", "publish", self._fitted, "--mode", "rescore", "--quiet", "--wait", show=True)
        self._command("verify", show=True)
        self._command("rebuild", "--all", "--check", show=True)

    def _judge(self, landmark: str, leads: Sequence[History]) -> Judges:
        plain, rules = self._fit(landmark)
        with_property, property_rules = self._fit(landmark, "--property", self.arguments.property)
        regression, boosted = self._baselines(landmark, leads, plain["after"]["lead_count"])
        return Judges(
            landmark,
            int(plain["after"]["lead_count"]),
            _auc(plain["before"]),
            _auc(plain["after"]),
            rules,
            _auc(with_property["after"]),
            property_rules,
            regression,
            boosted,
        )

    def _fit(self, landmark: str, *options: str) -> tuple[dict[str, Any], int]:
        """Fits a model; returns its judgement beside the one in force, and its number of rules."""
        began = time.monotonic()
        asked = (*self._outcomes(), "--landmark", landmark, *options)
        found = self._command("model", "fit", *asked, "--out", self._fitted, *self._report(landmark), "--json")
        print(f"fitted at {landmark} {' '.join(options)} in {time.monotonic() - began:.1f} s", file=sys.stderr)
        [judgement] = json.loads(found.splitlines()[-1])["judgements"]
        return judgement, len(read_model(self._fitted).rules)

    @property
    def _fitted(self) -> Path:
        return self.directory / "fitted.yaml"

    def _report(self, landmark: str) -> tuple[object, ...]:
        directory = self.arguments.reports
        return ("--report", directory / f"fitted-{landmark}.html") if directory else ()

    def _baselines(self, landmark: str, leads: Sequence[History], judged: str) -> tuple[Auc, Auc]:
        options = self.arguments
        train_before = datetime.fromisoformat(options.train_before).replace(tzinfo=UTC)
        question = question_of(options.conversion, options.lost, [landmark], "", train_before)
        observed_until = max(each.time for history in leads for each in history.events)
        earlier, later = Collector(question, observed_until), Collector(question, observed_until, later=True)
        for history in leads:
            earlier.add(history)
            later.add(history)
        train = Facts.of(earlier)
        test = Facts.of(later, train.kinds)
        if test.leads != int(judged):
            raise AssertionError(f"{test.leads} leads at {landmark}, but the service judged {judged}")
        return _auc_of(logistic_regression(train, test), test), _auc_of(boosting(train, test), test)

    def _histories(self) -> Iterator[History]:
        request = pb.ListScoreEntriesRequest(kinds=KINDS)
        with self.connection.scoring() as stub:
            yield from histories(all_items(stub.ListScoreEntries, request, "entries", page_size=1_000))

    def _outcomes(self) -> tuple[str, ...]:
        options = self.arguments
        return "--conversion", options.conversion, "--lost", options.lost, "--train-before", options.train_before

    def _command(self, *arguments: object, show: bool = False) -> str:
        """Runs a command of leadscore, which must succeed, and returns what it prints."""
        command = [sys.executable, "-m", "cli", *map(str, arguments), "--base-port", str(self.connection.base_port)]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        if show:
            print(f"$ leadscore {' '.join(map(str, arguments[:2]))}\n{found.rstrip()}")
        return found


def main() -> None:
    """Judges the models, prints the table, and with `--update` writes it into a document."""
    arguments = _arguments()
    connection = Connection(free_base_port())
    with tempfile.TemporaryDirectory(prefix="leadscore-predict-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with system(Plan(connection, directory / "system", own_databases=True), lambda _: None):
            prediction = Prediction(arguments, connection, directory)
            text = table(list(prediction.run()))
            print(text)
            prediction.check()
    if arguments.update:
        arguments.update.write_text(updated(arguments.update.read_text(), text))


def table(rows: Sequence[Judges]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    for row in rows:
        cells = (
            row.landmark,
            f"{row.leads:,}",
            _text(row.by_hand),
            f"{_text(row.fitted)}, {row.rules}",
            f"{_text(row.with_property)}, {row.property_rules}",
            _text(row.regression),
            _text(row.boosting),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def updated(document: str, rows: str) -> str:
    """Returns a document with its table replaced."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{rows}\n{END}", document, flags=re.DOTALL)


def _text(auc: Auc) -> str:
    bounds = "" if auc.low is None or auc.high is None else f" ({auc.low:.3f}–{auc.high:.3f})"
    return f"{auc.value:.3f}{bounds}"


def _auc(ranking: dict[str, Any]) -> Auc:
    return Auc(ranking["auc"], ranking.get("auc_low"), ranking.get("auc_high"))


def _auc_of(scores: Vector, test: Facts) -> Auc:
    """Returns the AUC of scores with its interval, as the service computes it."""
    ranks = np.unique(scores, return_inverse=True)[1]
    found = auc_of(*(Counter(ranks[which].tolist()) for which in (test.converted, ~test.converted)))
    if found is None:
        raise AssertionError("all leads converted, or none did")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    parser.add_argument("events", type=Path, help="the events, as `leadscore ingest` reads them")
    parser.add_argument("--conversion", default="A_APPROVED,A_REGISTERED,A_ACTIVATED")
    parser.add_argument("--lost", default="A_DECLINED,A_CANCELLED")
    parser.add_argument("--train-before", default="2011-12-01")
    parser.add_argument("--landmarks", default="1h,1d,3d,7d,14d")
    parser.add_argument("--property", default="A_SUBMITTED:amount_requested")
    parser.add_argument("--model", type=Path, default=MODEL, help="the model that was written by hand")
    parser.add_argument("--reports", type=Path, help="a directory for the report on each fitted model")
    parser.add_argument("--update", type=Path, help=f"a document, whose table between {BEGIN} and {END} is replaced")
    return parser.parse_args()


if __name__ == "__main__":
    main()
