package factom

import (
	"strconv"

	"cloister/wire"
	"cloister/wire/factom"
)

func appendAdminBlock(b []byte, block *Block) ([]byte, error) {
	a, err := factom.ParseAdminBlock(block.Raw)
	if err != nil {
		return nil, err
	}
	h := &a.Header
	var expansion []byte
	for _, x := range h.Expansion {
		expansion = append(factom.AppendVarInt(append(expansion, x.Type), uint64(len(x.Data))), x.Data...)
	}
	b = appendHex(b, `"ablock":{"header":{"prevbackrefhash":`, h.PrevBackRefHash[:])
	b = appendNumber(b, `,"dbheight":`, uint64(h.Height))
	b = appendNumber(b, `,"headerexpansionsize":`, uint64(len(expansion)))
	b = appendHex(b, `,"headerexpansionarea":`, expansion)
	b = appendNumber(b, `,"messagecount":`, uint64(h.MessageCount))
	b = appendNumber(b, `,"bodysize":`, uint64(h.BodySize))
	b = appendHex(b, `,"adminchainid":`, factom.AdminChain[:])
	b = appendHex(b, `,"chainid":`, factom.AdminChain[:])
	b = append(b, `},"abentries":[`...)
	for i, m := range a.Body {
		// Clients look for the type by its text, with a comma after it.
		b = appendNumber(b, comma(i)+`{"adminidtype":`, uint64(factom.AdminTypeOf(m)))
		fields := appendJSON(nil, adminFields(m))
		b = append(append(b, ','), fields[1:]...)
	}
	back, lookup := a.BackRefHash(), a.LookupHash()
	b = appendHex(b, `],"backreferencehash":`, back[:])
	return append(appendHex(b, `,"lookuphash":`, lookup[:]), '}'), nil
}

// adminFields is what is shown of a message besides its type: a struct with at
// least one field.
func adminFields(message factom.AdminMessage) any {
	switch m := message.(type) {
	case *factom.MinuteEnd:
		return struct {
			Minute uint8 `json:"minutenumber"`
		}{m.Minute}
	case *factom.BlockSignature:
		return struct {
			Identity  wire.Hash     `json:"identityadminchainid"`
			Signature signatureJSON `json:"prevdbsig"`
		}{m.Identity, signatureJSON{m.Key, m.Signature}}
	case *factom.MHash:
		return struct {
			Identity wire.Hash `json:"identitychainid"`
			Hash     wire.Hash `json:"mhash"`
		}{m.Identity, m.Hash}
	case *factom.ServerCount:
		return struct {
			Amount uint8 `json:"amount"`
		}{m.Raise}
	case *factom.ServerChange:
		return struct {
			Identity wire.Hash `json:"identitychainid"`
			Height   uint32    `json:"dbheight"`
		}{m.Identity, m.Height}
	case *factom.SigningKey:
		return struct {
			Identity wire.Hash      `json:"identitychainid"`
			Priority uint8          `json:"keypriority"`
			Key      wire.PublicKey `json:"publickey"`
			Height   uint32         `json:"dbheight"`
		}{m.Identity, m.Priority, m.Key, m.Height}
	case *factom.BitcoinKey:
		return struct {
			Identity wire.Hash `json:"identitychainid"`
			Priority uint8     `json:"keypriority"`
			Type     uint8     `json:"keytype"`
			Key      wire.Hex  `json:"ecdsapublickey"`
		}{m.Identity, m.Priority, m.Script, m.Hash160[:]}
	case *factom.ServerFault:
		return serverFault(m)
	case *factom.CoinbaseDescriptor:
		return struct {
			Outputs []sumJSON `json:"Outputs"` // sic
		}{sums(m.Outputs)}
	case *factom.CoinbaseCancel:
		return struct {
			Height uint64 `json:"descriptor_height"`
			Index  uint64 `json:"descriptor_index"`
		}{m.Height, m.Index}
	case *factom.PayoutAddress:
		return struct {
			Identity wire.Hash `json:"identitychainid"`
			Address  string    `json:"factoidaddress"`
		}{m.Identity, factoidText(m.Address)}
	case *factom.Efficiency:
		return struct {
			Identity   wire.Hash `json:"identitychainid"`
			Efficiency uint16    `json:"efficiency"`
		}{m.Identity, m.Efficiency}
	case *factom.UnknownMessage:
		return struct {
			Size int      `json:"size"`
			Data wire.Hex `json:"data"`
		}{len(m.Data), m.Data}
	}
	panic("factom: an admin message of a type that the parser does not give")
}

type signatureJSON struct {
	Key       wire.PublicKey `json:"pub"`
	Signature wire.Signature `json:"sig"`
}

// serverFault gives the time as text, in milliseconds: clients expect a string.
func serverFault(m *factom.ServerFault) any {
	signatures := []signatureJSON{}
	for _, s := range m.Signatures {
		signatures = append(signatures, signatureJSON(s))
	}
	return struct {
		Time       string          `json:"timestamp"`
		Faulted    wire.Hash       `json:"serverid"`
		Promoted   wire.Hash       `json:"auditserverid"`
		List       uint8           `json:"vmindex"`
		Height     uint32          `json:"dbheight"`
		ListHeight uint32          `json:"height"`
		Signatures []signatureJSON `json:"signaturelist"`
	}{strconv.FormatUint(m.TimestampMs, 10), m.Faulted, m.Promoted, m.ListIndex, m.Height, m.ListHeight, signatures}
}

type sumJSON struct {
	Amount  uint64    `json:"amount"`
	Address wire.Hash `json:"address"`
	Text    string    `json:"useraddress"`
}

func sums(list []factom.TransAddress) []sumJSON {
	shown := []sumJSON{}
	for _, a := range list {
		shown = append(shown, sumJSON{a.Amount, a.Address, factoidText(a.Address)})
	}
	return shown
}
