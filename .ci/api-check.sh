#!/bin/sh
# Schemathesis against a fresh server: whatever the OpenAPI document allows and forbids is sent, and every answer must be
# one that the document describes. SEED and SECONDS_MAX can be given; a failure prints the request as a curl command.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --quiet --package server
place=$(mktemp -d)
server=
(umask 077 && head -c 32 /dev/urandom >"$place/key")
trap 'kill $server 2>/dev/null; rm -rf "$place"' EXIT
target/debug/vm-system --data-dir target/tmp/images --db "$place/api.db" --log-level warn \
  serve --listen 127.0.0.1:0 --library-cache "$place/libraries" --share-key "$place/key" --max-sessions 200 --max-cpu-ms 200 --max-wall-ms 500 \
  >"$place/out" 2>"$place/log" &
server=$!
until url=$(sed -n 's/^vm-system listening on //p' "$place/out") && [ -n "$url" ]; do
  kill -0 $server || { cat "$place/log"; exit 1; }
  sleep 0.1
done
status=0
schemathesis=$PWD/target/venv/bin/schemathesis
# It keeps notes where it is run.
cd "$place"
"$schemathesis" run "$url/api/v1/openapi.json" --no-color --seed "${SEED:-1}" --max-time "${SECONDS_MAX:-60}" \
  --max-examples 20 --continue-on-failure --generation-database none --warnings off --report-dir "$place/report" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method ||
  status=$?
if grep -q panicked "$place/log"; then
  echo "the server panicked:"
  status=1
fi
[ $status = 0 ] || tail -50 "$place/log"
exit $status
