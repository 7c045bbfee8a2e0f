#!/bin/sh
# Drives matrix-nio against the built-in server: sh reference-server/tests/clients/matrix-nio.sh
# Needs Python 3.10 or newer; the virtual environment is kept in the user's cache folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${DETERMINANT_NIO_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/determinant/matrix-nio-0.26.0}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"

cargo build --manifest-path "$here/../../../Cargo.toml"
target=${CARGO_TARGET_DIR:-$here/../../../target}
scratch=$(mktemp -d)
printf 'server_name = "localhost"\n' > "$scratch/serve.toml"
"$target/debug/determinant" serve --config "$scratch/serve.toml" > "$scratch/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
until url=$(grep -o 'http://127.0.0.1:[0-9]*' "$scratch/log" | head -1) && [ -n "$url" ]; do
    kill -0 "$server"
    sleep 0.1
done
"$venv/bin/python" "$here/matrix_nio_chat.py" "$url"
