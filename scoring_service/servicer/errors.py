"""The gRPC status and the reason that callers get for each error."""

import grpc

from scoring_service.domain.errors import (
    DecayDateAhead,
    EventNotFound,
    EventNotScored,
    HistoryInconsistent,
    LeadNotFound,
    RequestIdConflict,
)
from scoring_service.domain.model import ModelNotFound, UnknownStage
from scoring_service.domain.model_validation import InvalidModel
from scoring_service.domain.timeline import EngineMismatch, ModelOutdated
from scoring_service.usecases.lead_transaction import Overtaken
from shared.access.errors import ACCESS
from shared.rpc.errors import ARGUMENTS, ErrorRow, ErrorTable, TooLarge

ERRORS: ErrorTable = {
    **ARGUMENTS,
    **ACCESS,
    LeadNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "LEAD_NOT_FOUND"),
    DecayDateAhead: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "DECAY_DATE_AHEAD"),
    EngineMismatch: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "ENGINE_MISMATCH"),
    TooLarge: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "TOO_LARGE"),
    Overtaken: ErrorRow(grpc.StatusCode.ABORTED, "LEAD_CONTENDED"),
    ModelNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
    UnknownStage: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID"),
    HistoryInconsistent: ErrorRow(grpc.StatusCode.DATA_LOSS, "HISTORY_INCONSISTENT"),
    InvalidModel: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "MODEL_INVALID"),
    ModelOutdated: ErrorRow(grpc.StatusCode.ABORTED, "MODEL_OUTDATED"),
    EventNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "EVENT_NOT_FOUND"),
    EventNotScored: ErrorRow(grpc.StatusCode.ABORTED, "EVENT_NOT_SCORED"),
    RequestIdConflict: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_CONFLICT"),
}
