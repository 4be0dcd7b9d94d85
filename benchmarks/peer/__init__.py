"""What a user could pick instead: the library `eventsourcing` on PostgreSQL, one aggregate a lead.

It runs only on request, on a PostgreSQL server of its own, whose programs must be installed (`postgres` on PATH, or in
/usr/lib/postgresql). `scorer.py` is a program with dependencies of its own, which uv installs into its cache.
"""
