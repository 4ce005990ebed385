package verifier

import (
	"fmt"

	"cloister/wire/factom"
	"cloister/wire/hardware"
)

// log puts a log together. found is false while an entry is missing. An error says
// that what it refers to is not the log: no other bytes have those hashes, so
// nobody will find it.
func (a *attempt) log(l *hardware.Log) (b []byte, found bool, err error) {
	if len(l.Refs) == 0 {
		return append([]byte(nil), l.Inline...), true, nil
	}
	found = true
	for _, ref := range l.Refs {
		raw, ok := a.entries(ref)
		if !ok || len(raw) > factom.MaxEntry || factom.EntryHash(raw) != ref {
			a.need(ref)
			found = false
			continue
		}
		e, err := factom.ParseEntry(raw)
		if err != nil {
			return nil, false, err
		}
		b = append(b, e.Content...)
		if len(b) > hardware.MaxLog {
			return nil, false, fmt.Errorf("verifier: a log of more than %d bytes", hardware.MaxLog)
		}
	}
	if !found {
		return nil, false, nil
	}
	if got := hardware.LogOf(b); got.Size != l.Size || got.Digest != l.Digest {
		return nil, false, fmt.Errorf("verifier: entries of %d bytes, the log is of %d bytes with digest %s", got.Size, l.Size, l.Digest)
	}
	return b, true, nil
}
