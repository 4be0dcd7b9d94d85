"""The Grafana dashboard, deploy/monitoring/dashboard.json. `python -m tests.monitoring.dashboard` writes it anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, prometheus, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PATH = Path(__file__).parents[2] / "deploy/monitoring/dashboard.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
HEIGHT, WIDTH = 7, 8
"""Of a panel, in the units of Grafana's grid, which is 24 wide."""


class Query(NamedTuple):
    """A query in PromQL, and the legend of its lines."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """A diagram: its title, the unit of its values as Grafana names it, and its queries."""

    title: str
    unit: str
    queries: Sequence[Query]


PROCESS = "process, instance"
CALLS = "rpc_server_call_duration_seconds"
OLDEST = "max by (inbox) (leadscore_inbox_oldest_pending_age_seconds)"


def _quantile(q: float, histogram: str, by: str) -> str:
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({histogram}_bucket[$__rate_interval])))"


def _rate(counter: str, by: str) -> str:
    return f"sum by ({by}) (rate({counter}[$__rate_interval]))"


ROWS: dict[str, Sequence[Panel]] = {
    "What waits": [
        Panel("Waiting", "short", [Query("max by (inbox) (leadscore_inbox_pending)", "{{inbox}}")]),
        Panel(
            "Age of the oldest",
            "s",
            [Query("max by (inbox) (leadscore_inbox_oldest_pending_age_seconds)", "{{inbox}}")],
        ),
        Panel(
            "Parked, and drains that stopped",
            "short",
            [
                Query("max by (inbox) (leadscore_inbox_parked)", "parked in {{inbox}}"),
                Query("max by (inbox) (leadscore_inbox_drain_stopped)", "{{inbox}} stopped"),
            ],
        ),
    ],
    "Calls": [
        Panel("Calls", "reqps", [Query(_rate(f"{CALLS}_count", "rpc_method"), "{{rpc_method}}")]),
        Panel(
            "Calls that are not answered with OK",
            "reqps",
            [
                Query(
                    "sum by (rpc_method, rpc_response_status_code) (rate(rpc_server_call_duration_seconds_count"
                    '{rpc_response_status_code!="OK"}[$__rate_interval]))',
                    "{{rpc_method}} {{rpc_response_status_code}}",
                )
            ],
        ),
        Panel(
            "Duration of calls, 99th percentile",
            "s",
            [Query(_quantile(0.99, "rpc_server_call_duration_seconds", "rpc_method"), "{{rpc_method}}")],
        ),
        Panel("Events sent", "short", [Query(_rate("leadscore_ingest_events_total", "outcome"), "{{outcome}} per s")]),
        Panel(
            "Refused because they are behind",
            "short",
            [
                Query("max(leadscore_ingest_refused_leads)", "leads"),
                Query("max(leadscore_ingest_refused_partitions)", "partitions"),
            ],
        ),
        Panel(
            "Requests to the gateway",
            "reqps",
            [
                Query(
                    _rate("http_server_request_duration_seconds_count", "http_route, http_response_status_code"),
                    "{{http_route}} {{http_response_status_code}}",
                )
            ],
        ),
    ],
    "Drains": [
        Panel("Processed", "short", [Query(_rate("leadscore_drain_items_sum", "inbox"), "{{inbox}} per s")]),
        Panel(
            "Size of a drain, mean",
            "short",
            [
                Query(
                    f"{_rate('leadscore_drain_items_sum', 'inbox')} / {_rate('leadscore_drain_items_count', 'inbox')}",
                    "{{inbox}}",
                )
            ],
        ),
        Panel(
            "Duration of a drain, 99th percentile",
            "s",
            [Query(_quantile(0.99, "leadscore_drain_duration_seconds", "inbox"), "{{inbox}}")],
        ),
        Panel(
            "Failures",
            "short",
            [
                Query(_rate("leadscore_drain_failures_total", "inbox"), "drains of {{inbox}} per s"),
                Query(_rate("leadscore_row_failures_total", "inbox"), "rows of {{inbox}} per s"),
            ],
        ),
        Panel(
            "Transactions that ran again",
            "short",
            [Query(_rate("leadscore_transaction_retries_total", "reason"), "{{reason}} per s")],
        ),
        Panel("Late events", "short", [Query("sum(rate(leadscore_late_events_total[$__rate_interval]))", "per s")]),
    ],
    "Decay and models": [
        Panel(
            "Days of decay",
            "short",
            [
                Query("max(leadscore_decay_lag_days)", "behind"),
                Query(
                    "(time() - max(leadscore_decayed_through_timestamp_seconds)) / 86400", "since the last complete one"
                ),
            ],
        ),
        Panel("Model in force", "short", [Query("max(leadscore_model_version)", "version")]),
        Panel("Leads that a rollout has not reached", "short", [Query("max(leadscore_rollout_leads_left)", "leads")]),
        Panel(
            "Health of the model (1 = warning, 2 = critical)",
            "short",
            [Query("max by (check) (leadscore_model_health_level)", "{{check}}")],
        ),
    ],
    "Automation": [
        Panel(
            "Executions and deliveries",
            "short",
            [
                Query("sum(rate(leadscore_executions_total[$__rate_interval]))", "executions per s"),
                Query(_rate("leadscore_deliveries_total", "receiver, outcome"), "{{receiver}} {{outcome}} per s"),
            ],
        ),
        Panel(
            "Attempts",
            "short",
            [
                Query(
                    _rate("leadscore_delivery_attempt_duration_seconds_count", "receiver, outcome"),
                    "{{receiver}} {{outcome}} per s",
                )
            ],
        ),
        Panel(
            "Deliveries that wait, executions that failed",
            "short",
            [
                Query("max(leadscore_deliveries_due)", "deliveries due"),
                Query("max(leadscore_deliveries_held)", "held"),
                Query("max(leadscore_executions_failed)", "failed executions"),
            ],
        ),
    ],
    "Processes": [
        Panel("Serving", "short", [Query("leadscore_serving", "{{service}} {{instance}}")]),
        Panel("CPU", "percentunit", [Query(_rate("process_cpu_seconds_total", PROCESS), "{{process}} {{instance}}")]),
        Panel(
            "Memory",
            "bytes",
            [
                Query("process_resident_memory_bytes", "{{process}} {{instance}}"),
                Query("leadscore_helper_resident_memory_bytes > 0", "helpers of {{instance}}"),
            ],
        ),
        Panel(
            "Helper processes",
            "short",
            [
                Query("leadscore_helper_processes", "{{instance}}"),
                Query("increase(leadscore_helper_failures_total[$__rate_interval])", "failures of {{instance}}"),
            ],
        ),
        Panel(
            "Lag of event loops, 99th percentile",
            "s",
            [Query(_quantile(0.99, "leadscore_event_loop_lag_seconds", PROCESS), "{{process}} {{instance}}")],
        ),
        Panel("Watchers", "short", [Query("sum(leadscore_watchers)", "callers")]),
        Panel(
            "Time until certificates expire",
            "s",
            [Query("leadscore_certificate_expiry_timestamp_seconds - time()", "{{file}} {{instance}}")],
        ),
    ],
}


def render() -> str:
    """Returns the dashboard as the file holds it."""
    dashboard = (
        Dashboard("leadscore")
        .uid("leadscore")
        .tags(["leadscore"])
        .time("now-3h", "now")
        .refresh("30s")
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    for title, panels in ROWS.items():
        dashboard.with_row(Row(title))
        for panel in panels:
            dashboard.with_panel(_built(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def _built(panel: Panel) -> timeseries.Panel:
    built = timeseries.Panel().title(panel.title).unit(panel.unit).min(0).datasource(SOURCE).height(HEIGHT).span(WIDTH)
    built.legend(
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
    )
    built.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    for query, name in zip(panel.queries, "ABC", strict=False):
        built.with_target(prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(name))
    return built


if __name__ == "__main__":
    PATH.write_text(render())
