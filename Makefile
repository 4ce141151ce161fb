# make help lists the targets. Everything that is built or downloaded goes to one cache folder; `target/demo` holds reports.
PGUPGRADE_CACHE ?= $(HOME)/.cache/pgupgrade
CARGO_TARGET_DIR ?= $(PGUPGRADE_CACHE)/target
CARGO ?= cargo
# The pair of PostgreSQL versions of the demo.
FROM ?= 17
TO ?= 18
# Not empty: the demo leaves its world up.
KEEP ?=
export PGUPGRADE_CACHE CARGO_TARGET_DIR

.DEFAULT_GOAL := help
.PHONY: help build demo demo-clean test bench-verify faults real-schemas lint fmt crds prerequisites

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r name text; do printf '%-15s %s\n' "$$name" "$$text"; done

build: ## the operator and the programs of the local world
	$(CARGO) build --locked --workspace --bins

demo: prerequisites build ## a whole upgrade on this machine; FROM=14..17 TO=15..18, KEEP=1 leaves the world up
	@hack/demo --from $(FROM) --to $(TO) $(if $(KEEP),--keep=$(KEEP))

demo-clean: ## end a demo that leaves its world up
	@hack/demo clean

test: prerequisites build ## unit, controller and end-to-end tests
	$(CARGO) test --locked --workspace --all-targets --no-fail-fast

bench-verify: prerequisites ## how fast two databases are compared; ROWS=1000000 is a smaller run
	$(CARGO) bench --locked -p pgupgrade-verify --bench verify

faults: prerequisites ## which faults of data and schema a comparison finds; FAULT=name makes some, CLEAN=3 shortens what is equal
	$(CARGO) bench --locked --profile dev -p pgupgrade-verify --bench faults

real-schemas: prerequisites ## compare databases of real applications between versions; needs Debian's and Python's packages
	$(CARGO) bench --locked --profile dev -p pgupgrade-verify --bench real_schemas

lint: ## what CI checks before the tests: format, lints, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	.ci/cargo-deny check bans licenses sources
	.ci/check-go

fmt: ## format all Rust and Go code
	$(CARGO) fmt --all
	gofmt -w tests/lab/cluster/go

crds: ## write crds/ anew from the Rust types
	$(CARGO) run -q --locked -p pgupgrade -- crd > crds/pgupgrade.dev_postgresupgrades.yaml

prerequisites: ## name what this machine lacks for the demo and the tests
	@.ci/prerequisites
