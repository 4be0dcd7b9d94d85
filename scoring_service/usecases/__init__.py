"""What the service does: one module per RPC or background job.

`history_writer.py` is shared by all that append to histories.
"""
