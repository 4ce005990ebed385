#!/bin/sh
# usage: go-version.sh GO MINIMUM: succeeds if the Go command is new enough,
# and otherwise says exactly what to install.
set -eu
go=$1 minimum=$2

advice() {
	echo "$1" >&2
	echo "Install Go $minimum or newer from https://go.dev/dl/ (unpack it to /usr/local and put /usr/local/go/bin on PATH), then run make again." >&2
	exit 1
}

command -v "$go" >/dev/null 2>&1 || advice "Cloister is built with Go, and no '$go' command was found."
# GOVERSION is go1.26.8, or "devel go1.27-abcdef ..." for a Go built from source.
have=$("$go" env GOVERSION | sed -n 's/.*go\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
need=$(echo "$minimum" | tr . ' ')
set -- $have $need
[ $# -eq 4 ] || advice "The version of '$go' could not be read."
if [ "$1" -lt "$3" ] || { [ "$1" -eq "$3" ] && [ "$2" -lt "$4" ]; }; then
	advice "Cloister needs Go $minimum; '$go' is $1.$2."
fi
