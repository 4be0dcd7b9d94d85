"""Faults of the network between the services and MongoDB: lost replies and reset connections."""

import asyncio

from chaos.fault import Scene, fault

INSERT_OF_EVENTS = "\x02insert\x00\x07\x00\x00\x00events\x00"
"""The beginning of the command, in BSON."""
WAIT_SECONDS, MAX_WAITS = 0.1, 100
"""How long to wait between checks for a lost reply, and how many times."""


@fault("commit reply lost", "commits succeed, but their replies are lost with the connection")
async def commit_reply_lost(scene: Scene) -> None:
    """The services must determine the outcome themselves."""
    await _lose(scene, "commitTransaction")


@fault("insert reply lost", "events are stored, but MongoDB's replies are lost with the connection")
async def insert_reply_lost(scene: Scene) -> None:
    """Clients must send the events again, and get DUPLICATE."""
    await _lose(scene, INSERT_OF_EVENTS)


@fault("mongo resets", "every connection to MongoDB is reset repeatedly")
async def mongo_resets(scene: Scene) -> None:
    """Drops the network between the services and MongoDB several times."""
    for _ in range(scene.chance.randrange(2, 6)):
        with scene.world.mongo.proxy.away():
            await asyncio.sleep(scene.chance.uniform(0, 0.4))
        await asyncio.sleep(scene.chance.uniform(0, 0.4))


async def _lose(scene: Scene, word: str) -> None:
    proxy = scene.world.mongo.proxy
    before = proxy.lost_replies
    with proxy.losing_replies(word):
        await asyncio.sleep(scene.chance.uniform(0.5, 2.0))
        for _ in range(MAX_WAITS):
            if proxy.lost_replies > before:
                break
            await asyncio.sleep(WAIT_SECONDS)
    if proxy.lost_replies == before:
        scene.world.findings.report_no_fault(f"no reply to {word!r} was lost")
