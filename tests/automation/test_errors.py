"""The error table is complete."""

import importlib
import inspect
import pkgutil

from leadscore.automation.v1 import automation_pb2 as pb

from automation_service import domain
from automation_service.servicer import ERRORS


def test_every_error_of_the_domain_is_mapped() -> None:
    names = [f"{domain.__name__}.{each.name}" for each in pkgutil.iter_modules(domain.__path__)]
    raised = {
        member
        for module in map(importlib.import_module, names)
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Exception) and member.__module__ == module.__name__
    }
    assert raised
    assert raised <= set(ERRORS)


def test_every_reason_stands_in_the_proto_and_is_used() -> None:
    reasons = {f"ERROR_REASON_{row.reason}" for row in ERRORS.values()}
    assert reasons == set(pb.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
