#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after another, and
# names the first that fails. Go writes the failing input to testdata/fuzz of
# the package: commit it with the fix, and every `go test` repeats it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go=${GO:-go} time=${FUZZTIME:-30s}
export CGO_ENABLED=0

# fuzz FOLDER TARGET. Go's fuzzer sometimes takes the end of its own time for a
# failure ("context deadline exceeded", and no input written): that run proves
# nothing either way and is made again.
fuzz() {
	local out try
	out=$(mktemp)
	for try in 1 2 3; do
		if "$go" test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 5x "$1" >"$out" 2>&1; then
			tail -n 1 "$out"
			rm -f "$out"
			return 0
		fi
		grep -q 'context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out" || break
	done
	cat "$out" >&2
	rm -f "$out"
	return 1
}

targets=0
while read -r dir; do
	for target in $("$go" test -list '^Fuzz' "$dir" | grep '^Fuzz' || true); do
		echo "fuzz $dir $target"
		fuzz "$dir" "$target"
		targets=$((targets + 1))
	done
done < <(grep -rl --include='*_test.go' --exclude-dir=testdata '^func Fuzz' . | xargs -r -n1 dirname | sort -u)

[ "$targets" -gt 0 ] || { echo "no fuzz target found; is this the whole source?" >&2; exit 1; }
# Every single bit of every accepted quote and report, where the tests flip one per byte.
"$go" test -timeout 1h -run 'TestNoByteOf' ./evidence/intel ./evidence/amd -args -all
echo "$targets fuzz targets ran $time each and found nothing"
