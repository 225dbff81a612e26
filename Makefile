# dialtone: plug a phone in, get a dial tone. `make` alone prints the targets.
GO       ?= go
BIN      := bin/dialtone
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build run test deps unit race e2e lint fmt fuzz golden cover bench deb page storm check clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9]*:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binary into bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/dialtone

run: build ## build and start a server on the embedded store, data in ./data
	$(BIN) serve $(ARGS)

test: deps ## install what the tests need (Debian packages) and run every test
	$(GO) vet ./...
	E2E_REQUIRE=1 $(GO) test -timeout 10m ./...

deps: ## install the programs that the tests drive
	@scripts/test-deps.sh

unit: ## run every test that needs no program beyond Go's own, skipping the rest
	$(GO) test -timeout 10m ./...

race: ## run every test under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

e2e: deps ## run the whole-daemon tests only
	E2E_REQUIRE=1 $(GO) test -count=1 -timeout 10m ./internal/e2e/... ./provision/dhcpd/... ./registrar/...

lint: ## check style and the dependency rules
	$(LINT) run ./...
	$(LINT) fmt --diff ./...

fmt: ## format the code
	$(LINT) fmt ./...

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@scripts/fuzz.sh $(FUZZTIME)

golden: ## rewrite the golden files; look at the diff before you commit it
	$(GO) test ./templates/... ./api/... -update

cover: ## print test coverage by package
	$(GO) test -cover ./... | grep -v 'no test files'

bench: build ## measure against the peers that are installed (Kamailio, dnsmasq, atftpd, nginx, Smarty)
	@scripts/bench.sh

page: ## make the editor of the page (api/ui/static/vendor) from the pinned npm packages
	cd api/ui/bundle && npm ci --ignore-scripts --no-audit --no-fund && npm run build

deb: build ## make a Debian package in bin/
	@scripts/deb.sh

storm: build ## plug in PHONES (10000) simulated phones at once: DHCP, files, REGISTER
	@scripts/storm.sh $(or $(PHONES),10000)

check: lint race e2e ## what a change has to pass before it is submitted
	$(GO) mod tidy -diff
	git diff --exit-code -- go.mod go.sum

clean: ## remove what was built; data/ stays
	rm -rf bin out
