# One image for every service and worker: `docker run leadscore scoring_service work`, for example.
# It holds no database: MongoDB and Redis run beside it (see docker-compose.yml).

FROM python:3.11-slim AS dependencies
COPY deploy/requirements.lock /requirements.lock
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.lock

FROM python:3.11-slim
# A volume at /secrets gets the owner and the mode of the directory in the image.
RUN useradd --system --no-create-home --uid 10001 leadscore && install -d -o leadscore -m 700 /secrets
COPY --from=dependencies /venv /venv
COPY . /app
# The code is run from where it lies: nothing is built, so nothing beyond the lock file is fetched.
RUN python -m compileall -q /app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app:/app/clients/python/src PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER leadscore
ENTRYPOINT ["python", "-m"]
CMD ["cli", "--help"]
