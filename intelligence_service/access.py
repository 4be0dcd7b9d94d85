"""Who may call which method."""

from shared.access.enforcement import Methods
from shared.access.roles import Role

METHODS = Methods(
    roles={
        "GetLeadIntelligence": Role.READ,
        "BatchGetLeadIntelligence": Role.READ,
        "PreviewLeadIntelligence": Role.READ,
        "ListTopLeads": Role.READ,
        "GetPipelineSummary": Role.READ,
        "WatchLeads": Role.READ,
    }
)
