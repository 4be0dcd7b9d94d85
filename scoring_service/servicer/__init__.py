"""gRPC ⇄ domain: the RPCs, how requests are read, and what callers see of each error."""

from scoring_service.servicer.errors import ERRORS
from scoring_service.servicer.rpcs import SERVICE, STREAMS, ScoringServicer

__all__ = ["ERRORS", "SERVICE", "STREAMS", "ScoringServicer"]
