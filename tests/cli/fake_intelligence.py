"""An intelligence service that lists leads."""

import grpc
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc

from tests.cli.fake_pages import MAX_PAGE, page


class FakeIntelligence(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Lists more leads than a page holds."""

    def ListTopLeads(
        self, request: intelligence_pb2.ListTopLeadsRequest, context: grpc.ServicerContext
    ) -> intelligence_pb2.ListTopLeadsResponse:
        """See `intelligence.proto`."""
        numbers, token = page(2 * MAX_PAGE + 1, request)
        found = [
            intelligence_pb2.LeadIntelligence(lead_id=f"l-{number + 1}", stage=request.stage) for number in numbers
        ]
        return intelligence_pb2.ListTopLeadsResponse(lead_intelligence=found, next_page_token=token)
