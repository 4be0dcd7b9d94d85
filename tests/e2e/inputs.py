"""Generated inputs for every RPC: mangled bytes, and messages with plausible and random fields."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from leadscore.admin.v1 import admin_pb2
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from automation_service.domain.execution import Key
from scoring_service.model_codec import write_model
from scoring_service.store.schema import built_in
from shared import wire
from testkit.receiver import SECRET
from tests.e2e import fuzz

MANY_PATHS = 10
"""A message with more string fields than this is a structure, such as a model."""
ROUND = 1000
"""How many inputs are generated at a time."""
WALKS = (
    "DecayScores",
    "VerifyScores",
    "GetPipelineSummary",
    "RebuildLeadScores",
    "SimulateScoringModel",
    "CheckModelHealth",
    "PublishScoringModel",
    "CompactEvents",
    "ReapplyErasures",
)
"""Methods that scan all leads, so they get few inputs."""
MODEL = write_model(built_in())
ENDLESS = ("WatchLeads",)
"""Methods that stream until the caller cancels."""
FILES = (ingest_pb2, scoring_pb2, automation_pb2, intelligence_pb2, admin_pb2)
METHODS: tuple[MethodDescriptor, ...] = tuple(
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
)
LISTS = tuple(method for method in METHODS if "page_token" in method.input_type.fields_by_name)
CURSOR_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, float("nan"), float("inf"), 2**31, 2**63, 10**400, "", "a", "\x00", "\ud800", "a" * 5000,
    "2026-01-01", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "$gt", {"$gt": ""}, {}, [], [[[]]],
)  # fmt: skip
"""JSON values for forged page tokens; no service would write most of them."""


_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes to send to a method."""

    method: MethodDescriptor
    data: bytes

    def __str__(self) -> str:
        try:
            shown = str(GetMessageClass(self.method.input_type).FromString(self.data))
        except DecodeError:
            shown = "(no message)"
        return f"{self.method.full_name}\n{shown[:1000]}\n{self.data[:1000]!r}"


