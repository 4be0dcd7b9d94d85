"""How likely a lead converts, as text."""

from leadscore.intelligence.v1.intelligence_pb2 import ConversionProbability

from cli.terminal.counts import counted
from shared.message_files import durations


def probability_of(found: ConversionProbability) -> str:
    """Returns a probability as text, such as `12.0% within 30d`."""
    within = f" within {durations.to_text(found.horizon)}" if found.HasField("horizon") else ""
    return f"{found.probability:.1%}{within}"


def basis_of(found: ConversionProbability) -> str:
    """Returns what a probability rests on: the interval, and how many leads had such a score at the landmark."""
    leads, landmark = counted(found.lead_count, "lead"), durations.to_text(found.landmark)
    return f"95 % interval {found.low:.1%} to {found.high:.1%}, from {leads} {landmark} after the first event"
