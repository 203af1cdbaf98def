# ABN Studio. `make` prints this help; README.md says what each command needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export GOFLAGS ?= -buildvcs=false

GO_SOURCES := $(shell git ls-files -co --exclude-standard '*.go' '*.c' '*.h' go.mod go.sum 'migrations/*.sql' 'web/static/*' 'dataset/aviary/*' 2>/dev/null)

help: ## print the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: bin/studio ## install what is needed, build, start the demo, print its address and sign-ins
	@bin/studio demo $(ARGS)

test: bin/studio chromium ## every test: Go (with the race detector where threads meet), editor, browser
	@.ci/test

test-long: node_modules/.package-lock.json ## what takes too long for make test: a painter among 50 faults, pages and backups with the race detector, every fuzzer for a minute
	@.ci/test-long

kills: node_modules/.package-lock.json ## kill server, worker, database and network at random, KILLS times (1000) by SEED (1), while people paint: docs/reliability.md
	@STUDIO_RANDOM_KILLS=$(or $(KILLS),1000) STUDIO_RANDOM_KILLS_SEED=$(or $(SEED),1) go test ./cmd/studio -run '^TestRandomKills$$' -count=1 -v -timeout 12h

partitions: node_modules/.package-lock.json ## part, pause, misdate and fill two servers, three workers, database and bucket in network namespaces, TIMES (2) of each fault by SEED (1), then pauses of LONG (5m); needs root: docs/reliability.md
	@.ci/partitions

build: bin/studio ## build bin/studio

verify: node_modules/.package-lock.json ## regenerate what is generated, check the pages' types; fail on a diff
	@$(MAKE) --no-print-directory generate
	@npm run --silent check
	@git diff --exit-code --stat -- '*_templ.go' web/static web/editor/src/api docs/operators.md docs/training.md docs/architecture.md docs/measures.md docs/studies third_party || { echo "generated files differ: commit what 'make generate' wrote"; exit 1; }
	@echo "verify: generated files are up to date"

generate: node_modules/.package-lock.json ## templ pages, API types, bundles, docs/operators.md, the tables of docs/training.md, docs/measures.md and docs/studies, the states of docs/architecture.md, ONNX Runtime's headers
	@.ci/generate

# The linter comes as source through Go's module proxy and is compiled once (three minutes on two cores); another one may run beside it.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
lint: ## golangci-lint (go vet, gofmt and the import directions included), ESLint, stylelint
	@$(MAKE) --no-print-directory -j2 lint-go lint-pages

lint-go:
	@go run $(GOLANGCI_LINT) run --allow-parallel-runners

lint-pages: node_modules/.package-lock.json
	@npm run --silent lint

aviary: bin/studio ## remake the demo's images and its model from their recipe (docs/aviary.md)
	@.ci/aviary

screenshots: bin/studio chromium ## remake the README's pictures, of a demo in Chromium
	@STUDIO_SCREENSHOTS=$(CURDIR)/docs/screenshots npx --no-install vitest run --root web/e2e screenshots.test.ts

guide: node_modules/.package-lock.json ## remake the examples of the painters' guide, by the demo's network
	@go run ./internal/guide/page

bench: bin/studio ## our speed next to PyTorch's, in the Python PYTHON (the first that has torch and torchvision): writes the table of docs/performance.md
	@bin/studio bench table $(if $(PYTHON),--pytorch $(PYTHON)) --into docs/performance.md

release: bin/studio ## pack dist/abn-studio-VERSION-OS-ARCH.tar.gz, with licences and bills of materials
	@.ci/release

clean: ## remove what was built
	rm -rf bin dist node_modules

bin/studio: node_modules/.package-lock.json $(GO_SOURCES)
	@mkdir -p bin
	@echo "building bin/studio"
	@go build -trimpath -ldflags="-X main.version=$$(git describe --tags --always --dirty 2>/dev/null)" -o bin/studio ./cmd/studio

images: ## build and push container images for amd64 and arm64; IMAGE names them
	@.ci/images

# ONNX Runtime and PostgreSQL come as npm packages; their install scripts are not run (.npmrc).
node_modules/.package-lock.json: package.json package-lock.json .npmrc
	@echo "installing ONNX Runtime, PostgreSQL and the page tools from npm"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The browser tests drive Debian's Chromium. As root it is installed; otherwise they say that they skip.
chromium:
	@.ci/chromium

.PHONY: screenshots guide help run test test-long kills partitions build verify generate lint lint-go lint-pages aviary bench release images clean chromium
