# Two targets are the whole set-up: "make run" and "make test". Both fetch what is missing.

GO       ?= go
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s

.PHONY: help build run test race lint fuzz redis clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/edge, bin/loader and bin/millrace
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

run: build ## run everything in this terminal, with its data in ./data
	bin/millrace up

test: redis ## run all tests, on a real ClickHouse, a real Redis and a broker that speaks Kafka's protocol
	$(GO) vet ./...
	$(GO) test -timeout 10m ./...

race: redis ## run all tests under the race detector, in a random order
	$(GO) test -race -shuffle=on -timeout 20m ./...

lint: ## check style, and that imports point one way
	$(GO) run $(LINT) run ./...

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

clean: ## delete what was built; data stays
	rm -rf bin
