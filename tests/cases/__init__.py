"""Small inputs from outside, as people really have them, and what becomes of each.

They are made from public bug reports, forum threads and the documented layouts of exports; all people are invented.

| case                    | tests                                                                                     |
|-------------------------|-------------------------------------------------------------------------------------------|
| 01-times                | `test_events`; every spelling of a time: `tests/cli/test_times`                           |
| 04-oversized-properties | `test_events`; the limits: `tests/ingest/test_properties`                                 |
| 05-same-person-ids      | `test_events`; in every service: `tests/e2e/test_lead_ids`                                |
| 06-local-times          | `test_events`                                                                             |
| 08-clocks               | `test_events`; the limits: `tests/ingest/test_event`                                      |
| 09-negative-scores      | `test_negative_scores`                                                                    |
| 10-webhook-receivers    | `tests/automation/test_webhooks`: what each status means; `test_delivery_state`: when the |
|                         | next attempt is; `tests/e2e/test_history`: all deliveries of a rule are sent again        |
| 12-redelivery           | `test_events`; every field and value: `tests/ingest/test_store`                           |
| 15-files                | `test_files`; every layout and encoding: `tests/cli/files`                                |
| 16-exports              | `test_exports`; every field of a format: `tests/cli/test_formats`                         |
| 18-rescore-fires        | `tests/cli/test_models`: what is asked; `tests/e2e/test_history`: what fires              |
| 19-twice-a-day          | `tests/e2e/test_history`                                                                  |
"""
