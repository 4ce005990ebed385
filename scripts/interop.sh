#!/usr/bin/env bash
# A published Factom client, unchanged, against three validators: factom.js from
# the npm registry, at the version that scripts/interop/package-lock.json pins.
# Needs Node.js 18 or later with npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in node npm; do
	command -v $program >/dev/null || { echo "this needs $program; on Debian or Ubuntu: apt-get install nodejs npm" >&2; exit 1; }
done
work=$(mktemp -d)
network=''
finish() {
	local code=$?
	trap - EXIT INT TERM
	[ -z "$network" ] || { kill -TERM "$network" 2>/dev/null || true; wait "$network" 2>/dev/null || true; }
	[ $code -eq 0 ] || tail -n 20 "$work"/dev.log "$work"/net/validator-*/validator.log 2>/dev/null || true
	rm -rf "$work"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

cp scripts/interop/* "$work"
(cd "$work" && npm ci --no-audit --no-fund --silent)
CLOISTER_HOME=$work/net bin/cloister dev --validators 3 --json >"$work/dev.json" 2>"$work/dev.log" &
network=$!
until grep -q '^}' "$work/dev.json"; do
	kill -0 "$network" 2>/dev/null || { cat "$work/dev.log" >&2; exit 1; }
	sleep 0.1
done
for endpoint in $(sed -n 's/^ *"factom": "\(.*\)",\{0,1\}$/\1/p' "$work/dev.json"); do
	echo "$endpoint"
	(cd "$work" && node session.js "${endpoint%/v2}")
done
