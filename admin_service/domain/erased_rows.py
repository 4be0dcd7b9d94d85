"""The rows of a lead after its erasure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from admin_service.domain.personal_data import COLLECTIONS, Fields, erased
from admin_service.domain.pseudonyms import NewIds

Row = dict[str, Any]
Verdicts = list[list[Any]]
"""Pairs of a version of the model and the id of the rule that matched."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The due time of a delivery that is not pending."""
_NO_ATTRIBUTES: Row = {"attributes": {}, "attributes_size": 2, "attributes_left_out": 0}


def entry(row: Row, ids: NewIds, verdicts: Mapping[str, Verdicts]) -> Row:
    """Returns an entry of the history. No automation fires for what is left: all events become historical."""
    new = _erased("score_history", row, ids, _id=ids.of_entry(row))
    if row["kind"] == "EVENT":
        new |= {"verdicts": verdicts[row["_id"]], "historical": True}
    return new


def event(row: Row, ids: NewIds) -> Row:
    """Returns a scored event."""
    return _erased("events", row, ids, _id=ids.of_fact(row["_id"])) | {"historical": True}


def lead(row: Row, ids: NewIds, last_fact_id: str) -> Row:
    """Returns the state of the lead; `last_fact_id` is the new id of its last fact."""
    has_events = row["event_count"] > 0
    new = _erased("leads", row, ids, _id=ids.pseudonym, last_fact_id=last_fact_id)
    return new | _NO_ATTRIBUTES | {"last_event_historical": has_events}


def execution(row: Row, ids: NewIds) -> Row:
    """Returns an execution. Its pending deliveries are cancelled."""
    execution_id = ids.of_execution(row)
    deliveries = [_delivery(each, execution_id) for each in row["deliveries"]]
    new = _erased("automation_executions", row, ids, _id=execution_id)
    return new | {"deliveries": deliveries, "state": _state(row["state"], deliveries)}


def _delivery(delivery: Row, execution_id: str) -> Row:
    fields = _fields_below("automation_executions", "deliveries.")
    _, _, action = delivery["delivery_id"].partition("-")
    new = erased(delivery, fields, lambda _, __: f"{execution_id}-{action}")
    if new["state"] == "pending":
        new |= {"state": "cancelled", "due_time": NEVER, "lease": ""}
    return new


def _state(state: str, deliveries: list[Row]) -> str:
    states = {each["state"] for each in deliveries}
    return next((each for each in ("failed", "cancelled", "delivered") if each in states), state)


def _erased(collection: str, row: Row, ids: NewIds, **given: str) -> Row:
    def replace(path: str, value: Any) -> Any:  # noqa: ANN401 (an id)
        name = path.rpartition(".")[2]
        if path in given:
            return given[path]
        if name == "lead_id":
            return ids.pseudonym
        return ids.of_fact(value) if value and name == "event_id" else ""

    return erased(row, COLLECTIONS[collection], replace)


def _fields_below(collection: str, prefix: str) -> Fields:
    fields = COLLECTIONS[collection]
    return {path.removeprefix(prefix): each for path, each in fields.items() if path.startswith(prefix)}
