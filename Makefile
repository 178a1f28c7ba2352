# Each target works as the first command on a clean clone (Debian 12 with Rust and gcc).

CARGO ?= cargo
# Arguments for the demo, such as: make demo ARGS='--scene b --json'
ARGS ?=

.PHONY: demo test lint bench nightly setup

# Four scenes on a fresh regtest bitcoind.
demo:
	sh scripts/setup.sh
	$(CARGO) run --locked --release --bin tapestry -- demo $(ARGS)

# All tests. bitcoind is found or built first, where its progress can be seen.
test: setup
	$(CARGO) run --locked -p regtest --bin find-bitcoind
	$(CARGO) test --locked --workspace

# Formatting, lints and documentation, warnings denied.
lint:
	sh scripts/setup.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps

# A table of measurements; also written to target/bench.json.
bench: setup
	$(CARGO) run --locked --release --bin tapestry -- bench $(ARGS)

# The long tests too, which are marked as ignored.
nightly: setup
	$(CARGO) run --locked -p regtest --bin find-bitcoind
	$(CARGO) test --locked --workspace --release -- --include-ignored

# Debian packages that are missing; see scripts/setup.sh.
setup:
	sh scripts/setup.sh tests
