# Two targets are the whole set-up: "make run" and "make test". Both fetch what is missing.

GO         ?= go
COMMIT   := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LINT       := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.17.0
SYFT       := github.com/anchore/syft/cmd/syft@v1.40.0
FUZZTIME   ?= 10s

# Every target compiles with the flags of a release, so that they share one build cache. Only the race detector needs C.
export CGO_ENABLED := 0
export GOFLAGS     := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

# Many tests wait for broker time-outs rather than compute.
TEST_PARALLEL := -parallel 4

# Apache Kafka's jars, for test-kafka, chaos and bench.
KAFKA := $(CURDIR)/.kafka

# The chaos run: SEED=0 takes a seed from the clock. ARGS=--kfake runs without Java.
SEED     ?= 0
DURATION ?= 2m
ARGS     ?=

.PHONY: help build run bench test test-kafka test-kafka-nodes test-kafka-pipeline test-deploy test-console assets \
	chaos chaos-ci chaos-controls race lint fuzz notice snapshot redis chromium chromium-package clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The first build takes minutes, so it shows its progress.
build: ## build bin/edge, bin/loader and bin/millrace
	@[ -x bin/millrace ] || echo "First build: it downloads the Go modules (about 60 MB) and compiles some 600 packages:" \
		"1 to 3 minutes. Later builds take seconds."
	@mkdir -p bin; { $(GO) build -v -ldflags "-X github.com/millrace/millrace/pkg/cli.commit=$(COMMIT)" -o bin/ ./cmd/... 2>&1; echo "exit $$?"; } | awk ' \
		/^exit [0-9]+$$/       { status = $$2; next } \
		/^go: downloading /    { if (++modules % 20 == 1) print "  downloading " $$3; next } \
		/^[a-z0-9.]+(\/[^ :]*)?$$/ { if (++packages % 50 == 0) print "  " packages " packages compiled"; next } \
		{ print } \
		END { exit status }'

run: build ## run everything in this terminal, with its data in ./data; the first run downloads ClickHouse (178 MB)
	bin/millrace up

test: redis ## run all tests, on a real ClickHouse, a real Redis and an in-process broker that speaks Kafka's protocol
	$(GO) vet ./...
	$(GO) test -timeout 10m $(TEST_PARALLEL) ./...

test-kafka: redis $(KAFKA)/fetched ## run the tests of the pipeline on three nodes of Apache Kafka, and kill some
	$(GO) vet -tags apachekafka ./...
	$(MAKE) -j2 test-kafka-nodes test-kafka-pipeline

# Each package starts its own cluster of three nodes, which serves one test at a time. Tests that need the in-process broker
# are skipped: they call env.KfakeOnly or have the build tag !apachekafka, and "make test" runs them. The tag apachekafka
# adds the tests that kill nodes.
ON_KAFKA := MILLRACE_TEST_KAFKA=$(KAFKA)/jars $(GO) test -tags apachekafka -p 1 -parallel 1 -count=1 -timeout 10m

test-kafka-nodes:
	$(ON_KAFKA) ./test/e2e ./test/env/kafka ./pkg/edge

test-kafka-pipeline:
	$(ON_KAFKA) ./pkg/stream ./pkg/loader

CHAOS := MILLRACE_TEST_KAFKA=$(KAFKA)/jars $(GO) run ./test/chaos

chaos: build redis $(if $(findstring --kfake,$(ARGS)),,$(KAFKA)/fetched) ## inject faults around edges and loaders for DURATION, by SEED, and check that each acknowledged message is stored once
	$(CHAOS) --bin bin --seed $(SEED) --for $(DURATION) $(ARGS)

chaos-ci: ## the chaos run of CI: 90 seconds, always of the same seed
	$(MAKE) chaos SEED=3 DURATION=90s

chaos-controls: redis $(KAFKA)/fetched ## the chaos run with one protection switched off at a time: each run must fail
	$(GO) build -tags chaoscontrol -o bin/chaoscontrol/ ./cmd/...
	for control in commit-first no-token acks-1; do \
		$(CHAOS) --bin bin/chaoscontrol --seed $(SEED) --for 1m --control $$control $(ARGS) || exit 1; done

# ARGS=--broker=kfake runs without Java; "bin/compare --help" lists all options.
bench: build $(if $(findstring kfake,$(ARGS)),,$(KAFKA)/fetched) ## compare Millrace with alternatives, and write bench/report/REPORT.md
	$(GO) build -o bin/ ./bench/compare ./bench/baselines/bareedge ./bench/baselines/bareloader
	bin/compare --jars $(KAFKA)/jars $(ARGS) all

# A separate module, because its dependencies are heavy. It reads files outside its module, which the test cache does not
# see, so no result is cached.
test-deploy: build ## check docker-compose.yml, the Helm chart, alerts and dashboards; no container is started
	cd test/deploy && $(GO) test -count=1 -vet=off -timeout 5m ./...

# A separate module. It tests bin/millrace, which the test cache does not see, so no result is cached.
CONSOLE := cd test/console && $(GO) test -count=1 -vet=off -parallel 8 -timeout 5m

test-console: build chromium ## use the console of bin/millrace in a real browser, and compare its scripts with npm's
	$(CONSOLE) ./...

assets: ## fetch the console's scripts from npm, as pkg/console/assets/package-lock.json pins them
	$(CONSOLE) -run '^TestAssetsAreWhatNpmGives$$' . -update

# The detector sees nothing of test/e2e and cmd: they run binaries that are built without it.
race: redis ## run all tests under the race detector, in a random order
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 20m $$($(GO) list ./... | grep -vE '/(test/e2e|cmd/[a-z]*)$$')

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

notice: ## write NOTICE, the licences of what the binaries contain
	.ci/notice > NOTICE.new
	mv NOTICE.new NOTICE

snapshot: ## build archives, checksums and SBOMs as a release would, into dist/
	GOBIN=$(CURDIR)/bin/release $(GO) install $(GORELEASER)
	GOBIN=$(CURDIR)/bin/release $(GO) install $(SYFT)
	bin/release/goreleaser check
	PATH="$(CURDIR)/bin/release:$$PATH" bin/release/goreleaser release --snapshot --clean

# install_apt,COMMAND,PACKAGES,PURPOSE installs PACKAGES where COMMAND is missing.
define install_apt
	@command -v $(1) >/dev/null || { \
		if command -v apt-get >/dev/null; then \
			[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
			$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
		else echo "$(3) need $(1) on PATH: install it with your package manager." >&2; exit 1; fi; }
endef

redis:
	$(call install_apt,redis-server,redis-server,The tests)

# A browser has several names.
chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v $$name >/dev/null && exit 0; done; $(MAKE) chromium-package
	$(call install_apt,npm,npm,The tests of the console)

chromium-package:
	$(call install_apt,chromium,chromium,The tests of the console)

$(KAFKA)/fetched: test/env/kafka/pom.xml
	$(call install_apt,java,default-jre-headless,The tests on Apache Kafka (Java 17 or later))
	$(call install_apt,mvn,maven,The tests on Apache Kafka)
	rm -rf $(KAFKA)
	mvn -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(KAFKA)/jars
	touch $@

clean: ## delete what was built; data stays
	rm -rf bin dist
