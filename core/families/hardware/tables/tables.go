package tables

import (
	"bytes"
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
)

// Revision rises with every change of the tables, so that whoever decided
// something from them knows when to decide again.
func Revision(st ledger.State) (uint64, error) {
	s, err := summary(st)
	return s.Revision, err
}

// Testnet reports whether simulated hardware may be trusted.
func Testnet(st ledger.State) (bool, error) {
	s, err := summary(st)
	return s.Testnet, err
}

// Mandatory lists the components that evidence of a whole machine must show and
// that always keep a version in force, ascending.
func Mandatory(st ledger.State) ([]trust.Component, error) {
	s, err := summary(st)
	return s.Mandatory, err
}

func summary(st ledger.State) (trust.Summary, error) {
	s, ok, err := ledger.Load[trust.Summary](st, trust.SummaryKey)
	if err == nil && !ok {
		err = fmt.Errorf("hardware: no summary of the tables in state")
	}
	return s, err
}

// change loads the summary, lets do work on it, and saves it as the next
// revision if that succeeds.
func change(st ledger.State, do func(s *trust.Summary) error) error {
	s, err := summary(st)
	if err != nil {
		return err
	}
	if err := do(&s); err != nil {
		return err
	}
	s.Revision++
	return ledger.Save(st, trust.SummaryKey, s)
}

// put saves a value that may be larger than ledger.Save takes.
func put(st ledger.State, key []byte, v any) error { return st.Set(key, wire.Marshal(v)) }

// ids loads a list of ids, empty if there is none.
func ids(st ledger.State, key []byte) ([]wire.Hash, error) {
	l, _, err := ledger.Load[trust.IDs](st, key)
	return l.List, err
}

// addID puts an id into a list of at most limit. It carries ErrTrustFull.
func addID(st ledger.State, key []byte, id wire.Hash, limit int, what string) error {
	list, err := ids(st, key)
	if err != nil {
		return err
	}
	if len(list) >= limit {
		return wire.Faultf(wire.ErrTrustFull, "%d %s", limit, what)
	}
	at, found := slices.BinarySearchFunc(list, id, compare)
	if found {
		return nil
	}
	return put(st, key, trust.IDs{List: slices.Insert(slices.Clone(list), at, id)})
}

func compare(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) }
