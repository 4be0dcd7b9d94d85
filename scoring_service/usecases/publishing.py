"""Stores models, publishes them, and rolls publications out to every lead."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import Mode, ModelOutdated, Publication, StoredModel
from scoring_service.domain.type_mismatches import Mismatch, TypeCheck, most_common
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.store.samples import SampleReader
from scoring_service.usecases.catching_up import CatchingUp
from scoring_service.usecases.cores import Cores
from scoring_service.usecases.history_writer import Clock
from shared import logs
from shared.rpc.pagination import Cursor
from shared.tasks import is_cancelled

PAGE_LEADS = 100
"""Largest number of leads in one transaction; each one needs a replay of its whole history."""
POLL_SECONDS = 2.0
"""Interval at which a worker looks for a publication that has not been rolled out."""
SAMPLE_SIZE = 2_000
"""Number of entries, and of leads, in which the types of values are checked."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Publishing:
    """Stores models and puts them in force."""

    models: ModelStore
    lead_reader: LeadReader
    samples: SampleReader
    clock: Clock
    partitions: int

    async def type_mismatches(self, model: ScoringModel) -> Sequence[tuple[Mismatch, int]]:
        """Returns the comparisons of different types in a sample of events and leads, and how many have each."""
        check, counts = TypeCheck(model), Counter[Mismatch]()
        for event in await self.samples.events(SAMPLE_SIZE):
            counts.update(check.in_event(event))
        for attributes in await self.samples.attributes(SAMPLE_SIZE) if model.fit else ():
            counts.update(check.in_attributes(attributes))
        return most_common(counts)

    async def create(self, model: ScoringModel) -> StoredModel:
        """Stores a valid model as the next version, and returns it."""
        return await self.models.create(lambda version: replace(model, version=version), self.clock())

    async def model(self, version: int) -> StoredModel:
        """Returns a version of the model; 0 means the one in force.

        Raises:
            ModelNotFound: The version does not exist.
        """
        return await self.models.get(version or (await self.models.publications())[-1].version)

    async def publish(
        self, version: int, base_version: int, mode: Mode, actor: str, note: str, *, quiet: bool = False
    ) -> Publication:
        """Puts a version in force. No automation fires for what a `quiet` publication changes.

        Raises:
            ModelNotFound: The version does not exist.
            ModelOutdated: The version in force is not `base_version`.
        """
        await self.models.get(version)
        last = (await self.models.publications())[-1]
        if last.version != base_version:
            raise ModelOutdated(base_version, last.version)
        publication = Publication(
            number=last.number + 1,
            version=version,
            base_version=base_version,
            mode=mode,
            # Publish times ascend even if the clock goes back.
            publish_time=max(self.clock(), last.publish_time + timedelta(milliseconds=1)),
            actor=actor,
            note=note,
            engine=last.engine,
            quiet=quiet,
        )
        if not await self.models.publish(publication):
            raise ModelOutdated(base_version, (await self.models.publications())[-1].version)
        await self.models.switch(publication)
        return publication

    async def publications(self, after: Cursor, limit: int) -> list[Publication]:
        """Returns one page of publications, newest first."""
        publications = await self.models.publications()
        return [each for each in reversed(publications) if not after or (each.number,) < after][:limit]

    async def leads_left(self) -> tuple[int, int]:
        """Returns the unfinished publication and about how many leads it has not visited; 0, 0 if there is none.

        It counts no leads, because that takes longer the more there are: it assumes that all partitions have equally
        many.
        """
        unfinished = await self.models.unfinished()
        if unfinished is None:
            return 0, 0
        left = self.partitions - len(await self.models.reached(unfinished))
        return unfinished.number, math.ceil(await self.lead_reader.count_leads() * left / self.partitions)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Folds leads again under a new publication; any number of workers may do so concurrently."""

    models: ModelStore
    cores: Cores
    partitions: int

    async def run(self) -> None:
        """Rolls out publications until cancelled."""
        while not is_cancelled():
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 (the next step retries the leads that are left)
                _LOG.warning("rollout failed; will retry", error=logs.one_line(error))
            await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> int:
        """Rolls out the last publication if it is unfinished; returns how many leads were folded again.

        Raises:
            Exception: Some leads failed; see `CatchingUp`.
        """
        publication = await self.models.unfinished()
        if publication is None:
            return 0
        started, leads = time.perf_counter(), 0
        # The publisher may have died before it switched all partitions.
        await self.models.switch(publication)
        partitions = [*{*range(self.partitions)} - await self.models.reached(publication)]
        random.shuffle(partitions)  # so that workers conflict less often
        reach = partial(self.models.reach, publication)
        async for updates in CatchingUp(self.cores).run(partitions, self._find, PAGE_LEADS, reach):
            leads += len(updates)
        await self.models.rolled_out(publication)
        seconds = round(time.perf_counter() - started, 2)
        _LOG.info("rollout", publication=publication.number, leads=leads, seconds=seconds)
        return leads

    async def _find(self, partition: int) -> Sequence[str]:
        lead_writer = self.cores.stores.lead_writer
        standing = (await lead_writer.take([partition]))[partition]
        return await lead_writer.stale_leads(partition, await lead_writer.timeline(standing.publication))
