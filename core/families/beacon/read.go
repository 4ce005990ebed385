package beacon

import (
	"cloister/core/ledger"
	"cloister/wire/beacon"
)

// Newest is the newest value; nil before the first round is over. st is the
// state of family beacon, whoever reads it.
func Newest(st ledger.State) (*beacon.Value, error) { return beacon.Newest(st.Get) }

// At is the value of a round, nil if it is not one of the last beacon.Kept.
func At(st ledger.State, round uint64) (*beacon.Value, error) { return beacon.At(st.Get, round) }

// FinalAt is the newest value that was known after the block of a height, nil if
// there was none or it is not kept any more. A rule that must not depend on what
// a later block could choose asks for a height that is over.
func FinalAt(st ledger.State, height uint64) (*beacon.Value, error) {
	return beacon.FinalAt(st.Get, height)
}
