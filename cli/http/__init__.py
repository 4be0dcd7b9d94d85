"""The HTTP/JSON API: Envoy in front of the services, configured from the protos.

`python -m cli.http serve` runs Envoy. It translates JSON to gRPC and back by the `google.api.http` options of the
protos. Of this package, only `bodies.lua` sees requests: it checks the names in JSON bodies.
"""
