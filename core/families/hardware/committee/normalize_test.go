package committee

import (
	"cmp"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// rowsOf gives balances to ascending ids.
func rowsOf(balances []uint64) []Row {
	rows := make([]Row, len(balances))
	for i, b := range balances {
		binary.BigEndian.PutUint64(rows[i].ID[:], uint64(i))
		rows[i].Balance = b
	}
	return rows
}

func balancesOf(rows []Row) (balances []uint64) {
	for _, r := range rows {
		balances = append(balances, r.Balance)
	}
	return balances
}

func total(rows []Row) (sum uint64) {
	for _, r := range rows {
		sum += r.Balance
	}
	return sum
}

// The examples of specification §9.
func TestNormalizationExamples(t *testing.T) {
	ones := slices.Repeat([]uint64{1}, 13)
	for _, v := range []struct {
		cap      uint64
		in, want []uint64
	}{
		{1000, []uint64{500, 300, 200, 101}, []uint64{454, 272, 182, 92}},
		{1000, []uint64{500, 300, 200, 100}, []uint64{500, 300, 200, 100}},
		{10, []uint64{7, 7, 7}, []uint64{4, 3, 3}},
		{10, ones, append(slices.Repeat([]uint64{1}, 10), 0, 0, 0)},
		{10, nil, nil},
		{1, []uint64{0, MaxCredit, 0}, []uint64{0, 1, 0}},
	} {
		p := Defaults()
		p.Cap = v.cap
		rows := rowsOf(v.in)
		changed := p.Inflated(total(rows)) && Normalize(rows, p.Cap)
		if got := balancesOf(rows); !slices.Equal(got, v.want) || changed == slices.Equal(v.in, v.want) {
			t.Errorf("%v with cap %d became %v (changed %v), want %v", v.in, v.cap, got, changed, v.want)
		}
	}
}

func TestThresholdIsStrictlyAboveTheLimit(t *testing.T) {
	p := Defaults()
	p.Cap = 1000
	for total, want := range map[uint64]bool{0: false, 1000: false, 1100: false, 1101: true, MaxCredit: true} {
		if got := p.Inflated(total); got != want {
			t.Errorf("total %d: %v", total, got)
		}
	}
	p.Cap, p.NormNum, p.NormDen = 1<<61, 1<<32, 1<<31 // products of 93 bits
	if p.Inflated(1<<62) || !p.Inflated(1<<62+1) {
		t.Error("the threshold is not exact for large numbers")
	}
}

// bySorting is the rule read literally, with big integers and a full sort.
func bySorting(rows []Row, target uint64) {
	sum := new(big.Int)
	for _, r := range rows {
		sum.Add(sum, new(big.Int).SetUint64(r.Balance))
	}
	type share struct {
		row       int
		remainder *big.Int
	}
	left := target
	var shares []share
	for i := range rows {
		product := new(big.Int).Mul(new(big.Int).SetUint64(rows[i].Balance), new(big.Int).SetUint64(target))
		q, r := product.QuoRem(product, sum, new(big.Int))
		rows[i].Balance = q.Uint64()
		left -= q.Uint64()
		shares = append(shares, share{i, r})
	}
	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(b.remainder.Cmp(a.remainder), compare(rows[a.row].ID, rows[b.row].ID))
	})
	for _, s := range shares[:left] {
		rows[s.row].Balance++
	}
}

