"""Faults of webhook receivers: one receiver misbehaves, and the other must still get every delivery."""

import asyncio

from chaos import rules
from chaos.fault import EVERY_METHOD, Scene, fault
from chaos.receipts import HOSTILE
from testkit.receiver import Behaviour, Request, Writer, answering

ENDLESS_SECONDS = 25.0


async def _hangs(request: Request, writer: Writer) -> None:
    await asyncio.sleep(ENDLESS_SECONDS)


async def _drips(request: Request, writer: Writer) -> None:
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.5)


async def _resets(request: Request, writer: Writer) -> None:
    writer.transport.abort()


async def _endless(request: Request, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


BEHAVIOURS: dict[str, tuple[Behaviour, int]] = {
    "500": (answering(500), 500),
    "429": (answering(429, retry_after="1"), 429),
    "redirect": (answering(302, location="http://127.0.0.1:1/elsewhere"), 302),
    "reset": (_resets, 0),
    "slow": (answering(200, seconds=2.0), 200),
    "hangs": (_hangs, 0),
    "drips": (_drips, 0),
    "endless": (_endless, 500),
}


def _hostile(name: str, behaviour: Behaviour, status: int) -> None:
    @fault(f"receiver {name}", f"a receiver that misbehaves: {name}", unaffected=EVERY_METHOD)
    async def inject(scene: Scene) -> None:
        scene.world.receipts.answer(HOSTILE, behaviour, status)
        try:
            async with scene.load.feeding(), scene.world.must_be_called(HOSTILE):
                await asyncio.sleep(scene.chance.uniform(1.0, 3.0))
        finally:
            scene.world.receipts.answer(HOSTILE, answering(200), 200)


for _name, (_behaviour, _status) in BEHAVIOURS.items():
    _hostile(_name, _behaviour, _status)


@fault(
    "receiver 410",
    "a receiver answers 410 Gone: its rule is disabled until an operator enables it again",
    unaffected=EVERY_METHOD,
)
async def gone(scene: Scene) -> None:
    """Pending deliveries are cancelled."""
    scene.world.receipts.answer(HOSTILE, answering(410), 410)
    try:
        async with scene.load.feeding(), scene.world.must_be_called(HOSTILE):
            await asyncio.sleep(scene.chance.uniform(1.0, 2.0))
    finally:
        scene.world.receipts.answer(HOSTILE, answering(200), 200)
        await rules.enable(scene.world.channel("automation"), HOSTILE)
