package agent

import (
	"context"
	"fmt"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/hardware"
)

// partSize is how much of a log one entry carries, in bytes; the rest of an
// entry's room is for its external ids.
const partSize = 10_000

// published is a log as entries of a chain.
type published struct {
	first   []byte   // makes the chain
	entries [][]byte // whose contents are the log, in order
}

// publish cuts a log into entries. The same log of the same device gives the same
// entries, so it is recorded once, however often it is shown.
func publish(device wire.Hash, log []byte) (*published, error) {
	if len(log) > hardware.MaxLog {
		return nil, wire.Faultf(wire.ErrEvidenceParts, "a log of %d bytes, at most %d can be shown", len(log), hardware.MaxLog)
	}
	name := [][]byte{[]byte("cloister"), []byte("event-log"), device[:]}
	chain := factom.ChainID(name)
	first, err := (&factom.Entry{ChainID: chain, ExtIDs: name}).Marshal()
	if err != nil {
		return nil, err
	}
	p := &published{first: first}
	for at := 0; at < len(log); at += partSize {
		e := factom.Entry{ChainID: chain, ExtIDs: [][]byte{wire.U32(uint32(at))}, Content: log[at:min(at+partSize, len(log))]}
		b, err := e.Marshal()
		if err != nil {
			return nil, err
		}
		p.entries = append(p.entries, b)
	}
	return p, nil
}

func (p *published) refs() []wire.Hash {
	out := make([]wire.Hash, len(p.entries))
	for i, e := range p.entries {
		out[i] = factom.EntryHash(e)
	}
	return out
}

// record has everybody be able to get the log: what nobody has yet is recorded.
func (a *Agent) record(ctx context.Context, p *published) error {
	var missing [][]byte
	for i, ref := range p.refs() {
		b, err := a.net.Entry(ctx, ref)
		if err != nil {
			return fmt.Errorf("looking for an event log: %w", err)
		}
		if b == nil {
			missing = append(missing, p.entries[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := a.net.Record(ctx, append([][]byte{p.first}, missing...)); err != nil {
		return fmt.Errorf("recording an event log: %w", err)
	}
	return nil
}
