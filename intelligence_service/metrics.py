"""What the intelligence service alone measures."""

from prometheus_client import Gauge

WATCHERS = Gauge("leadscore_watchers", "Callers that watch leads.")
