"""The routes of the HTTP API, as the `google.api.http` options of the protos declare them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2
from leadscore.admin.v1 import admin_pb2
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

SERVICES = {
    "ingest": ingest_pb2.DESCRIPTOR.services_by_name["IngestService"],
    "scoring": scoring_pb2.DESCRIPTOR.services_by_name["ScoringService"],
    "automation": automation_pb2.DESCRIPTOR.services_by_name["AutomationService"],
    "intelligence": intelligence_pb2.DESCRIPTOR.services_by_name["IntelligenceService"],
    "admin": admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
}
"""The services that have routes, by the names of their servers."""
_VARIABLE = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path, and the RPC that they call.

    `template` is a path such as `/v1/leads/{lead_id}/history`. `body_field` is the field of the request that the JSON
    body becomes: `*` for the request itself, empty if there is no body.
    """

    server: str
    method: MethodDescriptor
    verb: str
    template: str
    body_field: str

    @property
    def variables(self) -> list[str]:
        """The fields of the request that the path contains, such as `rule.rule_id`."""
        return _VARIABLE.findall(self.template)

    @property
    def pattern(self) -> str:
        """A regular expression for the whole path."""
        return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in _parts(self.template))

    @property
    def body(self) -> Descriptor | None:
        """The message that the JSON body has the fields of; None if there is no body."""
        request: Descriptor = self.method.input_type
        if self.body_field in ("", "*"):
            return request if self.body_field else None
        return request.fields_by_name[self.body_field].message_type

    @property
    def streams(self) -> bool:
        """Whether the response is a stream of JSON lines."""
        return bool(self.method.server_streaming)


def routes() -> Iterator[Route]:
    """Yields the route of every RPC that has one."""
    for server, service in SERVICES.items():
        for method in service.methods:
            rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
            if verb := rule.WhichOneof("pattern"):
                yield Route(server, method, verb.upper(), getattr(rule, verb), rule.body)


def descriptors() -> FileDescriptorSet:
    """Returns the files of the services and of the error details, after all that they import."""
    found: dict[str, FileDescriptor] = {}
    _collect([*(service.file for service in SERVICES.values()), error_details_pb2.DESCRIPTOR], found)
    files = FileDescriptorSet()
    for each in found.values():
        each.CopyToProto(files.file.add())
    return files


def _collect(files: Sequence[FileDescriptor], found: dict[str, FileDescriptor]) -> None:
    for each in files:
        if each.name not in found:
            _collect(each.dependencies, found)
            found[each.name] = each


def _parts(template: str) -> list[str]:
    return [part for part in re.split(r"(\{[\w.]+\})", template) if part]
