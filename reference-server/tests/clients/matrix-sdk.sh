#!/bin/sh
# Drives matrix-sdk against the built-in server: sh reference-server/tests/clients/matrix-sdk.sh
# Needs Rust 1.93 or newer, for matrix-sdk alone, and some minutes to build it the first time; it is kept in a target folder of its
# own, or in DETERMINANT_SDK_TARGET.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../../..

cargo build --manifest-path "$root/Cargo.toml"
sdk=${DETERMINANT_SDK_TARGET:-$here/matrix-sdk/target}
CARGO_TARGET_DIR=$sdk cargo build --locked --manifest-path "$here/matrix-sdk/Cargo.toml"

target=${CARGO_TARGET_DIR:-$root/target}
scratch=$(mktemp -d)
printf 'server_name = "localhost"\n' > "$scratch/serve.toml"
"$target/debug/determinant" serve --config "$scratch/serve.toml" > "$scratch/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
until url=$(grep -o 'http://127.0.0.1:[0-9]*' "$scratch/log" | head -1) && [ -n "$url" ]; do
    kill -0 "$server"
    sleep 0.1
done
"$sdk/debug/matrix-sdk-chat" "$url"
