package scan

import (
	"errors"
	"fmt"
)

// FindingCode names what was found. Codes are stable; sentences are for people.
type FindingCode string

// Faults end a candidate at the height before.
const (
	NotGenesis      FindingCode = "not-genesis"      // its headers do not end in the genesis block
	BadHeader       FindingCode = "bad-header"       // heights, times or networks of its headers do not follow
	Rewritten       FindingCode = "rewritten"        // it has another block than the one validated before
	BrokenLink      FindingCode = "broken-link"      // a block does not name the one before
	WrongPlace      FindingCode = "wrong-place"      // a block says another height or chain than it stands at
	Unsigned        FindingCode = "unsigned"         // no majority signed it
	AdminRefused    FindingCode = "admin-refused"    // admin messages that no rules allow
	CoinbaseRefused FindingCode = "coinbase-refused" // not what was promised, or not at its time
	OutsideWindow   FindingCode = "outside-window"   // a commit or transaction of another time
	Repeated        FindingCode = "repeated"         // a commit or transaction recorded twice
	BadSignature    FindingCode = "bad-signature"    // a commit or transaction its payer did not sign
	FeeTooLow       FindingCode = "fee-too-low"      // inputs do not cover outputs and fee
	BadIncrease     FindingCode = "bad-increase"     // credits that were not bought
	NotPaid         FindingCode = "not-paid"         // an entry without an unused commit that covers it
	ForgedChain     FindingCode = "forged-chain"     // a first entry that breaks the rule of first entries
	WrongChain      FindingCode = "wrong-chain"      // an entry of another chain than its block's
	Overdraft       FindingCode = "overdraft"        // a balance does not suffice; a note unless money is closed
	ForgedAnchor    FindingCode = "forged-anchor"    // an allowed key anchored another block
	TooMuch         FindingCode = "too-much"         // beyond the bounds of this package
	Missing         FindingCode = "missing"          // no peer has an object, or none that hashes to its key
	Fork            FindingCode = "fork"             // signatures and anchors speak for two chains
	Undecided       FindingCode = "undecided"        // candidates differ where nothing speaks for either
	Conflict        FindingCode = "double-signed"    // majorities signed two chains, anchors speak for one
	NoHead          FindingCode = "no-head"          // no peer proposed a head that could be followed
)

// Notes change no grade.
const (
	RateChanged      FindingCode = "rate-changed"       // the price of an entry credit
	ServersChanged   FindingCode = "servers-changed"    // who signs
	OutsideMoney     FindingCode = "outside-money"      // a balance that the data layer alone does not explain
	VoidSignature    FindingCode = "void-signature"     // a signature of a directory block that does not hold, or counted already
	ForeignSignature FindingCode = "foreign-signature"  // a signature of who was no server of that block, or by another key
	SignedThrough    FindingCode = "signed-through"     // no majority signed it, one signed a later block
	CancelUnknown    FindingCode = "cancel-unknown"     // a cancel of what was not promised
	AnchorGap        FindingCode = "anchor-gap"         // blocks without an anchor
	NoBitcoin        FindingCode = "bitcoin-unanswered" // anchors could not be read
)

// Finding is something found. It is a fault or a note by where it stands.
type Finding struct {
	Code   FindingCode `json:"code"`
	Height uint32      `json:"height"` // of the directory block, the first of many
	Text   string      `json:"text"`   // of the first
	// Count is how many of the code there are in the candidate.
	Count uint64 `json:"count"`

	placed bool // Height is set
}

// Error implements error: a fault on its way out of the rules.
func (f *Finding) Error() string {
	return fmt.Sprintf("directory block %d: %s (%s)", f.Height, f.Text, f.Code)
}

// broken is a fault of a rule that knows its height from where it is called.
func broken(code FindingCode, format string, args ...any) error {
	return &Finding{Code: code, Text: fmt.Sprintf(format, args...), Count: 1}
}

// at gives a fault its height unless it has one. Errors that are no faults stay as
// they are.
func at(height uint32, err error) error {
	f := (*Finding)(nil)
	if !errors.As(err, &f) {
		return err
	}
	if !f.placed {
		f.Height, f.placed = height, true
	}
	return f
}

// notes collects notes, one finding per code: a hostile chain makes no more.
type notes struct{ list []Finding }

func (n *notes) add(code FindingCode, height uint32, format string, args ...any) {
	for i := range n.list {
		if n.list[i].Code == code {
			n.list[i].Count++
			return
		}
	}
	n.list = append(n.list, Finding{Code: code, Height: height, Text: fmt.Sprintf(format, args...), Count: 1})
}
