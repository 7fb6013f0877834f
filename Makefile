# FleetCommand: `make` lists what can be made. Every target sets the machine up first (scripts/setup.sh),
# which installs what is missing, says so, and is silent otherwise.

.DEFAULT_GOAL := help
.PHONY: help run test test-long bench fmt clean licences spelling setup-build setup-run setup-test

# Where rustup and `cargo install` put programs, in case the shell does not know it yet.
CARGO_HOME ?= $(HOME)/.cargo
export PATH := $(CARGO_HOME)/bin:$(PATH)

# A build that is used once gains nothing from incremental compilation and loses disk to it.
ifdef CI
export CARGO_INCREMENTAL := 0
endif

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: setup-run ## build the server and run a demonstration: a bank's agents, on this machine
	cargo build --release --locked --bin fleet
	target/release/fleet demo bank

test: setup-test ## all that a change must pass: format, tidiness, lints, tests
	@cargo run --quiet --locked --package xtask -- ci

test-long: setup-test ## every test, the long ones too, optimised, and a minute of fuzzing for each decoder
	@scripts/setup.sh tool cargo-fuzz
	@cargo run --quiet --locked --package xtask -- test-long

bench: setup-build ## measure, and write the figures
	cargo run --release --locked --package xtask -- bench all

fmt: setup-test ## format the Rust code
	cargo fmt --all

clean: setup-build ## remove what was built; data of a server stays
	cargo clean

licences: setup-build ## check licences and sources of the crates we use (cargo-deny)
	@scripts/setup.sh tool cargo-deny
	cargo deny --locked check licenses bans sources

spelling: setup-build ## look for misspelt words (typos)
	@scripts/setup.sh tool typos-cli typos
	typos

setup-build:
	@scripts/setup.sh build

setup-run:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test
