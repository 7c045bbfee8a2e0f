#!/bin/sh
# Drives a bridge made with mautrix against the built-in server: sh reference-server/tests/clients/mautrix.sh
# Needs Python 3.10 or newer; the virtual environment is kept in the user's cache folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${DETERMINANT_MAUTRIX_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/determinant/mautrix-0.21.1}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement "$here/mautrix-requirements.txt"

cargo build --manifest-path "$here/../../../Cargo.toml"
target=${CARGO_TARGET_DIR:-$here/../../../target}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$venv/bin/python" "$here/mautrix_bridge.py" register "$port" > "$scratch/registration.yaml"
printf 'server_name = "localhost"\napplication_services = ["registration.yaml"]\n' > "$scratch/serve.toml"
"$target/debug/determinant" serve --config "$scratch/serve.toml" > "$scratch/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
until url=$(grep -o 'http://127.0.0.1:[0-9]*' "$scratch/log" | head -1) && [ -n "$url" ]; do
    kill -0 "$server"
    sleep 0.1
done
"$venv/bin/python" "$here/mautrix_bridge.py" "$url" "$port"
