"""What every benchmark uses: the system under test, client processes, the reference, and the report."""
