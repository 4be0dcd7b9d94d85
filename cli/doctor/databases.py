"""Checks of MongoDB and Redis: whether they answer, their versions, clocks, members, and room on the disk."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from pymongo.errors import OperationFailure, PyMongoError

from cli.doctor.findings import split_advice
from cli.terminal.findings import Finding, Level
from shared import mongo, wire
from shared.mongo import Database
from shared.settings import StartupError, StoreSettings

MIN_MONGO, MIN_REDIS = (6, 0), (6, 2)
"""The oldest versions that the tests have run with."""
ANSWER_SECONDS = 5.0
MAX_CLOCK_ERROR, MAX_CLOCK_WARNING = timedelta(minutes=1), timedelta(seconds=2)
FULL, NEARLY_FULL = 0.95, 0.85
"""Shares of a disk in use."""


def mongod(settings: StoreSettings) -> Iterator[Finding]:
    """Yields what there is to say about MongoDB."""
    try:
        yield from asyncio.run(_examine(settings.mongo_uri.get_secret_value()))
    except StartupError as error:
        yield split_advice("mongod", str(error))
    except PyMongoError as error:
        yield Finding(Level.CRITICAL, "mongod", f"MongoDB fails: {error}", "see its log")


def redis_server(settings: StoreSettings) -> Iterator[Finding]:
    """Yields what there is to say about Redis."""
    options = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    try:
        with redis.Redis.from_url(settings.redis_url.get_secret_value(), **options) as client:
            asked = wire.now()
            seconds, microseconds = client.time()
            answered = wire.now()
            info = client.info("server")
    except (redis.RedisError, ValueError, OSError) as error:
        advice = "start it or set LEADSCORE_REDIS_URL; until then events are scored with a delay of some seconds"
        yield Finding(Level.CRITICAL, "redis", f"Redis does not answer: {_without_secrets(error)}", advice)
        return
    name = str(info.get("server_name", "redis"))
    version = str(info.get(f"{name}_version", info["redis_version"]))
    yield from _version("redis", f"{name} {version}", str(info["redis_version"]), MIN_REDIS)
    time = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
    yield _clock("redis", time, asked, answered)


async def _examine(uri: str) -> list[Finding]:
    database = await mongo.connect(uri)
    async with aclosing(database.client):
        return [finding async for finding in _findings(database)]


async def _findings(database: Database) -> AsyncIterator[Finding]:
    admin = database.client.admin
    version = (await database.client.server_info())["version"]
    for finding in _version("mongod", f"MongoDB {version}", version, MIN_MONGO):
        yield finding
    asked = wire.now()
    time = await mongo.server_time(database)
    yield _clock("mongod", time, asked, wire.now())
    yield await _members(admin)
    try:
        answer = await admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        yield _lifetime(answer["transactionLifetimeLimitSeconds"])
        yield _disk(await database.command("dbStats"))
    except OperationFailure:
        return  # this user may not ask


async def _members(admin: Database) -> Finding:
    """Returns which members of the replica set are there; a primary has been found."""
    hello = await admin.command("hello")
    if hello.get("msg") == "isdbgrid":
        return Finding(Level.OK, "replica set", "a sharded cluster")
    try:
        members = (await admin.command("replSetGetStatus"))["members"]
    except OperationFailure:
        return Finding(Level.OK, "replica set", f"{hello['setName']} has a primary")  # this user may not ask for more
    away = [each["name"] for each in members if each["health"] != 1]
    if away:
        text = f"{', '.join(away)} of {hello['setName']} cannot be reached"
        return Finding(
            Level.WARNING, "replica set", text, "start it: without a majority of the members, no event is accepted"
        )
    return Finding(Level.OK, "replica set", f"{hello['setName']} with {len(members)} members, all of them reachable")


def _version(subject: str, name: str, version: str, oldest: tuple[int, int]) -> Iterator[Finding]:
    if tuple(map(int, version.split(".")[:2])) < oldest:
        wanted = ".".join(map(str, oldest))
        yield Finding(
            Level.WARNING, subject, f"{name} answers, which is older than {wanted}", "update it: it is not tested"
        )
    else:
        yield Finding(Level.OK, subject, f"{name} answers")


def _clock(subject: str, time: datetime, asked: datetime, answered: datetime) -> Finding:
    """Compares a clock with ours; the answer was made at some moment between asking and its arrival."""
    ahead = max(time - answered, asked - time, timedelta(0))
    if ahead <= MAX_CLOCK_WARNING:
        return Finding(Level.OK, "clocks", f"the clock of {subject} is that of this machine")
    level = Level.CRITICAL if ahead > MAX_CLOCK_ERROR else Level.WARNING
    text = f"the clock of {subject} differs from that of this machine by {ahead.total_seconds():.0f} s"
    return Finding(
        level, "clocks", text, "synchronise both with NTP: times of events and dates of decay come from them"
    )


def _lifetime(seconds: int) -> Finding:
    if seconds <= mongo.ORPHAN_SECONDS:
        return Finding(Level.OK, "mongod", f"transactions of killed processes end after {seconds} s")
    advice = f"start mongod with --setParameter transactionLifetimeLimitSeconds={mongo.ORPHAN_SECONDS}"
    return Finding(Level.WARNING, "mongod", f"a killed worker would block its partitions for {seconds} s", advice)


def _disk(statistics: Mapping[str, Any]) -> Finding:
    used, total = statistics.get("fsUsedSize", 0.0), statistics.get("fsTotalSize", 0.0)
    if not total:
        return Finding(Level.OK, "disk", "the room on the disk of mongod is not known")
    text = f"{used / total:.0%} of the disk of mongod are in use, {(total - used) / 1e9:,.0f} GB are free"
    level = Level.CRITICAL if used > FULL * total else Level.WARNING if used > NEARLY_FULL * total else Level.OK
    return Finding(level, "disk", text, "make room: mongod ends when its disk is full" if level else "")


def _without_secrets(error: Exception) -> str:
    """Returns the text of an error of the client, which quotes no URL except where that is malformed."""
    return "LEADSCORE_REDIS_URL is not the URL of a Redis" if isinstance(error, ValueError) else str(error)