// I12: every property of specification §9.
func TestNormalizationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000).Draw(t, "rows")
		// Few different balances make many equal remainders.
		largest := rapid.SampledFrom([]uint64{1, 2, 10, 1 << 20, 1 << 62}).Draw(t, "largest")
		seed := rapid.Uint64().Draw(t, "balances")
		balances := make([]uint64, n)
		for i, room := 0, uint64(MaxCredit); i < n; i++ {
			h := wire.TH("test", wire.U64(seed), wire.U32(uint32(i)))
			balances[i] = min(room, binary.BigEndian.Uint64(h[:8])%(largest+1))
			room -= balances[i]
		}
		rows := rowsOf(balances)
		sum := total(rows)
		target := rapid.OneOf(rapid.Uint64Range(1, max(1, sum)), rapid.Uint64Range(1, max(1, sum/2)), rapid.Uint64Range(1, 100)).Draw(t, "cap")

		want := rowsOf(balances)
		if sum > target {
			bySorting(want, target)
		}
		if changed := Normalize(rows, target); changed != (sum > target) {
			t.Fatalf("total %d, cap %d: changed %v", sum, target, changed)
		}
		if !slices.Equal(rows, want) {
			t.Fatal("another result than a full sort gives")
		}
		if sum <= target {
			return
		}
		if total(rows) != target {
			t.Fatalf("the sum is %d, not %d", total(rows), target)
		}
		order := make([]int, n)
		for i, r := range rows {
			order[i] = i
			// |new − b·cap/total| < 1, in whole numbers
			exact := new(big.Int).Mul(new(big.Int).SetUint64(balances[i]), new(big.Int).SetUint64(target))
			got := new(big.Int).Mul(new(big.Int).SetUint64(r.Balance), new(big.Int).SetUint64(sum))
			if off := got.Sub(got, exact); off.CmpAbs(new(big.Int).SetUint64(sum)) >= 0 {
				t.Fatalf("row %d is a whole unit off: %d became %d", i, balances[i], r.Balance)
			}
			if r.Balance > balances[i] {
				t.Fatalf("row %d grew from %d to %d", i, balances[i], r.Balance)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(balances[b], balances[a]) })
		for k := 1; k < n; k++ {
			a, b := order[k-1], order[k]
			switch {
			case rows[a].Balance < rows[b].Balance:
				t.Fatalf("%d and %d became %d and %d", balances[a], balances[b], rows[a].Balance, rows[b].Balance)
			case balances[a] == balances[b] && rows[a].Balance-rows[b].Balance > 1:
				t.Fatalf("two of %d became %d and %d", balances[a], rows[a].Balance, rows[b].Balance)
			}
		}
		again := slices.Clone(rows)
		if Normalize(again, target) || !slices.Equal(again, rows) {
			t.Fatal("a second run changes something")
		}
	})
}

func TestNthLargestIsTheSortedOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 3), rapid.Uint64Range(1<<40, 1<<40+300))
		values := rapid.SliceOfN(value, 1, 200).Draw(t, "values")
		n := rapid.IntRange(1, len(values)).Draw(t, "n")
		sorted := slices.Clone(values)
		slices.SortFunc(sorted, func(a, b uint64) int { return cmp.Compare(b, a) })
		equal := uint64(0)
		for _, v := range sorted[:n] {
			if v == sorted[n-1] {
				equal++
			}
		}
		before := slices.Clone(values)
		v, got := nthLargest(values, uint64(n))
		if v != sorted[n-1] || got != equal {
			t.Fatalf("%d, %d times; want %d, %d times", v, got, sorted[n-1], equal)
		}
		if !slices.Equal(values, before) {
			t.Fatal("the remainders lost their order")
		}
	})
}

func TestNormalizePanicsOnBrokenState(t *testing.T) {
	rows := rowsOf([]uint64{5, 6})
	rows[0], rows[1] = rows[1], rows[0]
	for name, broken := range map[string][]Row{
		"descending ids":  rows,
		"an id twice":     {rows[0], rows[0]},
		"too much credit": rowsOf([]uint64{MaxCredit, 1}),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Normalize(broken, 1)
		}()
	}
}

func benchmarkNormalize(b *testing.B, n int, balance func(i int) uint64) {
	balances := make([]uint64, n)
	for i := range balances {
		balances[i] = balance(i)
	}
	rows := rowsOf(balances)
	target := total(rows) / 111 * 100
	work := make([]Row, n)
	for b.Loop() {
		copy(work, rows)
		Normalize(work, target)
	}
}

func spread(i int) uint64 {
	h := wire.TH("bench", wire.U64(uint64(i)))
	return binary.BigEndian.Uint64(h[:8]) >> 24
}

func BenchmarkNormalize100k(b *testing.B) { benchmarkNormalize(b, 100_000, spread) }

func BenchmarkNormalize1M(b *testing.B) { benchmarkNormalize(b, 1_000_000, spread) }

// All remainders equal: the worst for a selection that narrows down.
func BenchmarkNormalize100kEqual(b *testing.B) {
	benchmarkNormalize(b, 100_000, func(int) uint64 { return 1_000_000_007 })
}
