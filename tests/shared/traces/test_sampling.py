"""Which traces are recorded is decided as by the samplers of OpenTelemetry's library."""

import random

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.traces.current import is_recorded
from shared.traces.environment import SAMPLER, SAMPLERS, SHARE
from shared.traces.sampling import Sampling

ALL = [*SAMPLERS, *(f"parentbased_{each}" for each in SAMPLERS)]


@pytest.mark.parametrize("sampler", ALL)
def test_the_trace_of_a_caller_is_recorded_as_by_the_library(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {SAMPLER: sampler, SHARE: "0.3"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    theirs = TracerProvider(shutdown_on_exit=False).sampler
    ours, chance = Sampling(environment), random.Random(1)
    for _ in range(300):
        trace_id = chance.getrandbits(128)
        traceparent = f"00-{trace_id:032x}-{chance.getrandbits(64):016x}-0{chance.randrange(2)}"
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
        expected = theirs.should_sample(context, trace_id, "pour").decision.is_sampled()  # type: ignore[no-untyped-call]
        recorded, passed_on = ours.decide(traceparent)
        assert recorded == expected, traceparent
        if not recorded:
            assert passed_on[:52] == traceparent[:52]
            assert not is_recorded(passed_on)


@pytest.mark.parametrize("sampler", ALL)
@pytest.mark.parametrize("header", ["", "nonsense", "00-1-2-01"])
def test_of_new_traces_a_share_is_recorded(sampler: str, header: str) -> None:
    sampling = Sampling({SAMPLER: sampler, SHARE: "0.3"})
    decisions = [sampling.decide(header) for _ in range(1000)]
    share = sum(recorded for recorded, _ in decisions) / 1000
    assert share == pytest.approx(0.0 if "off" in sampler else 1.0 if "on" in sampler else 0.3, abs=0.1)
    assert not any(is_recorded(passed_on) for _, passed_on in decisions)
    assert len({passed_on for _, passed_on in decisions}) == 1000


def test_by_default_all_new_traces_are_recorded_and_those_of_callers_as_they_say() -> None:
    sampling = Sampling({})
    assert sampling.decide("")[0]
    assert not sampling.decide(f"00-{'1' * 32}-{'2' * 16}-00")[0]
