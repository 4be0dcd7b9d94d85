"""An admin service that erases and exports leads, and a scoring service that verifies them."""

from collections.abc import Iterator
from typing import Any

from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

ERASURE = pb.Erasure(
    request_digest=b"r" * 16,
    lead_digest=b"l" * 16,
    pseudonyms=["erased-1"],
    entry_count=3,
    event_count=2,
    execution_count=1,
)


class FakePrivacy(admin_pb2_grpc.AdminServiceServicer):
    """Answers as the admin service does, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def EraseLead(self, request: pb.EraseLeadRequest, context: object) -> pb.EraseLeadResponse:
        """See the proto."""
        self.requests.append(request)
        return pb.EraseLeadResponse(erasure=ERASURE)

    def ListErasures(self, request: pb.ListErasuresRequest, context: object) -> pb.ListErasuresResponse:
        """See the proto."""
        token = "" if request.page_token else "more"
        return pb.ListErasuresResponse(erasures=[ERASURE], next_page_token=token, key_id=b"k" * 16)

    def ReapplyErasures(self, request: pb.ReapplyErasuresRequest, context: object) -> Iterator[Any]:
        """See the proto."""
        self.requests.append(request)
        yield pb.ReapplyErasuresResponse(lead_count=1)

    def ExportLead(self, request: pb.ExportLeadRequest, context: object) -> Iterator[Any]:
        """See the proto."""
        self.requests.append(request)
        yield pb.ExportLeadResponse(collection="leads", json='{"_id": "ada", "score": 20}')

    def CompactEvents(self, request: pb.CompactEventsRequest, context: object) -> Iterator[Any]:
        """See the proto."""
        self.requests.append(request)
        yield pb.CompactEventsResponse(
            leads_total=2, leads_checked=2, events_compacted=7, executions_compacted=1, done=True
        )


class FakeVerification(scoring_pb2_grpc.ScoringServiceServicer):
    """Finds violations when leads are verified."""

    def __init__(self) -> None:
        self.violations: list[scoring_pb2.Violation] = []

    def VerifyScores(self, request: object, context: object) -> Iterator[Any]:
        """See the proto."""
        yield scoring_pb2.VerifyScoresResponse(
            leads_checked=2,
            leads_total=2,
            violations=self.violations,
            violations_total=len(self.violations),
            done=True,
        )
