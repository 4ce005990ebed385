# Everything here needs only Go and a POSIX shell; the tests also a software TPM,
# which is installed where that is possible, and a Bitcoin node, which Go builds;
# `make race` also a C compiler, `make interop` Node.js.

GO         ?= go
GO_MINIMUM := 1.26
GOLANGCI   := v2.15.0
FUZZTIME   ?= 30s
TIMEOUT    ?= 15m
SEEDS      ?= 2000
FIRST      ?= 1
PROGRAMS   ?= ./cmd/...

# The same source and the same version of Go give the same bytes, in any folder
# and for anyone, and so the same measurement: no cgo, no paths, no stamps of
# version control, no build id, one level of the processor. GOFLAGS is set to
# what is given anyway, because an empty one would let the user's own back in.
BUILD := CGO_ENABLED=0 GOAMD64=v1 GOFLAGS=-trimpath $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -buildid="
TEST  := CGO_ENABLED=0 $(GO) test -timeout $(TIMEOUT)

.PHONY: help demo build test lint fuzz race sim bench clean go-version swtpm btcd interop

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: build ## the guided tour: three validators, a tree notarized, a receipt verified offline
	@scripts/install-swtpm.sh || echo "The tour goes on without its TPM part."
	@scripts/install-btcd.sh
	@scripts/demo.sh

build: go-version ## bin/cloister, bin/cloister-core and bin/cloister-simtee, reproducibly
	@mkdir -p bin
	$(BUILD) -o bin/ $(PROGRAMS)

# Suites that start real processes take the programs from CLOISTER_BIN.
test: build swtpm btcd ## every test, with the fuzz targets' seed corpora
	CLOISTER_BIN="$(CURDIR)/bin" $(TEST) ./...

lint: go-version .tools/golangci-lint-$(GOLANGCI) ## gofmt, go vet, golangci-lint
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 .tools/golangci-lint-$(GOLANGCI) run ./...

.tools/golangci-lint-$(GOLANGCI):
	@mkdir -p .tools
	GOBIN="$(CURDIR)/.tools" CGO_ENABLED=0 $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	@mv .tools/golangci-lint $@

fuzz: go-version ## every fuzz target for FUZZTIME (30s) each
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" scripts/fuzz.sh

race: build swtpm btcd ## every test under the race detector; needs a C compiler
	@command -v "$$($(GO) env CC)" >/dev/null || { echo "the race detector needs a C compiler; on Debian or Ubuntu: apt-get install gcc libc6-dev"; exit 1; }
	CLOISTER_BIN="$(CURDIR)/bin" CGO_ENABLED=1 $(GO) test -race -timeout $(TIMEOUT) ./...

sim: go-version ## the simulator on more seeds: SEEDS (2000) from FIRST (1) on
	CGO_ENABLED=0 $(GO) test -timeout 2h ./sim -count 1 -args -seeds $(SEEDS) -first $(FIRST)

bench: go-version ## every Go benchmark once
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## remove built programs and tools, never a network's home
	rm -rf bin .tools

interop: build ## a published Factom client (Node.js) against a network of three validators
	@scripts/interop.sh

btcd:
	@scripts/install-btcd.sh

swtpm:
	@scripts/install-swtpm.sh

go-version:
	@scripts/go-version.sh "$(GO)" "$(GO_MINIMUM)"
