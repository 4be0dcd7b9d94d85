"""Fixtures: the stores under contract, the servicer on fakes, and real receivers."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiosmtpd.controller import Controller
from leadscore.automation.v1 import automation_pb2_grpc

from automation_service.delivery.address_guard import Guard, GuardedTransport
from automation_service.delivery.receivers import AllReceivers, HttpReceivers, SmtpServer, open_client
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.address import read_networks
from automation_service.ports import Deliveries, Executions, Rules
from automation_service.servicer import ERRORS, AutomationServicer
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.store.schema import INDEXES, migrate
from automation_service.usecases.hold import Holding
from automation_service.usecases.rules import RuleBook, RuleValidator
from automation_service.usecases.trials import RuleTester
from cli.local.embedded import free_port
from shared import wire
from shared.indexes import create_indexes
from shared.mongo import Database
from testkit.receiver import Receiver, receiving
from testkit.secret_keys import KEYS
from testkit.serving import served
from tests.automation.fake_stores import FakeExecutions, FakeRules
from tests.automation.fakes import NOW, SENDER, FakeHold, FakeInsights, FakeModels, FakeReceivers, rule
from tests.automation.partitioned import PARTITIONED
from tests.automation.receiving import Mailbox
from tests.automation.servicer import EXECUTIONS, NO_BACKLOG, NOTHING_PARKED, Stub
from tests.automation.test_network import RESOLVER, TLS


@pytest.fixture(params=["memory", "mongodb"])
def rules(request: pytest.FixtureRequest, database: Database) -> Rules:
    return FakeRules() if request.param == "memory" else MongoRules(database, KEYS)


@pytest.fixture(params=["memory", "mongodb"])
async def executions(request: pytest.FixtureRequest, database: Database) -> Executions:
    await migrate(database, partitions=PARTITIONED.count)
    return FakeExecutions() if request.param == "memory" else MongoExecutions(database, PARTITIONED)


@pytest.fixture(params=["memory", "mongodb"])
async def stores(request: pytest.FixtureRequest, database: Database) -> tuple[Rules, Executions, Deliveries]:
    """Rules, executions and deliveries that belong together."""
    await create_indexes(database, INDEXES)
    if request.param == "mongodb":
        return (
            MongoRules(database, KEYS),
            MongoExecutions(database, PARTITIONED),
            MongoDeliveries(database, PARTITIONED),
        )
    executions = FakeExecutions()
    return FakeRules(executions=executions), executions, executions


@pytest.fixture
def recorded() -> FakeExecutions:
    return FakeExecutions(*EXECUTIONS)


@pytest.fixture
async def stub(recorded: FakeExecutions) -> AsyncIterator[Stub]:
    validator = RuleValidator(FakeModels(), FakeReceivers(), SandboxedTemplates(), allow_http=False)
    rules, insights = FakeRules(rule("old"), executions=recorded), FakeInsights(unknown=["nobody"])
    servicer = AutomationServicer(
        RuleBook(rules, validator, lambda: NOW),
        RuleTester(rules, recorded, insights, validator, SENDER, lambda: NOW),
        recorded,
        NOTHING_PARKED,
        NO_BACKLOG,
        Holding(FakeHold(), lambda: NOW),
    )
    async with served(
        ERRORS, lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server)
    ) as channel:
        yield automation_pb2_grpc.AutomationServiceStub(channel)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox) -> Iterator[SmtpServer]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    controller.start()
    yield SmtpServer("127.0.0.1", controller.port, "none", "", str, SENDER)
    controller.stop()


@pytest.fixture
async def subject(smtp: SmtpServer) -> AsyncIterator[AllReceivers]:
    guard = Guard(read_networks(["127.0.0.0/8"]), RESOLVER)
    async with open_client(GuardedTransport(guard, per_endpoint=8, tls=TLS)) as client:
        yield AllReceivers(HttpReceivers(client, guard, wire.now, allow_http=True), smtp)
