"""The error table is complete."""

import importlib
import inspect
import pkgutil

from leadscore.intelligence.v1 import intelligence_pb2 as pb

from intelligence_service import domain
from intelligence_service.servicer import ERRORS


def test_every_error_of_the_domain_is_mapped() -> None:
    modules = [
        importlib.import_module(f"{domain.__name__}.{each.name}") for each in pkgutil.iter_modules(domain.__path__)
    ]
    raised = {
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Exception) and member.__module__ == module.__name__
    }
    assert raised
    assert raised <= set(ERRORS)


def test_every_reason_stands_in_the_proto_and_is_used() -> None:
    assert {f"ERROR_REASON_{row.reason}" for row in ERRORS.values()} == set(pb.ErrorReason.keys()) - {
        "ERROR_REASON_UNSPECIFIED"
    }
