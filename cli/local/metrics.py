"""Tells Prometheus where the metrics pages of a system are that `leadscore up` runs."""

import json

from cli.local.plan import Plan
from shared.private_files import write_private


def write_targets(plan: Plan) -> None:
    """Writes the addresses of all metrics pages, with the names of the processes.

    It is a file of targets as `file_sd_configs` reads them; see deploy/monitoring/prometheus-up.yml.
    """
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"process": program.name}}
        for program in plan.programs()
        for port in program.metrics_ports
    ]
    write_private(plan.data_dir / "metrics_targets.json", json.dumps(targets, indent=2) + "\n")
