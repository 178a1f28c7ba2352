#!/bin/sh
# Installs the Debian packages that a build, the demo and the tests need, and only
# those that are missing. Safe to run again.
#
#   scripts/setup.sh         what building and the demo need
#   scripts/setup.sh layer2  also what the layer 2 needs
#   scripts/setup.sh tests   also the toolchains that tests compare with
#
# TAPESTRY_NO_SETUP=1 leaves the system as it is.
set -eu

say() { echo "setup: $*" >&2; }

case ${1-} in
'' | layer2 | tests) ;;
*)
	say "unknown argument $1 (expected nothing, layer2 or tests)"
	exit 2
	;;
esac

# A C++ compiler for libsecp256k1, bitcoinconsensus, Bitcoin Core and rocksdb.
packages='g++'
# Bitcoin Core itself is built only where no bitcoind is installed.
if [ -z "${BITCOIND_EXE-}" ] && ! command -v bitcoind >/dev/null 2>&1; then
	packages="$packages cmake ninja-build pkg-config libboost-dev libevent-dev"
fi
# clang's library reads rocksdb's headers.
if [ -n "${1-}" ]; then
	packages="$packages clang libclang-dev"
fi
# The MIPS machine is compared with qemu, and guest programs are rebuilt.
if [ "${1-}" = tests ]; then
	packages="$packages qemu-user golang-go gcc-mips-linux-gnu rustc-web cargo-web rust-web-src lld"
	# Wallet libraries run against a devnet.
	if ! command -v npm >/dev/null 2>&1; then
		packages="$packages nodejs npm"
	fi
fi

if [ "${TAPESTRY_NO_SETUP-}" = 1 ]; then
	say "skipped, as TAPESTRY_NO_SETUP=1 asks"
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
	say "no apt-get here, so nothing is installed; needed, by their Debian names: $packages"
	exit 0
fi

missing=''
for package in $packages; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
	exit 0
fi

root=''
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		say "neither root nor sudo; as root run: apt-get install$missing"
		exit 1
	fi
	root=sudo
fi
say "installing$missing"
# Lists may be absent or old; where there is no network a cached one can still do.
$root apt-get update -q || say "apt-get update failed; going on with the lists that are here"
# shellcheck disable=SC2086 # words on purpose
if ! $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; then
	say "apt-get could not install$missing; install them by hand, or set TAPESTRY_NO_SETUP=1 to go on without"
	exit 1
fi
