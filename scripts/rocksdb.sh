#!/bin/sh
# Prints the folder that holds a static librocksdb, and builds it there first if it is absent (about ten minutes on two
# cores). The folder is keyed by the crate's version, lies outside the checkout and is shared by all checkouts:
# $TAPESTRY_CACHE or ~/.cache/tapestry. Use it as ROCKSDB_LIB_DIR with ROCKSDB_STATIC=1.
set -eu
cd "$(dirname "$0")/.."
say() { echo "rocksdb: $*" >&2; }

version=$(awk '/^name = "librocksdb-sys"$/ { getline; gsub(/[^0-9a-z.+-]/, "", $3); print $3; exit }' Cargo.lock)
if [ -z "$version" ]; then
	say "Cargo.lock names no librocksdb-sys"
	exit 1
fi
root=${TAPESTRY_CACHE:-${HOME:?}/.cache/tapestry}
folder=$root/rocksdb-$version
if [ -f "$folder/librocksdb.a" ]; then
	echo "$folder"
	exit 0
fi
say "building librocksdb-sys $version once, into $folder (about ten minutes on two cores)"
mkdir -p "$folder"
work=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/src"
: >"$work/src/lib.rs"
cat >"$work/Cargo.toml" <<TOML
[package]
name = "rocksdb-once"
version = "0.0.0"
edition = "2021"
[workspace]
[dependencies]
librocksdb-sys = { version = "=$version", default-features = false, features = ["lz4", "static", "bindgen-runtime"] }
[profile.release]
debug = false
TOML
# Its own target folder: nothing of the checkout is touched, and what is not kept goes.
env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC CARGO_TARGET_DIR="$work/target" "${CARGO:-cargo}" build --quiet --release --manifest-path "$work/Cargo.toml" >&2
found=$(find "$work/target/release/build" -name librocksdb.a | head -n 1)
if [ -z "$found" ]; then
	say "the build left no librocksdb.a"
	exit 1
fi
# Renamed into place: a build that was cut off leaves nothing that looks whole.
cp "$found" "$folder/librocksdb.a.part"
mv "$folder/librocksdb.a.part" "$folder/librocksdb.a"
echo "$folder"
