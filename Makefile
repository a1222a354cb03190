# Two targets are the whole set-up: "make run" and "make test". Both fetch what is missing.

GO       ?= go
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 10s

# Everything is compiled as the programs are shipped, so that what one target has compiled serves the next. The race detector wants C.
export CGO_ENABLED := 0
export GOFLAGS     := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

# Many tests wait for time-outs of brokers more than they compute.
SIDE_BY_SIDE := -parallel 4

# Where test-kafka keeps the broker.
KAFKA    := $(CURDIR)/.kafka

# The chaos run: SEED=0 takes one from the clock. ARGS=--kfake does without Java.
SEED     ?= 0
DURATION ?= 2m
ARGS     ?=

.PHONY: help build run bench test test-kafka test-kafka-nodes test-kafka-pipeline test-deploy test-console assets chaos chaos-ci chaos-controls race lint fuzz redis chromium clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/edge, bin/loader and bin/millrace
	$(GO) build -o bin/ ./cmd/...

run: build ## run everything in this terminal, with its data in ./data
	bin/millrace up

test: redis ## run all tests, on a real ClickHouse, a real Redis and a broker that speaks Kafka's protocol
	$(GO) vet ./...
	$(GO) test -timeout 10m $(SIDE_BY_SIDE) ./...

test-kafka: redis $(KAFKA)/fetched ## run the tests of the pipeline on three nodes of Apache Kafka, and kill some
	$(GO) vet -tags apachekafka ./...
	$(MAKE) -j2 test-kafka-nodes test-kafka-pipeline

# Each package starts its own cluster of three nodes. Tests that need the broker of their own process are skipped here: they
# call env.KfakeOnly or have the build tag !apachekafka, and "make test" runs them. The tag apachekafka adds the tests that
# kill nodes. A cluster serves one test at a time.
ON_KAFKA := MILLRACE_TEST_KAFKA=$(KAFKA)/jars $(GO) test -tags apachekafka -p 1 -parallel 1 -count=1 -timeout 10m

test-kafka-nodes:
	$(ON_KAFKA) ./test/e2e ./test/env/kafka ./pkg/edge

test-kafka-pipeline:
	$(ON_KAFKA) ./pkg/stream ./pkg/loader

CHAOS := MILLRACE_TEST_KAFKA=$(KAFKA)/jars $(GO) run ./test/chaos

chaos: build redis $(if $(findstring --kfake,$(ARGS)),,$(KAFKA)/fetched) ## break everything around edges and loaders, for DURATION, by SEED: what was answered is there once
	$(CHAOS) --bin bin --seed $(SEED) --for $(DURATION) $(ARGS)

chaos-ci: ## the chaos run that every change has to pass: a minute and a half, always of the same seed
	$(MAKE) chaos SEED=3 DURATION=90s

chaos-controls: redis $(KAFKA)/fetched ## the chaos run without each of three protections, which it has to notice
	$(GO) build -tags chaoscontrol -o bin/chaoscontrol/ ./cmd/...
	for control in commit-first no-token acks-1; do \
		$(CHAOS) --bin bin/chaoscontrol --seed $(SEED) --for 1m --control $$control $(ARGS) || exit 1; done

# ARGS=--broker=kfake does without Java; "bin/compare --help" has the rest.
bench: build $(if $(findstring kfake,$(ARGS)),,$(KAFKA)/fetched) ## measure Millrace beside others, and write bench/report/REPORT.md
	$(GO) build -o bin/ ./bench/compare ./bench/baselines/bareedge ./bench/baselines/bareloader
	bin/compare --jars $(KAFKA)/jars $(ARGS) all

# A module of its own: what it is checked with is heavy. It builds the programs with what "build" has left in the cache.
test-deploy: build ## check docker-compose.yml, the Helm chart, alerts and dashboards; no container is started
	cd test/deploy && $(GO) test -vet=off -timeout 5m ./...

# A module of its own as well. What it tries is not of its module, so no result is kept.
CONSOLE := cd test/console && $(GO) test -count=1 -vet=off -parallel 8 -timeout 5m

test-console: build chromium ## use the console of bin/millrace in a real browser, and compare its scripts with npm's
	$(CONSOLE) ./...

assets: ## fetch the console's scripts that are npm's, by pkg/console/assets/package-lock.json
	$(CONSOLE) -run '^TestAssetsAreWhatNpmGives$$' . -update

# The detector sees nothing of test/e2e, which drives binaries that are built without it, nor of packages whose tests do one thing
# after the other.
NO_RACE := test/e2e|bench/skewsim|cmd/[a-z]*|pkg/(console/query|console/assets|clientip|rawjson|scalar|payload|segment|api|mapping|dedup|token|doctor)

race: redis ## run all tests under the race detector, in a random order
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 20m $$($(GO) list ./... | grep -vE '/($(NO_RACE))$$')

lint: ## check style, and that imports point one way
	GOBIN=$(CURDIR)/bin/lint $(GO) install $(LINT)
	bin/lint/golangci-lint run ./...
	cd test/deploy && ../../bin/lint/golangci-lint run ./...
	cd test/console && ../../bin/lint/golangci-lint run ./...

fuzz: ## run each fuzz test for FUZZTIME
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' pkg); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
			echo "== $$name in $$(dirname $$file)"; \
			$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x ./$$(dirname $$file); \
		done; done

# The tests want a real Redis.
redis:
	@command -v redis-server >/dev/null || { \
		if command -v apt-get >/dev/null; then \
			[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
			$$sudo apt-get update -qq && $$sudo apt-get install -y -qq redis-server >/dev/null; \
		else echo "The tests need redis-server on PATH: install it with your package manager." >&2; exit 1; fi; }

# The console's tests want a real browser, and npm's packages.
chromium:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable; } >/dev/null && \
		command -v npm >/dev/null || { \
		if command -v apt-get >/dev/null; then \
			[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
			command -v npm >/dev/null && npm= || npm=npm; \
			$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium $$npm >/dev/null; \
		else echo "The console's tests need chromium and npm on PATH: install them with your package manager." >&2; exit 1; fi; }

# Apache Kafka wants a Java, and comes by Maven.
$(KAFKA)/fetched: test/env/kafka/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || { \
		if command -v apt-get >/dev/null; then \
			[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
			$$sudo apt-get update -qq && $$sudo apt-get install -y -qq default-jre-headless maven >/dev/null; \
		else echo "The tests on Apache Kafka need java (17 or later) and mvn on PATH: install them with your package manager." >&2; exit 1; fi; }
	rm -rf $(KAFKA)
	mvn -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(KAFKA)/jars
	touch $@

clean: ## delete what was built; data stays
	rm -rf bin
