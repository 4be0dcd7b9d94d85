"""An intelligence service that lists leads."""

import grpc
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc

from tests.cli.fake_pages import MAX_PAGE, page


class FakeIntelligence(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Lists more leads than a page holds, and answers every question about a lead with `preview`."""

    def __init__(self) -> None:
        self.preview = intelligence_pb2.PreviewLeadIntelligenceResponse()
        self.previewed: list[intelligence_pb2.PreviewLeadIntelligenceRequest] = []

    def GetLeadIntelligence(
        self, request: intelligence_pb2.GetLeadIntelligenceRequest, context: grpc.ServicerContext
    ) -> intelligence_pb2.GetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        return intelligence_pb2.GetLeadIntelligenceResponse(lead_intelligence=self.preview.lead_intelligence)

    def PreviewLeadIntelligence(
        self, request: intelligence_pb2.PreviewLeadIntelligenceRequest, context: grpc.ServicerContext
    ) -> intelligence_pb2.PreviewLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        self.previewed.append(request)
        return self.preview

    def ListTopLeads(
        self, request: intelligence_pb2.ListTopLeadsRequest, context: grpc.ServicerContext
    ) -> intelligence_pb2.ListTopLeadsResponse:
        """See `intelligence.proto`."""
        numbers, token = page(2 * MAX_PAGE + 1, request)
        found = [
            intelligence_pb2.LeadIntelligence(lead_id=f"l-{number + 1}", stage=request.stage) for number in numbers
        ]
        return intelligence_pb2.ListTopLeadsResponse(lead_intelligence=found, next_page_token=token)
