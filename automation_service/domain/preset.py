"""What an action asks its receiver to do, and the texts that it sends by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from automation_service.domain.receiver import Email, Receiver, Slack, Webhook


class Preset(StrEnum):
    """What the receiver of an action is asked to do."""

    NONE = ""
    NOTIFY_SALES = "notify_sales"
    CREATE_CRM_TASK = "create_crm_task"
    ASSIGN_REP = "assign_rep"
    SEND_EMAIL = "send_email"


@dataclass(frozen=True, slots=True)
class PresetDefaults:
    """The receivers that a preset allows, the parameters that it requires, and its default templates."""

    receivers: tuple[type[Receiver], ...] = (Webhook, Slack, Email)
    required: tuple[str, ...] = ()
    subject: str = "{{ rule.display_name or rule.rule_id }}: lead {{ lead.lead_id }}"
    text: str = (
        "Rule {{ rule.display_name or rule.rule_id }} fired for lead {{ lead.lead_id }}"
        "{% if lead.attributes.name %} ({{ lead.attributes.name }}){% endif %}: "
        "score {{ score.before }} → {{ score.after }}, stage {{ stage.from }} → {{ stage.to }}, "
        "velocity {{ velocity }}, risk {{ risk }}, next action {{ next_action }}."
    )


DEFAULTS: Mapping[Preset, PresetDefaults] = {
    Preset.NONE: PresetDefaults(),
    Preset.NOTIFY_SALES: PresetDefaults(
        subject="Look at lead {{ lead.lead_id }}: {{ stage.to }}, {{ next_action }}",
        text="Lead {{ lead.lead_id }}{% if lead.attributes.name %} ({{ lead.attributes.name }}){% endif %} "
        "is {{ stage.to }} with {{ score.after }} points, velocity {{ velocity }} and {{ risk }} risk. "
        "Next action: {{ next_action }}.",
    ),
    Preset.CREATE_CRM_TASK: PresetDefaults(receivers=(Webhook,)),
    Preset.ASSIGN_REP: PresetDefaults(receivers=(Webhook,), required=("rep",)),
    Preset.SEND_EMAIL: PresetDefaults(receivers=(Email,)),
}
