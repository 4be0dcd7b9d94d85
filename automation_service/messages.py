"""Converts executions, changes and backlogs between the domain and protobuf."""

from leadscore.automation.v1 import automation_pb2 as pb

from automation_service.domain.condition import Outcome
from automation_service.domain.delivery import Attempt, Delivery, ExecutionState
from automation_service.domain.execution import Execution
from automation_service.domain.hold import Hold
from automation_service.domain.lead import NO_ROW, Change, Transition
from automation_service.rule_codec import RISK_NUMBERS
from automation_service.usecases.backlog import Backlog
from shared import wire
from shared.contracts.score_changes import lead_of
from shared.inbox.breaker import StoppedDrain
from shared.inbox.parking import Parked

STATES = {pb.ExecutionState.Value(f"EXECUTION_STATE_{each.name}"): each for each in ExecutionState}
"""The states by their number in the proto."""


def write_execution(execution: Execution, *, with_bodies: bool) -> pb.AutomationExecution:
    """Returns an execution, with or without the bodies of its deliveries."""
    return pb.AutomationExecution(
        execution_id=execution.execution_id,
        rule_id=execution.key.rule_id,
        lead_id=execution.key.lead_id,
        date_bucket=execution.key.date_bucket,
        state=f"EXECUTION_STATE_{execution.state.name}",
        change_sequence=execution.change_sequence,
        score=execution.score,
        stage_before=execution.stage_before,
        stage_after=execution.stage_after,
        velocity=execution.velocity,
        risk=RISK_NUMBERS[execution.risk],
        next_action=execution.next_action,
        record_time=wire.to_timestamp(execution.record_time),
        why=execution.why,
        event_id=execution.event_id,
        event_type=execution.event_type,
        deliveries=[write_delivery(each, with_body=with_bodies) for each in execution.deliveries],
    )


def write_delivery(delivery: Delivery, *, with_body: bool) -> pb.Delivery:
    """Returns a delivery, with or without its body."""
    is_pending = delivery.state is ExecutionState.PENDING
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        action_id=delivery.action_id,
        receiver=delivery.receiver,
        endpoint=delivery.endpoint,
        state=f"EXECUTION_STATE_{delivery.state.name}",
        next_attempt_time=wire.to_timestamp(delivery.due_time) if is_pending else None,
        attempts=[_write_attempt(each) for each in delivery.attempts],
        body=delivery.body if with_body else b"",
    )


def write_check(outcome: Outcome) -> pb.Check:
    """Returns the outcome of one condition."""
    return pb.Check(field=outcome.field, holds=outcome.holds, explanation=outcome.explanation)


def write_parked(parked: Parked) -> pb.ParkedChange:
    """Returns a parked change."""
    return pb.ParkedChange(
        change_id=parked.row_id,
        lead_id=lead_of(parked.row),
        attempts=parked.attempts,
        reason=parked.reason,
        reason_code=f"PARK_REASON_CODE_{parked.reason_code.value}",
        park_time=wire.to_timestamp(parked.park_time),
    )


def write_backlog(backlog: Backlog) -> pb.GetAutomationBacklogResponse:
    """Returns a backlog."""
    changes, due = backlog.oldest_change_time, backlog.oldest_due_time
    return pb.GetAutomationBacklogResponse(
        pending_changes=backlog.pending_changes,
        oldest_change_time=wire.to_timestamp(changes) if changes else None,
        parked_changes=backlog.parked_changes,
        due_deliveries=backlog.due_deliveries,
        oldest_due_time=wire.to_timestamp(due) if due else None,
        failed_executions=backlog.failed_executions,
        partitions_behind=[
            pb.PartitionBehind(partition=partition, oldest_change_time=wire.to_timestamp(time))
            for partition, time in backlog.behind
        ],
        stopped_drain=_write_stopped(backlog.stopped) if backlog.stopped else None,
        hold=write_hold(backlog.hold) if backlog.hold else None,
    )


def write_hold(hold: Hold) -> pb.DeliveryHold:
    """Returns a hold as a message."""
    return pb.DeliveryHold(hold_time=wire.to_timestamp(hold.hold_time), reason=hold.reason, actor=hold.actor)


def read_hypothetical(change: pb.SupposedChange) -> Change:
    """Returns a hypothetical change, which has no event and no date."""
    scores = tuple(dict.fromkeys((change.score_before, change.score_after)))
    stages = tuple(dict.fromkeys((change.stage_before, change.stage_after)))
    return Change(
        row=NO_ROW,
        lead_id=change.lead_id,
        sequence=0,
        scores=scores,
        stages=stages,
        event_types=(),
        date_bucket="",
        last_event_time=wire.EPOCH,
        inactive_days=0,
        transitions=(Transition(scores, stages),),
    )


def _write_attempt(attempt: Attempt) -> pb.Attempt:
    written = pb.Attempt(
        attempt_time=wire.to_timestamp(attempt.attempt_time),
        status=attempt.status,
        error=attempt.error,
        answer=attempt.answer,
    )
    written.duration.FromTimedelta(attempt.duration)
    return written


def _write_stopped(stopped: StoppedDrain) -> pb.StoppedDrain:
    return pb.StoppedDrain(
        error=stopped.error, failed_changes=stopped.failed_rows, stop_time=wire.to_timestamp(stopped.stop_time)
    )
