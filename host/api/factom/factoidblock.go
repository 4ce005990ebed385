package factom

import (
	"cloister/wire"
	"cloister/wire/factom"
)

func appendFactoidBlock(b []byte, block *Block) ([]byte, error) {
	f, err := factom.ParseFactoidBlock(block.Raw)
	if err != nil {
		return nil, err
	}
	h := &f.Header
	b = appendHex(b, `"fblock":{"bodymr":`, h.BodyMR[:])
	b = appendHex(b, `,"prevkeymr":`, h.PrevKeyMR[:])
	b = appendHex(b, `,"prevledgerkeymr":`, h.PrevLedgerKeyMR[:])
	b = appendNumber(b, `,"exchrate":`, h.Rate)
	b = appendNumber(b, `,"dbheight":`, uint64(h.Height))
	b = append(b, `,"transactions":[`...)
	for i, t := range f.Body {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTransaction(b, t.Transaction, h.Height)
	}
	key, ledger := f.KeyMR(), f.LedgerKeyMR()
	b = appendHex(b, `],"chainid":`, factom.FactoidChain[:])
	b = appendHex(b, `,"keymr":`, key[:])
	return append(appendHex(b, `,"ledgerkeymr":`, ledger[:]), '}'), nil
}

// appendTransaction appends a factoid transaction, its redeem conditions with
// their type byte.
func appendTransaction(b []byte, t *factom.Transaction, height uint32) []byte {
	txid := t.TXID()
	b = appendHex(b, `{"txid":`, txid[:])
	b = appendNumber(b, `,"blockheight":`, uint64(height))
	b = appendNumber(b, `,"millitimestamp":`, t.TimestampMs)
	b = appendSums(append(b, `,"inputs":`...), t.Inputs, factoidText)
	b = appendSums(append(b, `,"outputs":`...), t.Outputs, factoidText)
	b = appendSums(append(b, `,"outecs":`...), t.ECOutputs, creditText)
	b = append(b, `,"rcds":[`...)
	for i, key := range t.RCDs {
		rcd := factom.RCD1(key)
		b = appendHex(b, comma(i), rcd[:])
	}
	b = append(b, `],"sigblocks":[`...)
	for i, sig := range t.Signatures {
		b = append(appendHex(b, comma(i)+`{"signatures":[`, sig[:]), `]}`...)
	}
	return append(b, `]}`...)
}

// appendSums appends amounts with their addresses, as hex and as people know them.
func appendSums(b []byte, list []factom.TransAddress, text func(wire.Hash) string) []byte {
	b = append(b, '[')
	for i, a := range list {
		b = appendNumber(b, comma(i)+`{"amount":`, a.Amount)
		b = appendHex(b, `,"address":`, a.Address[:])
		b = append(append(append(b, `,"useraddress":"`...), text(a.Address)...), `"}`...)
	}
	return append(b, ']')
}

func factoidText(a wire.Hash) string { return wire.FactoidAddress(wire.Account(a)) }
func creditText(a wire.Hash) string  { return wire.CreditAddress(wire.PublicKey(a)) }

// comma separates elements.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}
