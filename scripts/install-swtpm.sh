#!/bin/sh
# usage: install-swtpm.sh: makes sure that a software TPM is there, on which the
# tests of TPM hardware run. Nothing is done where it is; root on Debian and
# Ubuntu gets it installed; everybody else is told what to install (exit 1).
set -eu

present() {
	command -v swtpm >/dev/null 2>&1 && command -v swtpm_setup >/dev/null 2>&1 && command -v swtpm_localca >/dev/null 2>&1
}

advice() {
	cat >&2 <<-'END'
		The tests of TPM hardware need a software TPM: swtpm, swtpm_setup and swtpm_localca on PATH. Install it and run make again:
		  Debian, Ubuntu  sudo apt-get update && sudo apt-get install -y --no-install-recommends swtpm swtpm-tools
		  Fedora          sudo dnf install -y swtpm swtpm-tools
		  Arch            sudo pacman -S swtpm
		  macOS           brew install swtpm
	END
	exit 1
}

present && exit 0
[ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || advice

echo "installing swtpm and swtpm-tools with apt-get: the tests of TPM hardware run on them"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends swtpm swtpm-tools >/dev/null || advice
present || advice
