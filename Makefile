# Each target works as the first command on a clean clone (Debian 12 with Rust and gcc).

CARGO ?= cargo
# cargo with rocksdb from the cache.
BUILD = CARGO='$(CARGO)' sh scripts/cargo.sh
# Arguments for the demo, such as: make demo ARGS='--scene b --json'
ARGS ?=

.PHONY: demo devnet test lint bench nightly setup

# Four scenes on a fresh regtest bitcoind.
demo:
	sh scripts/setup.sh
	$(CARGO) run --locked --release --no-default-features --bin tapestry -- demo $(ARGS)

# A whole layer 2 on this machine: bitcoind, four sequencers, accounts with coins. Ends with Ctrl-C.
devnet:
	sh scripts/setup.sh layer2
	$(BUILD) run --locked --release --bin tapestry -- devnet $(ARGS)

# All tests. bitcoind is found or built first, where its progress can be seen. Tests of whole devnets come last, by
# themselves: they would be slowed down by others.
test: setup
	$(BUILD) run --locked -p regtest --bin find-bitcoind
	$(BUILD) test --locked --workspace
	$(BUILD) test --locked --workspace --test layer2

# Formatting, lints and documentation, warnings denied.
lint:
	sh scripts/setup.sh layer2
	$(CARGO) fmt --all --check
	$(BUILD) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(BUILD) doc --locked --workspace --no-deps

# A table of measurements; also written to target/bench.json.
bench: setup
	$(BUILD) run --locked --release --bin tapestry -- bench $(ARGS)

# The long tests too, which are marked as ignored.
nightly: setup
	$(BUILD) run --locked -p regtest --bin find-bitcoind
	$(BUILD) test --locked --workspace --release -- --include-ignored
	$(BUILD) test --locked --workspace --release --test layer2 -- --include-ignored

# Debian packages that are missing; see scripts/setup.sh.
setup:
	sh scripts/setup.sh tests
