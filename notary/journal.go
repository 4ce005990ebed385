package notary

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"cloister/wire"
	"cloister/wire/record"
)

// Journal keeps the transactions of a run from before they are sent until the run
// has succeeded. Whoever is interrupted cannot know which of them arrived; sent
// again as they were they count once, made anew they would be paid twice. It
// belongs to one chain and signer, and to one process at a time.
//
// The file is text: a line that says whose it is, then one transaction a line in
// base64. A last line without its end was never sent.
type Journal struct {
	chain  wire.Hash
	signer wire.PublicKey
	file   *os.File
	size   int64 // of what is whole
}

const (
	journalFormat = "notarize-journal/v1"
	maxLine       = 4 * wire.MaxTx / 3 // and a little: no transaction is that large
	// MaxJournal bounds the transactions of a journal.
	MaxJournal = 1 << 22
)

// OpenJournal opens the journal of a chain's records by a signer, or makes one.
// Errors carry ErrBadRequest: another process has it, it is not this one's, or the
// file system refuses.
func OpenJournal(name string, chain wire.Hash, signer wire.PublicKey) (*Journal, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	j := &Journal{chain: chain, signer: signer, file: f}
	if err := j.open(); err != nil {
		f.Close()
		return nil, fmt.Errorf("journal %s: %w", name, err)
	}
	return j, nil
}

func (j *Journal) open() error {
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "another process records in this chain with this key; wait for its end")
	}
	size, err := readJournal(j.file, j.chain, j.signer, func([]byte) error { return nil })
	if err != nil {
		return err
	}
	j.size = size
	if err := j.file.Truncate(size); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	return nil
}

// Close lets go of the journal and keeps it for the next run.
func (j *Journal) Close() error { return j.file.Close() }

func (j *Journal) heading() string {
	return fmt.Sprintf("%s %s %s\n", journalFormat, j.chain, j.signer)
}

// sending notes transactions, safe from a loss of power, before they are sent.
func (j *Journal) sending(txs [][]byte) error {
	if j == nil {
		return nil
	}
	var b strings.Builder
	if j.size == 0 {
		b.WriteString(j.heading())
	}
	for _, tx := range txs {
		b.WriteString(base64.RawStdEncoding.EncodeToString(tx))
		b.WriteByte('\n')
	}
	_, err := j.file.WriteAt([]byte(b.String()), j.size) // over what a failed write left
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return wire.Faultf(wire.ErrBadRequest, "journal: %v", err)
	}
	j.size += int64(b.Len())
	return nil
}

// each calls f for the transactions noted, oldest first.
func (j *Journal) each(f func(tx []byte) error) error {
	if j == nil {
		return nil
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "journal: %v", err)
	}
	_, err := readJournal(j.file, j.chain, j.signer, f)
	return err
}

// done empties the journal: everything in it is in a state that was verified.
func (j *Journal) done() error {
	if j == nil {
		return nil
	}
	j.size = 0
	if err := j.file.Truncate(0); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "journal: %v", err)
	}
	return nil
}

// readJournal calls f for each transaction of a journal and returns how many
// bytes of it are whole. Errors carry ErrBadRequest.
func readJournal(r io.Reader, chain wire.Hash, signer wire.PublicKey, f func(tx []byte) error) (whole int64, err error) {
	lines := bufio.NewReaderSize(r, 2*maxLine)
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil // without its end: never sent
		case errors.Is(err, bufio.ErrBufferFull), n > MaxJournal:
			return 0, notJournal(n+1, "it is longer than any journal's")
		case err != nil:
			return 0, wire.Faultf(wire.ErrBadRequest, "%v", err)
		}
		text := string(line[:len(line)-1])
		whole += int64(len(line))
		if n == 0 {
			if own := (&Journal{chain: chain, signer: signer}).heading(); string(line) != own {
				return 0, notJournal(1, "it does not say that this is the journal of this chain and key")
			}
			continue
		}
		tx, err := base64.RawStdEncoding.Strict().DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") {
			return 0, notJournal(n+1, "it is not base64")
		}
		if _, err := entryOf(tx, chain); err != nil {
			return 0, notJournal(n+1, err.Error())
		}
		if err := f(tx); err != nil {
			return 0, err
		}
	}
}

func notJournal(line int, why string) error {
	return wire.Faultf(wire.ErrBadRequest, "line %d: %s. Move the file away and run again; what was under way when it was written may then be paid twice", line, why)
}

// entryOf is the entry that a transaction of this package pays for and records.
func entryOf(tx []byte, chain wire.Hash) (*record.Payload, error) {
	t, err := wire.DecodeTx(tx)
	if err != nil {
		return nil, err
	}
	p, err := record.Decode(t.Payload)
	switch {
	case err != nil:
		return nil, err
	case t.Family != record.Name || !t.Carries() || p.Kind != record.KindEntryPair || p.Entry.ChainID != chain:
		return nil, wire.Faultf(wire.ErrMalformed, "it is no entry of chain %s with its commit", chain)
	}
	return p, nil
}