def generated(count: int, make: Callable[[MethodDescriptor, int, int], Iterable[bytes]]) -> Iterator[Input]:
    """Yields `count` inputs, spread over all methods; `make` generates inputs for one method from a seed."""
    usual = [method for method in METHODS if method.input_type.fields and method.name not in WALKS]
    few = [method for method in METHODS if method not in usual]
    for number, start in enumerate(range(0, count, ROUND)):
        share = max(1, min(ROUND, count - start) // len(usual))
        inputs = [Input(method, data) for method in usual for data in make(method, share, number)]
        inputs += [Input(method, data) for method in few for data in make(method, max(1, share // 20), number)]
        random.Random(number).shuffle(inputs)
        yield from inputs


def mangled(method: MethodDescriptor, count: int, seed: int) -> Iterator[bytes]:
    """Yields likely messages with some of their bytes changed."""
    chance = random.Random(f"{method.full_name} {seed}")
    for _ in range(count):
        data = bytearray(likely(method).SerializeToString())
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(7):
                case 0:
                    data = bytearray(chance.randbytes(chance.randrange(200)))
                case 1:
                    data[at : at + 1] = chance.randbytes(1)
                case 2:
                    del data[at : at + chance.randrange(1, 5)]
                case 3:
                    data[at:at] = data[chance.randrange(len(data) + 1) :]
                case 4:
                    data[at:at] = chance.choice([b"\xff", b"\x00", b"\xed\xa0\x80", b"\xff" * 10, b"\x0b" * 200])
                case 5:
                    data += bytes([chance.randrange(1, 8) << 3 | 2, 3]) + b"\xed\xa0\x80"  # a lone surrogate
                case _ if chance.random() < 0.02:
                    data += bytes(chance.choice([1 << 16, 1 << 21]))
        yield bytes(data)


def varied(method: MethodDescriptor, count: int, seed: int) -> Iterator[bytes]:
    """Yields random messages, half of them merged into a message that is likely to be accepted."""
    ids = [f"{kind}-{seed}-{number}" for kind in ("lead", "event", "rule") for number in range(3)]
    words = (*ids, "lead-0", "rule-0", "page_view", "demo_request", "identify", "hot", "enabled", "conditions", "")
    if method.name == "EraseLead":
        words = tuple(word for word in words if word != "lead-0")  # other inputs need this lead
    strategy = st.tuples(st.booleans(), fuzz.messages(method.input_type, words))
    for over, message in fuzz.drawn(strategy, count, seed):
        whole: Any = likely(method) if over else type(message)()
        whole.MergeFrom(message)
        yield whole.SerializeToString()


_EXECUTION_ID = Key("lead-0", "rule-0", f"{wire.now():%Y-%m-%d}").execution_id


def likely(method: MethodDescriptor) -> Any:
    """Returns a message that its method is likely to accept, with new ids where it creates something."""
    number = next(_numbers)
    likely = LIKELY.get(method.name)
    if likely is None:
        needs_lead = "lead_id" in method.input_type.fields_by_name and method.name != "ListAutomationExecutions"
        likely = {"lead_id": "lead-0"} if needs_lead else {}
    fields = likely(number) if callable(likely) else likely
    return GetMessageClass(method.input_type)(**fields)


def likely_event(number: int) -> ingest_pb2.Event:
    return ingest_pb2.Event(
        event_id=f"likely-{number}",
        lead_id=f"lead-{number % 50}",
        event_type=("page_view", "identify")[number % 2],
        event_time=wire.to_timestamp(wire.now()),
    )


def likely_rule(rule_id: str) -> automation_pb2.AutomationRule:
    webhook = automation_pb2.Webhook(url=f"http://127.0.0.1:9/{rule_id}", secrets=[SECRET])
    return automation_pb2.AutomationRule(
        rule_id=rule_id,
        display_name="A rule",
        enabled=True,
        conditions=automation_pb2.Conditions(minimum_score=1000),
        actions=[automation_pb2.Action(action_id="crm", webhook=webhook)],
    )


LIKELY: dict[str, dict[str, Any] | Callable[[int], dict[str, Any]]] = {
    "IngestEvent": lambda number: {"event": likely_event(number)},
    "BatchIngestEvents": lambda number: {"events": [likely_event(number)]},
    "CreateAutomationRule": lambda number: {"rule": likely_rule(f"likely-{number}")},
    "UpdateAutomationRule": {"rule": likely_rule("rule-0")},
    "GetAutomationRule": lambda number: {"rule_id": f"rule-{1 + number % 2}"},
    "DeleteAutomationRule": lambda number: {"rule_id": f"rule-{1 + number % 2}"},
    "CreateScoringModel": {"scoring_model": MODEL},
    "SimulateScoringModel": {"draft": MODEL},
    "PublishScoringModel": {"version": 1, "base_version": 1, "actor": "tester"},
    "AdjustLeadScore": lambda number: {
        "lead_id": "lead-0", "request_id": f"likely-{number}", "delta": 1, "reason": "because", "actor": "tester",
    },
    "EraseLead": lambda number: {"lead_id": f"likely-{number}", "request_id": f"likely-{number}"},
    "CompactEvents": lambda _: {"before": wire.to_timestamp(wire.now() - timedelta(days=2))},
    "RetractEvent": lambda number: {"event_id": f"likely-{number // 2}", "reason": "because", "actor": "tester"},
    "TestAutomationRule": lambda number: {"rule": likely_rule(f"likely-{number}"), "lead_id": "lead-0"},
    "GetAutomationExecution": {"execution_id": _EXECUTION_ID},
    "RetryAutomationExecution": {"execution_id": _EXECUTION_ID},
    "RetryAutomationExecutions": {"state": "EXECUTION_STATE_FAILED"},
    "ListInactiveLeads": lambda _: {"inactive_since": wire.to_timestamp(wire.now())},
    "WatchLeads": {"lead_ids": ["lead-1"]},
    "RetryParkedEvents": {"event_ids": ["likely-1"]},
    "RetryParkedChanges": {"change_ids": ["lead-0:1"]},
    "CreateApiKey": lambda number: {"name": "website", "roles": ["ROLE_INGEST"], "request_id": f"likely-{number}"},
    "RevokeApiKey": {"key_id": "aaaaaaaaaaaa"},
    "RotateApiKey": lambda number: {"key_id": "aaaaaaaaaaab", "request_id": f"likely-{number}"},
    "BatchGetLeadScores": {"lead_ids": ["lead-1"]},
    "BatchGetLeadIntelligence": {"lead_ids": ["lead-1"]},
}  # fmt: skip
