#!/bin/sh
# `make run`: a script from a file, then a server, a template and a session over HTTP. Ctrl-C ends it.
set -eu
cd "$(dirname "$0")/../.."
listen=${LISTEN:-127.0.0.1:3210}
api=http://$listen/api/v1

cargo build --locked --package server --bin vm-system
target=${CARGO_TARGET_DIR:-target}
vm=$target/debug/vm-system
# The tour keeps its database and its compiled images to itself.
place=$target/tour
mkdir -p "$place"

show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
# Sends a body and shows the answer, which stays in $answer.
post() {
  show "curl $api$1 -d '$2'"
  answer=$(curl --silent --show-error --fail-with-body "$api$1" -d "$2")
  printf '%s\n' "$answer"
}
# The id of the object in $answer.
id() { printf '%s' "$answer" | sed 's/^{"id":"\([^"]*\)".*/\1/'; }

show vm-system run docs/examples/hello.js
"$vm" --data-dir "$place/images" run docs/examples/hello.js

show vm-system run docs/examples/files.js --module fs --root docs/examples
"$vm" --data-dir "$place/images" run docs/examples/files.js --module fs --root docs/examples

serve() {
  show vm-system serve --listen "$listen"
  "$vm" --data-dir "$place/images" --db "$place/tour.db" --log-level warn serve --listen "$listen" &
  server=$!
  until curl --silent --fail "$api/health" >/dev/null 2>&1; do
    kill -0 $server 2>/dev/null || exit 1
    sleep 0.1
  done
}
rm -f "$place"/tour.db*
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT INT TERM
serve

post /templates '{"name":"tour"}'
template=$(id)
post "/templates/$template/modules" '{"name":"fs"}'
post /sessions "{\"template_id\":\"$template\",\"workspace_id\":\"tour\",\"base_commit_oid\":\"none\",\"worktree_path\":\"$PWD/docs/examples\"}"
session=$(id)
post /executions/repl "{\"session_id\":\"$session\",\"input\":\"const fs = require('fs'); const text = fs.readFileSync('hello.js'); text.length\"}"
post /executions/repl "{\"session_id\":\"$session\",\"input\":\"text.split(' ').slice(0, 4)\"}"

# A session is there again whatever became of the server.
show "kill -9 \$server"
kill -9 $server
wait $server 2>/dev/null || true
serve
post /executions/repl "{\"session_id\":\"$session\",\"input\":\"text.length\"}"

cat <<END


The server goes on at http://$listen until Ctrl-C. In another terminal:

  curl $api/executions/repl -d '{"session_id":"$session","input":"for (;;) {}"}'
  curl $api/executions/repl -d '{"session_id":"$session","input":"text.length"}'
  curl '$api/executions?session_id=$session&limit=3'
  $vm repl --module fs
  $vm image inspect --module fs
END
[ -z "${TOUR_ONCE:-}" ] || exit 0
wait $server
