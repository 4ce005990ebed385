#!/usr/bin/env bash
# The guided tour: a real network of three validators in processes of their own,
# from nothing to a receipt verified offline. Each step says what it proved; the
# first check that does not hold ends the tour with an error. No process and no
# file is left behind.
#
#   scripts/demo.sh            run by `make demo`, which builds first
#   DEMO_TREE=folder           notarize this instead of Go's own source
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cloister=$PWD/bin/cloister
tree=${DEMO_TREE:-$(go env GOROOT)/src}
work=$(mktemp -d)
export CLOISTER_HOME=$work/net
unset CLOISTER_ENDPOINTS CLOISTER_GENESIS CLOISTER_KEY CLOISTER_PASSPHRASE
network='' # process id of `cloister dev`
started=$SECONDS

finish() {
	local code=$?
	trap - EXIT INT TERM
	stop_network || true
	if [ $code -ne 0 ]; then
		echo
		echo "The tour ended at a check that did not hold (exit $code). What the network said:"
		tail -n 5 "$work"/dev.log "$work"/net/validator-*/validator.log 2>/dev/null || true
	fi
	rm -rf "$work"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
proved() { printf '  proved: %s\n' "$1"; }
broken() { printf '  BROKEN: %s\n' "$1" >&2; exit 1; }

# field NAME: the first value of that name in the JSON on standard input.
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }

# refused CODE COMMAND...: the command must end with that exit code.
refused() {
	local want=$1 got=0
	shift
	"$@" >"$work/out" 2>"$work/err" || got=$?
	[ "$got" -eq "$want" ] || { cat "$work/err" >&2; broken "'${*/#$cloister/cloister}' ended with exit code $got, not $want"; }
}

# family PID: the process and everything it started.
family() {
	echo "$1"
	local child
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null || ps -e -o pid= -o ppid= | awk -v p="$1" '$2 == p {print $1}'); do
		family "$child"
	done
}

start_network() {
	"$cloister" dev --validators 3 --json >"$work/dev.json" 2>"$work/dev.log" &
	network=$!
	until grep -q '^}' "$work/dev.json"; do
		kill -0 "$network" 2>/dev/null || { cat "$work/dev.log" >&2; broken "the network did not start"; }
		sleep 0.1
	done
}

stop_network() {
	[ -n "$network" ] || return 0
	local pid pids left=''
	pids=$(family "$network")
	kill -TERM "$network" 2>/dev/null || true
	wait "$network" 2>/dev/null || true
	network=''
	for pid in $pids; do
		# A core ends within a second of its host.
		for _ in $(seq 30); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
		kill -0 "$pid" 2>/dev/null && left="$left $pid"
	done
	[ -z "$left" ] || { kill -KILL $left 2>/dev/null; echo "processes$left had to be killed" >&2; return 1; }
}

step "1. Three validators, each a host and a trusted core in processes of their own"
start_network
chain=$("$cloister" genesis show --json | field chain_id)
count=$(family "$network" | wc -l)
[ "$count" -ge 7 ] || broken "only $count processes run"
"$cloister" node status >"$work/status"
grep -E "^(host|consensus)" "$work/status" | sed "s/^/  /"
grep "^NOTE" "$work/status" | sort -u | sed "s/^/  /"
proved "$count processes serve chain $chain"

step "2. Each core has shown the ledger what it runs on"
# A core makes its evidence, and the ledger judges it, in the first seconds.
for _ in $(seq 300); do
	"$cloister" node list --json >"$work/nodes.json"
	[ "$(grep -c '"standing_name": "OK"' "$work/nodes.json")" -eq 3 ] && break
	sleep 0.1
done
"$cloister" node list | sed 's/^/  /'
[ "$(grep -c '"standing_name": "OK"' "$work/nodes.json")" -eq 3 ] || broken "not every core is registered"
proved "three cores run the one approved program, on machines of two (simulated) makers"
"$cloister" evidence example "$work/example" >/dev/null
"$cloister" evidence verify "$work/example/snp.report" --cert "$work/example/snp.vcek" --at 2026-06-20 >"$work/verdict" 2>&1 || broken "the example is not verified"
grep -E '^ +held|^VERDICT' "$work/verdict" | sed 's/^ */  /'
proved "a report of a real AMD machine verifies offline, by the same rules"

step "3. An account buys entry credits"
before=$("$cloister" token balance --json | field credits)
"$cloister" token buy-credits 25000 | sed 's/^/  /'
after=$("$cloister" token balance --json | field credits)
[ "$after" -eq $((before + 25000)) ] || broken "credits went from $before to $after"
proved "the balance, $after credits, is in state that a majority sealed"

step "4. A document's hash becomes an entry, and its receipt stands alone"
"$cloister" chain create demo-journal "documents of the tour" -q >/dev/null
printf 'We, the undersigned, agree.\n' >"$work/contract.txt"
digest=$(sha256sum "$work/contract.txt" 2>/dev/null || shasum -a 256 "$work/contract.txt")
tx=$("$cloister" entry add demo-journal "${digest%% *}" --ext-id contract.txt -q)
"$cloister" receipt get "$tx" --file "$work/contract.receipt" | sed 's/^/  /'
proved "transaction $tx is recorded and executed"

