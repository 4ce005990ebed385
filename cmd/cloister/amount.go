package main

import (
	"fmt"
	"strconv"
	"strings"

	"cloister/wire"
	"cloister/wire/token"
)

// decimals of a factoid: 1 factoid is 10^8 factoshis.
const decimals = 8

// oneFactoid in factoshis.
const oneFactoid = 100_000_000

// parseAmount reads factoids, such as 12 or 0.00012, and returns factoshis.
func parseAmount(s string) (uint64, error) {
	whole, part, dotted := strings.Cut(s, ".")
	if len(part) > decimals || (dotted && part == "") || whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return 0, wire.Faultf(wire.ErrBadAmount, "%q is no amount of factoids: write it like 12 or 0.00012, with at most %d decimals", clip(s), decimals)
	}
	n, err := strconv.ParseUint(whole+part+strings.Repeat("0", decimals-len(part)), 10, 64)
	if err != nil || n > token.MaxAmount {
		return 0, wire.Faultf(wire.ErrBadAmount, "%s factoids are more than there can be", clip(s))
	}
	return n, nil
}

// amount shows factoshis as factoids.
func amount(factoshis uint64) string {
	s := fmt.Sprintf("%d.%08d", factoshis/oneFactoid, factoshis%oneFactoid)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// clip shortens input that an error quotes.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
