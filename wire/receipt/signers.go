package receipt

import (
	"fmt"
	"strings"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// message is what a transaction says and who signed it: the transaction itself,
// or what it carries with signatures of its own (wire.Carry).
type message struct {
	signed  []wire.Signed   // empty for a reveal: nobody is charged for it
	record  *record.Payload // of family record
	factoid *factom.Transaction
}

// read reads what a transaction says and by whom it claims to be signed; carries
// says whether the signatures are the message's own.
func read(tx *wire.Tx) (m *message, carries bool) {
	m = new(message)
	switch tx.Family {
	case record.Name:
		p, err := record.Decode(tx.Payload)
		if err != nil {
			break
		}
		m.record, carries = p, p.Kind != record.KindSign
		if p.Commit != nil {
			m.signed = []wire.Signed{p.Commit.Signed()}
		}
	case token.Name:
		t, rest, err := factom.ParseTransaction(tx.Payload)
		if err != nil || len(rest) > 0 {
			break
		}
		m.factoid, carries, m.signed = t, true, t.Signed()
	}
	if !carries {
		m.signed = []wire.Signed{{Key: tx.Payer}}
	}
	return m, carries
}

// Payer is the key whose account pays for a transaction, by what the transaction
// says: its payer, or of a message it carries the first that signs it. known is
// false for a reveal, which costs nobody anything. No signature is verified.
func Payer(tx *wire.Tx) (payer wire.PublicKey, known bool) {
	m, _ := read(tx)
	if len(m.signed) == 0 {
		return payer, false
	}
	return m.signed[0].Key, true
}

// open reads a transaction and checks every signature there is. What carries
// nothing and is not signed by its payer is refused: to ZIP-215's rules the zeros
// of such a transaction would be a signature.
func open(tx *wire.Tx) (*message, error) {
	m, carries := read(tx)
	if carries != tx.Carries() {
		return nil, wire.Faultf(wire.ErrBadSignature, "transaction %s has no signature where it needs one, or one where it must not", tx.ID())
	}
	if !carries {
		if !tx.Payer.Verify(tx.ID(), tx.Signature) {
			return nil, wire.Faultf(wire.ErrBadSignature, "the payer did not sign transaction %s", tx.ID())
		}
		return m, nil
	}
	for i := range m.signed {
		if !m.signed[i].Verify() {
			return nil, wire.Faultf(wire.ErrBadSignature, "%s did not sign the message in transaction %s", wire.FactoidAddress(wire.AccountOf(m.signed[i].Key)), tx.ID())
		}
	}
	return m, nil
}

// signers are the keys whose signatures were checked.
func (m *message) signers() []wire.PublicKey {
	keys := make([]wire.PublicKey, len(m.signed))
	for i := range m.signed {
		keys[i] = m.signed[i].Key
	}
	return keys
}

// entry is the entry that the transaction asks to write, nil if none.
func (m *message) entry() *Entry {
	if m.record == nil || m.record.Entry == nil {
		return nil
	}
	return &Entry{Chain: m.record.Entry.ChainID, Hash: m.record.Hash}
}

// commit is the payment the transaction makes, nil if none.
func (m *message) commit() *Commit {
	if m.record == nil || m.record.Commit == nil {
		return nil
	}
	c := m.record.Commit
	return &Commit{TXID: c.TXID(), Entry: c.EntryHash, Chain: c.Chain, Credits: uint64(c.Credits), TimeMs: c.TimestampMs}
}

// what says in a sentence what was signed, and by whom.
func (m *message) what(tx *wire.Tx) string {
	names := make([]string, 0, len(m.signed))
	for _, k := range m.signers() {
		names = append(names, wire.FactoidAddress(wire.AccountOf(k)))
	}
	by, id := strings.Join(names, ", "), tx.ID()
	switch {
	case m.factoid != nil:
		return fmt.Sprintf("Transaction %s carries the factoid transaction %s, which was signed by %s.", id, m.factoid.TXID(), by)
	case m.record == nil || m.record.Kind == record.KindSign:
		return fmt.Sprintf("Transaction %s of family %q was signed by %s.", id, tx.Family, by)
	case m.record.Commit == nil:
		return fmt.Sprintf("Transaction %s carries entry %s. Nobody signed it: whoever committed to the entry before paid for it.", id, m.record.Hash)
	case m.record.Entry == nil:
		return fmt.Sprintf("Transaction %s carries a commit of %d entry credits for entry %s, which was signed by %s.", id, m.record.Commit.Credits, m.record.Commit.EntryHash, by)
	}
	return fmt.Sprintf("Transaction %s carries entry %s with its commit of %d entry credits, which was signed by %s.", id, m.record.Hash, m.record.Commit.Credits, by)
}