step "5. A whole source tree is notarized: $tree"
files=$(find "$tree" \( -type f -o -type l \) | wc -l | tr -d ' ')
begun=$SECONDS
"$cloister" notarize "$tree" --chain demo-source --json >"$work/notarized.json"
recorded=$(field recorded <"$work/notarized.json")
[ "$recorded" -eq "$files" ] || broken "$files files, $recorded records"
proved "$recorded files recorded in $((SECONDS - begun)) s, each in state that a majority sealed"
"$cloister" notarize "$tree" --chain demo-source --json >"$work/again.json"
[ "$(field recorded <"$work/again.json")" -eq 0 ] || broken "a second run recorded files again"
proved "a second run finds nothing left to record"

step "6. One byte changes in a copy, and exactly that file is found"
cp -RP "$tree" "$work/copy"
"$cloister" notarize verify "$work/copy" --chain demo-source --json >"$work/clean.json"
[ "$(field matched <"$work/clean.json")" -eq "$files" ] || broken "the untouched copy differs"
proved "an untouched copy matches in all $files files"
victim=$(cd "$work/copy" && find . -type f -size +1k | LC_ALL=C sort | sed -n '7p')
chmod u+w "$work/copy/$victim"
original=$(head -c 1 "$work/copy/$victim")
[ "$original" = X ] && other=Y || other=X
printf '%s' "$other" | dd of="$work/copy/$victim" bs=1 count=1 conv=notrunc 2>/dev/null
refused 6 "$cloister" notarize verify "$work/copy" --chain demo-source --receipts "$work/evidence"
sed 's/^/  /' "$work/out"
[ "$(grep -c '^changed ' "$work/out")" -eq 1 ] || broken "not exactly one file is listed as changed"
grep -q "^changed *${victim#./}\$" "$work/out" || broken "the changed file, $victim, is not the one listed"
[ "$(grep -cE '^(missing|new|unreadable) ' "$work/out" || true)" -eq 0 ] || broken "other files are listed"
evidence=$(ls "$work"/evidence/*.receipt)
proved "of $files files, $victim alone differs, and its receipt says since when"

step "7. The network stops; receipts are verified offline"
height=$("$cloister" block show --json | field height)
stop_network || broken "the network left processes behind"
refused 5 "$cloister" node status
proved "nothing of the network runs"
for file in "$work/contract.receipt" "$evidence"; do
	"$cloister" receipt verify "$file" | sed 's/^/  /'
done
proved "both receipts hold against the genesis file alone"
# The last hex digit inside the transaction changes: a forged receipt.
sed 's/\("tx": "[0-9a-f]*\)\([0-9a-f]\)"/\1\2!"/; s/0!"/1"/; s/[1-9a-f]!"/0"/' "$work/contract.receipt" >"$work/forged.receipt"
cmp -s "$work/contract.receipt" "$work/forged.receipt" && broken "the forgery changed nothing"
refused 6 "$cloister" receipt verify "$work/forged.receipt"
proved "a receipt with one digit changed is refused: $(sed -n 's/^  code: //p' "$work/err")"

step "8. The network starts again from its disks, and the ledger continues"
start_network
again=$("$cloister" block show --json | field height)
[ "$again" -ge "$height" ] || broken "the ledger was at block $height and is at block $again"
[ "$("$cloister" genesis show --json | field chain_id)" = "$chain" ] || broken "it is another chain"
"$cloister" entry add demo-journal "written after the restart" -q >/dev/null
later=$("$cloister" block show --json | field height)
[ "$later" -gt "$height" ] || broken "no block came after block $height"
refused 6 "$cloister" notarize verify "$work/copy" --chain demo-source
"$cloister" chain show demo-journal --json >"$work/journal.json"
[ "$(field entries <"$work/journal.json")" -eq 3 ] || broken "the journal has not its three entries"
proved "block $height was the last before, block $later came after, and nothing is lost"

step "9. Three machines with TPMs join, one changes, and one is copied"
if command -v swtpm >/dev/null && command -v swtpm_setup >/dev/null; then
	go run ./scenario/tpmtour --cloister "$cloister" --home "$CLOISTER_HOME" || broken "see above"
else
	echo "  left out: the software TPM is not installed (Debian: apt-get install swtpm swtpm-tools)"
fi

step "10. The network stops"
stop_network || broken "the network left processes behind"
proved "no process is left"

step "11. An entry leads to a header of Bitcoin, and a reorganisation changes that"
go run ./scenario/bitcointour --cloister "$cloister" 2>"$work/tour" || { cat "$work/tour" >&2; broken "see above"; }

printf '\nEvery check held, in %d s. What is simulated: the hardware under the cores, whose\nmakers and machines are programs; it shows how trust works and protects nothing.\nThe Bitcoin node is a real one (btcd), on a chain for tests.\n' $((SECONDS - started))
printf "To keep a network running: 'bin/cloister dev'.\n"
