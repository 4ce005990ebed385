package factom

import (
	"encoding/binary"

	"cloister/wire/factom"
)

func appendCreditBlock(b []byte, block *Block) ([]byte, error) {
	e, err := factom.ParseECBlock(block.Raw)
	if err != nil {
		return nil, err
	}
	h := &e.Header
	b = appendHex(b, `"ecblock":{"header":{"bodyhash":`, h.BodyHash[:])
	b = appendHex(b, `,"prevheaderhash":`, h.PrevHeaderHash[:])
	b = appendHex(b, `,"prevfullhash":`, h.PrevFullHash[:])
	b = appendNumber(b, `,"dbheight":`, uint64(h.Height))
	b = appendHex(b, `,"headerexpansionarea":`, h.Expansion)
	b = appendNumber(b, `,"objectcount":`, h.ObjectCount)
	b = appendNumber(b, `,"bodysize":`, h.BodySize)
	b = appendHex(b, `,"chainid":`, factom.EntryCreditChain[:])
	b = appendHex(b, `,"ecchainid":`, factom.EntryCreditChain[:])
	b = append(b, `},"body":{"entries":[`...)
	minute := uint8(1)
	for _, x := range e.Body {
		for ; minute < x.Minute; minute++ {
			b = append(appendMinute(b, minute), ',')
		}
		b = append(appendCreditObject(b, x.Object), ',')
	}
	for ; minute < factom.Minutes; minute++ {
		b = append(appendMinute(b, minute), ',')
	}
	header, full := e.HeaderHash(), e.FullHash()
	b = appendHex(append(appendMinute(b, factom.Minutes), `]},"headerhash":`...), "", header[:])
	return append(appendHex(b, `,"fullhash":`, full[:]), '}'), nil
}

func appendMinute(b []byte, minute uint8) []byte {
	return append(appendNumber(b, `{"number":`, uint64(minute)), '}')
}

// appendCreditObject appends an object; clients know its kind by the names of
// its members.
func appendCreditObject(b []byte, o factom.ECObject) []byte {
	switch {
	case o.Commit != nil:
		return appendCommit(b, o.Commit)
	case o.Increase != nil:
		i := o.Increase
		b = appendHex(b, `{"ecpubkey":`, i.Key[:])
		b = appendHex(b, `,"txid":`, i.TXID[:])
		b = appendNumber(b, `,"index":`, i.Index)
		return append(appendNumber(b, `,"numec":`, i.Credits), '}')
	}
	return append(appendNumber(b, `{"serverindexnumber":`, uint64(o.Number)), '}')
}

func appendCommit(b []byte, k *factom.Commit) []byte {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], k.TimestampMs)
	b = appendHex(b, `{"version":0,"millitime":`, ms[2:])
	if k.Chain {
		b = appendHex(b, `,"chainidhash":`, k.ChainIDHash[:])
		b = appendHex(b, `,"weld":`, k.Weld[:])
	}
	b = appendHex(b, `,"entryhash":`, k.EntryHash[:])
	b = appendNumber(b, `,"credits":`, uint64(k.Credits))
	b = appendHex(b, `,"ecpubkey":`, k.Payer[:])
	return append(appendHex(b, `,"sig":`, k.Signature[:]), '}')
}
