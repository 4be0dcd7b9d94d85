"""The options that say what a score should predict, for the commands that judge and that learn."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import CommandError
from cli.terminal.options import duration_of, names_in
from shared import wire
from shared.outcomes import Question

PREDICT = "What to predict"
"""The heading of these options in the help."""

Lost = Annotated[
    str,
    typer.Option(
        help="Event types that mean that a lead is lost, comma-separated; leads without an outcome are then left out.",
        rich_help_panel=PREDICT,
    ),
]
Horizon = Annotated[
    str,
    typer.Option(
        help="Time after the landmark in which a conversion counts.",
        show_default="any later one",
        rich_help_panel=PREDICT,
    ),
]
AsKnown = Annotated[
    bool,
    typer.Option(
        "--as-known",
        help="Leave out what was recorded after the landmark, too, although it had happened before; not for imports.",
        rich_help_panel=PREDICT,
    ),
]


def question_of(
    conversion: str,
    lost: str,
    landmarks: Iterable[str],
    horizon: str,
    train_before: datetime | None,
    *,
    as_known: bool = False,
) -> Question:
    """Returns the question that the options ask.

    Raises:
        CommandError: An option is malformed, or an event type means both outcomes.
    """
    question = Question(
        frozenset(names_in(conversion)),
        frozenset(names_in(lost)),
        tuple(duration_of("--landmark", each).ToTimedelta() for each in landmarks),
        duration_of("--horizon", horizon).ToTimedelta() if horizon else None,
        train_before.replace(tzinfo=UTC) if train_before else None,
        as_known,
    )
    if both := sorted(question.conversions & question.losses):
        raise CommandError(f"{both[0]!r} is in --conversion and in --lost")
    return question


def simulation_of(question: Question) -> pb.SimulateScoringModelRequest:
    """Returns the request to judge models by a question; the model to simulate is still missing."""
    request = pb.SimulateScoringModelRequest(
        conversion_event_types=sorted(question.conversions),
        lost_event_types=sorted(question.losses),
        as_known=question.as_known,
    )
    for landmark in question.landmarks:
        request.landmarks.add().FromTimedelta(landmark)
    if question.horizon is not None:
        request.horizon.FromTimedelta(question.horizon)
    if question.train_before is not None:
        request.train_before.CopyFrom(wire.to_timestamp(question.train_before))
    return request
