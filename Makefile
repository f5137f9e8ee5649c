# `make help` lists what there is. Node comes from npm, pinned by the lockfile; the machine's own Node (20 or
# newer) with npm only installs it. Built programs are kept in ~/.cache/towpath.

NODE := node_modules/.bin/node
INSTALLED := node_modules/.stamp
NOTIFY := examples/notify/node_modules/.stamp
KUBECONFIG ?= $(CURDIR)/.run/cluster/kubeconfig

# What a user says on make's command line and the scripts read.
export KEEP CLUSTER KUBERNETES HELM

.DEFAULT_GOAL := help

.PHONY: help
help: ## Lists the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Shows a chart's way from Git into a cluster (KEEP=1: leaves it running; CLUSTER=current: in yours)
	@$(NODE) hack/demo/main.ts

.PHONY: test
test: $(INSTALLED) $(NOTIFY) ## Runs unit, integration and corpus tests (ONLY=operator/plan, NAME=pattern, CLUSTER=current, KUBERNETES=1.36, HELM=3)
	@$(NODE) hack/test.ts test --only='$(ONLY)' --name='$(NAME)' --cluster='$(CLUSTER)' --strict='$(STRICT)'

.PHONY: test-faults
test-faults: $(INSTALLED) ## Runs the tests of faults: Git down, a leader that stops, etcd restored; requests are counted (ONLY=, NAME=)
	@$(NODE) hack/test.ts faults --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-edges
test-edges: $(INSTALLED) ## Tests what is met rarely: objects that move, autoscalers, claims; faults at each step (ONLY=, NAME=)
	@$(NODE) hack/test.ts edges --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-exhaustive
test-exhaustive: $(INSTALLED) ## Goes through all instants one by one: kills at every write, answers that are lost, API faults (ONLY=, NAME=)
	@$(NODE) hack/test.ts exhaustive --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-release
test-release: $(INSTALLED) ## Installs, upgrades and removes the chart in all orders, under all names, by other tools (ONLY=, NAME=, HELM=3)
	@$(NODE) hack/test.ts release --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-scale
test-scale: $(INSTALLED) ## Runs the tests of size: 5,000 objects, 1,000 waves, many refs, many clusters (ONLY=, NAME=)
	@$(NODE) hack/test.ts scale --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-monitoring
test-monitoring: $(INSTALLED) ## Tests alerts and dashboard with a real Prometheus that scrapes the operator (Debian: prometheus)
	@$(NODE) hack/test.ts monitoring --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: image
image: $(INSTALLED) ## Builds the operator's image with Docker (BASE=public: from public base images, by digest; PLATFORM=linux/arm64)
	@$(NODE) hack/image.ts --base='$(BASE)' --platform='$(PLATFORM)'

.PHONY: sbom
sbom: $(INSTALLED) ## Writes what the image is made of (dist/sbom, CycloneDX)
	@$(NODE) hack/sbom.ts

.PHONY: test-image
test-image: $(INSTALLED) ## Builds the image and runs it in a container, against a real control plane
	@$(NODE) hack/test.ts image --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: test-arm64
test-arm64: $(INSTALLED) ## Builds the image for arm64 and runs it under qemu's user emulation (Debian: qemu-user-static)
	@$(NODE) hack/test.ts arm64 --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: e2e
e2e: $(INSTALLED) ## Installs the image with the chart on a real node, and uses, upgrades and removes it (as root)
	@$(NODE) hack/e2e.ts --only='$(ONLY)' --name='$(NAME)' --strict='$(STRICT)'

.PHONY: cluster
cluster: $(INSTALLED) ## Starts a local Kubernetes control plane that stays, prints its kubeconfig's path
	@$(NODE) hack/local-cluster.ts up

.PHONY: cluster-down
cluster-down: $(INSTALLED) ## Stops it; its objects stay
	@$(NODE) hack/local-cluster.ts down

.PHONY: run
run: $(INSTALLED) ## Runs the operator from source against $KUBECONFIG, else against `make cluster` (ARGS=flags)
	@KUBECONFIG='$(KUBECONFIG)' $(NODE) hack/run.ts $(ARGS)

.PHONY: build
build: $(INSTALLED) ## Bundles the operator as it is installed (dist/operator) and builds the render engine
	@$(NODE) hack/build-operator.ts
	@$(NODE) hack/build-engine.ts

.PHONY: plugin
plugin: $(INSTALLED) ## Bundles kubectl towpath (dist/plugin), for Node 20 or newer on Linux and macOS, with its engine
	@$(NODE) hack/build-plugin.ts

.PHONY: generate
generate: $(INSTALLED) ## Writes CRDs and the reference from the schemas
	@$(NODE) hack/generate.ts

.PHONY: lint
lint: $(INSTALLED) $(NOTIFY) ## Checks types, style, imports between rooms, functions, regular expressions, generated files, Go
	node_modules/.bin/tsc -p .
	node_modules/.bin/tsc -p examples/notify
	node_modules/.bin/biome check
	$(NODE) --disable-warning=ExperimentalWarning hack/lint-imports.ts
	$(NODE) hack/lint-functions.ts
	$(NODE) --disable-warning=ExperimentalWarning hack/lint-expressions.ts
	$(NODE) hack/generate.ts --check
	$(NODE) hack/lint-go.ts

.PHONY: format
format: $(INSTALLED) ## Formats TypeScript and Go
	node_modules/.bin/biome check --write
	gofmt -w hack/cluster hack/registry operator/render/engine

.PHONY: bench
bench: $(INSTALLED) ## Measures against the baselines (ARGS=flags)
	@$(NODE) test/bench/main.ts $(ARGS)

.PHONY: soak
soak: $(INSTALLED) ## Runs 1,000 Applications under constant change and faults for 20 minutes (MINUTES=, APPLICATIONS=)
	@$(NODE) test/soak/main.ts --minutes='$(MINUTES)' --applications='$(APPLICATIONS)'

.PHONY: clean
clean: cluster-down ## Stops the local cluster and removes it and all build results of this checkout
	rm -rf .run dist

# Not `npm ci`: npm 11 refuses a lockfile that lacks the optional packages of other platforms, which a registry
# mirror need not have. `install --no-save` takes the lockfile's versions and integrity and writes nothing.
$(INSTALLED): package.json package-lock.json
	@command -v npm > /dev/null || { echo 'npm was not found: install Node 20 or newer with npm.' >&2; exit 1; }
	@echo 'Installing npm packages (a minute at most) ...'
	@npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	@test -x $(NODE) || { echo 'No Node 24 from npm for this platform: add its node-<os>-<cpu> package to optionalDependencies.' >&2; exit 1; }
	@touch $@

$(NOTIFY): examples/notify/package.json examples/notify/package-lock.json
	@cd examples/notify && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
