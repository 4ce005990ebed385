package factom

import (
	"encoding/hex"
	"encoding/json"
	"strconv"

	"cloister/wire"
)

// failure is an answer that is an error, as factomd words it. Clients compare
// code, message and data, so they are part of the protocol (specification §15).
type failure struct {
	code    int
	message string
	data    any // nil, a string or a struct
}

func invalidParams(data any) *failure { return &failure{-32602, "Invalid params", data} }

// Every failure but those of internal.
var (
	errRequest = &failure{-32600, "Invalid Request", nil}
	errMethod  = &failure{-32601, "Method not found", nil}

	errParams      = invalidParams(nil)
	errHash        = invalidParams("Invalid Hash")
	errAddress     = invalidParams("Invalid Address")
	errEntry       = invalidParams("Invalid Entry")
	errCommitChain = invalidParams("Invalid Commit Chain")
	errCommitEntry = invalidParams("Invalid Commit Entry")
	errTransaction = invalidParams("Invalid Transaction")
	errUndecodable = invalidParams("Unable to decode the transaction")
	errAckChain    = invalidParams("ChainID must be 64 hex encoded characters")
	errAckHash     = invalidParams("Hash must be 64 hex encoded characters")
	errAckAdmin    = invalidParams("ChainID cannot be admin chain")
	errAddresses   = invalidParams("ERROR! Invalid params passed in, expected 'addresses'")

	errNoBlock   = &failure{-32008, "Block not found", nil}
	errNoEntry   = &failure{-32008, "Entry not found", nil}
	errNoObject  = &failure{-32008, "Object not found", nil}
	errChainHead = &failure{-32009, "Missing Chain Head", nil}
	errReceipt   = &failure{-32010, "Receipt creation error", nil}

	errDatabase = internal("database error")
)

func internal(data any) *failure { return &failure{-32603, "Internal error", data} }

// repeatedCommit tells a client that it has paid already. Command lines go on to
// the reveal when they read how the message starts.
func repeatedCommit(entry wire.Hash) *failure {
	return &failure{-32011, "Repeated Commit", struct {
		Info      string    `json:"info"`
		EntryHash wire.Hash `json:"entryhash"`
	}{"A commit with equal or greater payment already exists", entry}}
}

func (f *failure) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(f.code), 10)
	b = append(append(append(b, `,"message":"`...), f.message...), '"')
	if f.data != nil {
		b = appendJSON(append(b, `,"data":`...), f.data)
	}
	return append(b, '}')
}

// appendJSON appends what encoding/json makes of v. It panics if v has a type
// that cannot be encoded: a programming error, never input.
func appendJSON(b []byte, v any) []byte {
	j, err := json.Marshal(v)
	if err != nil {
		panic("factom: " + err.Error())
	}
	return append(b, j...)
}

// appendHex appends a member whose value is hex digits, with what stands before it.
func appendHex(b []byte, before string, value []byte) []byte {
	b = append(append(b, before...), '"')
	return append(hex.AppendEncode(b, value), '"')
}

// appendNumber appends a member that is a number, with what stands before it.
func appendNumber(b []byte, before string, n uint64) []byte {
	return strconv.AppendUint(append(b, before...), n, 10)
}
