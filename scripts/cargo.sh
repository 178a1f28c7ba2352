#!/bin/sh
# cargo with rocksdb built once for all checkouts (scripts/rocksdb.sh) instead of once a target folder. Plain cargo works as
# well; it then compiles rocksdb into its target folder.
set -eu
cargo=${CARGO:-cargo}
if [ -z "${ROCKSDB_LIB_DIR-}" ]; then
	ROCKSDB_LIB_DIR=$(CARGO=$cargo sh "$(dirname "$0")/rocksdb.sh")
	ROCKSDB_STATIC=1
	export ROCKSDB_LIB_DIR ROCKSDB_STATIC
fi
exec "$cargo" "$@"
