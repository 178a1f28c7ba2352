#!/bin/sh
# Builds the guest programs into zkvm/guests/elf (or the folder named as the only
# argument) and writes their SHA-256 sums there. Languages whose toolchain is
# missing are named and left as they are; the exit code is then 2.
# GUESTS_LAYER2=1 builds l2-batch, too.
# GUESTS_CACHE names a folder that keeps compiled libraries between builds.
#
# The committed files were made with the versions below (Debian 12). The same
# versions give the same bytes, in whatever folder the source lies.
#   Go    golang-go 1.19.8
#   C     gcc-mips-linux-gnu 12.2
#   Rust  rustc-web, cargo-web, rust-web-src 1.96, lld
set -eu
cd "$(dirname "$0")"
here=$(pwd)
out=${1:-$here/elf}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cache=${GUESTS_CACHE:-$work}
missing=0

need() { # language, Debian packages, command...
	language=$1 packages=$2
	shift 2
	for command in "$@"; do
		if ! command -v "$command" >/dev/null 2>&1; then
			echo "$language guests not built: $command is missing (Debian: apt-get install $packages)" >&2
			missing=2
			return 1
		fi
	done
}

if need Go golang-go go; then
	for guest in fibonacci sha256 alloc; do
		(cd go && env -u GOFLAGS -u GOEXPERIMENT GOOS=linux GOARCH=mips GOMIPS=softfloat \
			GO111MODULE=on GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0 GOCACHE="$cache/go" \
			go build -trimpath -buildvcs=false -ldflags=-w \
			-o "$work/go-$guest.elf" "./$guest")
	done
fi

if need C gcc-mips-linux-gnu mips-linux-gnu-gcc mips-linux-gnu-strip; then
	for guest in sha256 instructions; do
		(cd c && mips-linux-gnu-gcc -std=gnu11 -O2 -march=mips32r2 -mabi=32 -EB -msoft-float \
			-mno-abicalls -fno-pic -G0 -ffreestanding -fno-stack-protector \
			-fno-asynchronous-unwind-tables -fno-ident -Wall -Wextra -Werror \
			-static -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack \
			-Wl,-z,max-page-size=0x10000 start.S "$guest.c" -o "$work/c-$guest.elf")
		# The symbols stay, for profiles; local labels and the like go.
		mips-linux-gnu-strip --strip-debug -R .pdr -R .comment \
			-R .gnu.attributes -R .mdebug.abi32 "$work/c-$guest.elf"
	done
fi

# The layer 2's guest has revm in it and takes minutes: only if asked for.
rust_guests='fibonacci blake3-walk sha256-walk recover'
if [ "${GUESTS_LAYER2-}" = 1 ]; then
	rust_guests="$rust_guests l2-batch"
fi
if need Rust "rustc-web cargo-web rust-web-src lld" /usr/bin/cargo /usr/bin/rustc ld.lld; then
	if [ ! -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
		echo "Rust guests not built: rust-src is missing (Debian: apt-get install rust-web-src)" >&2
		missing=2
	elif ! RUSTC_BOOTSTRAP=1 /usr/bin/cargo -Z help 2>/dev/null | grep -q json-target-spec; then
		echo "Rust guests not built: $(/usr/bin/cargo --version) is too old (expected 1.96; on Debian 12 from bookworm-security)" >&2
		missing=2
	else
		source=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust
		zkvm=$(dirname "$here")
		registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
		# One by one: guests built together would share the features of the SDK that any of them wants.
		for guest in $rust_guests; do
			(cd rust && env -u RUSTFLAGS -u RUSTC -u RUSTC_WRAPPER -u RUSTUP_TOOLCHAIN -u CARGO \
				PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 \
				CARGO_TARGET_DIR="$cache/rust" CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$zkvm=zkvm$(printf '\037')--remap-path-prefix=$source=rust$(printf '\037')--remap-path-prefix=$registry=registry" \
				/usr/bin/cargo build --quiet --release --locked -p "$guest" \
				-Zbuild-std=core,alloc -Zbuild-std-features=compiler-builtins-mem -Zjson-target-spec \
				--target guest-sdk/mips-zkvm.json)
			cp "$cache/rust/mips-zkvm/release/$guest" "$work/rust-$guest.elf"
		done
	fi
fi

# Nothing half-written: all that was asked for has been built by now.
for elf in "$work"/*.elf; do
	[ -e "$elf" ] || continue
	chmod 755 "$elf"
	mv "$elf" "$out/"
done
cd "$out"
for elf in *.elf; do
	[ -e "$elf" ] && sha256sum "$elf"
done >"$work/sums" || :
[ -s "$work/sums" ] && mv "$work/sums" SHA256SUMS
exit $missing
