"""The payload of a webhook. See `docs/webhook.schema.json` and `docs/automations.md`."""

import json
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from automation_service.domain.action import Action
from automation_service.domain.lead import Change, ConversionProbability, Insight, LeadEvent
from automation_service.domain.rule import Rule

TYPE = "leadscore.automation.fired"


def payload(
    execution_id: str,
    rule: Rule,
    action: Action,
    change: Change,
    event: LeadEvent | None,
    insight: Insight,
    record_time: datetime,
) -> dict[str, Any]:
    """Returns the payload as JSON values. `event` is the event that the rule fired for, if it was one."""
    return {
        "type": TYPE,
        "timestamp": _time(record_time),
        "data": {
            "execution_id": execution_id,
            "date": change.date_bucket,
            "rule": {
                "rule_id": rule.draft.rule_id,
                "display_name": rule.draft.display_name,
                "revision": rule.revision,
            },
            "action": {
                "action_id": action.action_id,
                "preset": action.preset.value,
                "parameters": dict(action.parameters),
            },
            "lead": {"lead_id": change.lead_id, "attributes": _plain(insight.attributes)},
            "event": _event(event) if event else None,
            "sequence": change.sequence,
            "score": {"before": change.score_before, "after": change.score},
            "stage": {"from": change.stage_before, "to": change.stage},
            "velocity": insight.velocity,
            "risk": insight.risk.value,
            "next_action": insight.next_action,
            "conversion_probability": _probability(insight.conversion_probability)
            if insight.conversion_probability
            else None,
            "why": why(rule, insight),
        },
    }


def why(rule: Rule, insight: Insight) -> list[str]:
    """Returns sentences that explain why a rule fired: the trigger, then the thresholds of the scoring model."""
    return [f"trigger: {rule.draft.trigger}"] + [
        f"{each.decided.replace('_', ' ')} {each.outcome}: {each.explanation}" for each in insight.why
    ]


def write(values: Mapping[str, Any]) -> bytes:
    """Returns JSON values as the body of a request."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _event(event: LeadEvent) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "event_time": _time(event.event_time),
        "properties": _plain(event.properties),
    }


def _probability(found: ConversionProbability) -> dict[str, Any]:
    return {
        "probability": found.probability,
        "low": found.low,
        "high": found.high,
        "lead_count": found.lead_count,
        "landmark_seconds": found.landmark.total_seconds(),
        "horizon_seconds": found.horizon.total_seconds() if found.horizon else None,
    }


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Returns a value as the caller wrote it: 250, not 250.0. A number that JSON cannot represent becomes null."""
    match value:
        case float():
            return int(value) if isfinite(value) and value.is_integer() else value if isfinite(value) else None
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value
