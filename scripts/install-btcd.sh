#!/bin/sh
# usage: install-btcd.sh: builds btcd, the Bitcoin node that the tests of
# anchoring and the demo run, into .bin of the folder it is called from. The
# source comes as a Go module, held against the Go checksum database. Nothing
# is done where that version is already there.
set -eu

version=v0.26.2
bin=$PWD/.bin

if [ -x "$bin/btcd" ] && go version -m "$bin/btcd" 2>/dev/null | grep -q "btcsuite/btcd[[:space:]]$version[[:space:]]"; then
	echo "btcd $version is in $bin"
	exit 0
fi
echo "building btcd $version into $bin (about a minute)"
mkdir -p "$bin"
GOBIN=$bin CGO_ENABLED=0 go install "github.com/btcsuite/btcd@$version"
echo "btcd $version is in $bin"
