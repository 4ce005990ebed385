package duty

import (
	"fmt"

	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/record"
)

// vouch is a voter's signature of the newest directory block, if it owes one: it
// becomes part of the next admin block, as Factom's servers sign.
func vouch(v *ledger.View, s *Self) ([]Job, error) {
	me := v.Tip().Roster.Set.ByID(s.ID())
	if me == nil || me.Role != wire.Voter {
		return nil, nil
	}
	st := v.State(record.Name)
	p, ok, err := directory.Current(st, v.Tip().Header.TimeMs)
	if err != nil || !ok || p.Closed == 0 || p.Closed < p.Height {
		return nil, err // none is closed, or the next one is about to be
	}
	height := p.Closed - 1
	signed, err := directory.Signed(st, height, me.Key)
	if err != nil || signed {
		return nil, err
	}
	tail, err := directory.LoadTail(st)
	if err != nil {
		return nil, fmt.Errorf("duty: directory block %d: %w", height, err)
	}
	return []Job{{Family: record.Name, Payload: record.SignDirectory(height, tail.Header, s.Key)}}, nil
}
