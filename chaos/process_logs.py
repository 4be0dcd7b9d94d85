"""The logs of the processes."""

from pathlib import Path

from chaos.findings import Findings

READY = b"worker ready"
"""What a worker logs once it accepts work."""
UNEXPECTED = (b'"level": "error"', b"Traceback")
"""What no process may log under any fault."""
MAX_CHARACTERS = 300


class ProcessLogs:
    """The logs in a directory, one file per process."""

    def __init__(self, directory: Path, findings: Findings) -> None:
        self._directory = directory
        self._findings = findings
        self._began_at: dict[str, int] = {}
        self._read: dict[str, int] = {}

    def begin(self, name: str) -> None:
        """Notes that a process is started now."""
        log = self._directory / f"{name}.log"
        self._began_at[name] = log.stat().st_size if log.exists() else 0

    def since_start(self, name: str) -> bytes:
        """Returns what a process has logged since its last start."""
        with (self._directory / f"{name}.log").open("rb") as log:
            log.seek(self._began_at.get(name, 0))
            return log.read()

    def check(self) -> None:
        """Reports errors and tracebacks that the processes have logged since the last call."""
        for log in sorted(self._directory.glob("*.log")):
            with log.open("rb") as lines:
                lines.seek(self._read.get(log.name, 0))
                for line in lines:
                    if any(word in line for word in UNEXPECTED) and log.stem not in self._findings.doomed:
                        said = line.decode(errors="replace").strip()
                        self._findings.add("log", f"{log.stem} logged {said[:MAX_CHARACTERS]}")
                self._read[log.name] = lines.tell()
