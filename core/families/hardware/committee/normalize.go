package committee

import (
	"fmt"
	"math/bits"

	"cloister/wire"
)

// Row is a device's credit.
type Row struct {
	ID      wire.Hash
	Balance uint64
}

// Normalize scales balances, in place, so that they sum to target (Params.Cap)
// exactly and keep their ratios: each gets floor(balance×target/total), and the
// units that rounding leaves go one each to the rows with the largest remainders,
// of equal ones to the lowest ids. It reports whether it changed anything; a
// total of at most target stays as it is. When to call it, Params.Inflated says.
//
// rows are all devices of whatever status, ascending by id; their sum is at most
// MaxCredit. Specification §9.
func Normalize(rows []Row, target uint64) (changed bool) {
	total := sum(rows)
	if total <= target {
		return false
	}
	remainders := make([]uint64, len(rows))
	left := target
	for i := range rows {
		// A balance is at most the total, so the quotient is at most target.
		hi, lo := bits.Mul64(rows[i].Balance, target)
		rows[i].Balance, remainders[i] = bits.Div64(hi, lo, total)
		left -= rows[i].Balance
	}
	if left == 0 {
		return true
	}
	least, of := nthLargest(remainders, left)
	for i, r := range remainders {
		switch {
		case r > least:
			rows[i].Balance++
		case r == least && of > 0: // ascending ids: the lowest come first
			rows[i].Balance++
			of--
		}
	}
	return true
}

// sum is the total of all rows; it panics if state is not what it must be.
func sum(rows []Row) (total uint64) {
	for i := range rows {
		if i > 0 && compare(rows[i-1].ID, rows[i].ID) >= 0 {
			panic(fmt.Sprintf("committee: row %s does not ascend", rows[i].ID))
		}
		if rows[i].Balance > MaxCredit-total {
			panic(fmt.Sprintf("committee: credit exceeds %d at row %s", uint64(MaxCredit), rows[i].ID))
		}
		total += rows[i].Balance
	}
	return total
}

// nthLargest finds the n-th largest of values, 1 ≤ n ≤ len(values), and how many
// of the n largest equal it. It settles one byte after the other, highest
// first, so it is linear for any values: with a pivot, whoever chooses balances
// could make it quadratic.
func nthLargest(values []uint64, n uint64) (v, equal uint64) {
	candidates := values
	for shift := 56; shift >= 0; shift -= 8 {
		var count [256]uint64
		for _, c := range candidates {
			count[byte(c>>shift)]++
		}
		digit := 255
		for ; n > count[digit]; digit-- {
			n -= count[digit]
		}
		v |= uint64(digit) << shift
		if count[digit] == uint64(len(candidates)) {
			continue
		}
		narrowed := make([]uint64, 0, count[digit])
		for _, c := range candidates {
			if byte(c>>shift) == byte(digit) {
				narrowed = append(narrowed, c)
			}
		}
		candidates = narrowed
	}
	return v, n
}
