package notary

import (
	"context"

	"cloister/wire"
)

// Kept is the newest record of a path and where the ledger holds it.
type Kept struct {
	Record
	Recorded
}

// History is what a chain says about a tree.
type History struct {
	Signer  wire.PublicKey // whose records count; zero if the chain has none
	Newest  map[string]Kept
	Records int // that count, older ones included
	Foreign int // records by other signers, and malformed ones

	entries map[wire.Hash]bool // all that were read
}

// ReadHistory folds a chain's verified entries to the newest record per path.
// by names the signer; the zero account means the signer of the chain's first
// record, which is whoever started to notarize there.
func ReadHistory(ctx context.Context, l Ledger, chain wire.Hash, by wire.Account) (*History, error) {
	h := newHistory()
	for e, err := range l.Entries(ctx, chain) {
		if err != nil {
			return nil, err
		}
		h.entries[e.Entry] = true
		r, isRecord, err := DecodeRecord(e.Bytes)
		if !isRecord {
			continue
		}
		if err != nil || !h.counts(r.Key, by) {
			h.Foreign++
			continue
		}
		h.Records++
		h.keep(r, e.Recorded)
	}
	return h, nil
}

func newHistory() *History {
	return &History{Newest: map[string]Kept{}, entries: map[wire.Hash]bool{}}
}

// keep takes a record for the newest of its path, if it is.
func (h *History) keep(r *Record, at Recorded) {
	if old, ok := h.Newest[r.Path]; !ok || r.AtMs > old.AtMs {
		h.Newest[r.Path] = Kept{*r, at}
	}
}

// counts decides whether a good signature by key belongs to this history, and
// settles whose history it is.
func (h *History) counts(key wire.PublicKey, by wire.Account) bool {
	if h.Signer == (wire.PublicKey{}) && (by == wire.Account{} || wire.AccountOf(key) == by) {
		h.Signer = key
	}
	return key == h.Signer
}
