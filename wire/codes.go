package wire

import (
	"errors"
	"fmt"
	"net/http"
)

// Code is a stable number for one kind of answer. Numbers are never reused.
type Code uint32

// Info says how a code is shown to people and to protocols.
type Info struct {
	Name   string // ErrXxx, as in the specifications
	HTTP   int
	GRPC   string // Connect/gRPC code name
	Exit   int    // exit code class of the command line
	Advice string // one sentence: what to do next
}

// Exit code classes of the command line.
const (
	ExitOK       = 0
	ExitInternal = 1
	ExitUsage    = 2 // the request itself is wrong
	ExitRefused  = 3 // the ledger's rules refused it
	ExitMissing  = 4 // not there
	ExitBusy     = 5 // try again
	ExitUnproven = 6 // a proof did not hold
)

// The registry. 1xx admission, 2xx token, 3xx record, 4xx queries, 5xx proofs, 6xx evidence,
// 7xx hardware, 8xx nodes and governance, 9xx internal. Groups of a room have files of their own.
const (
	OK Code = 0

	ErrMalformed     Code = 101
	ErrTooLarge      Code = 102
	ErrWrongChain    Code = 103
	ErrExpired       Code = 104
	ErrTooFarAhead   Code = 105
	ErrReplayed      Code = 106
	ErrUnknownFamily Code = 107
	ErrBadSignature  Code = 108
	ErrBusy          Code = 109
	ErrStopping      Code = 110
	ErrNotReady      Code = 111

	ErrInsufficientFunds   Code = 201
	ErrInsufficientCredits Code = 202
	ErrBadAmount           Code = 203

	ErrUnknownChain   Code = 301
	ErrChainExists    Code = 302
	ErrEntryTooLarge  Code = 303
	ErrEntryMalformed Code = 304
	ErrWrongChainID   Code = 305

	ErrNotFound    Code = 401
	ErrBadRequest  Code = 402
	ErrUnavailable Code = 403
	ErrDeadline    Code = 404

	ErrProof         Code = 501
	ErrSealInvalid   Code = 502
	ErrNotCovered    Code = 503
	ErrForeignChain  Code = 504
	ErrKeyPassphrase Code = 505
	ErrKeyFile       Code = 506
	ErrUnknownEpoch  Code = 507

	ErrInternal Code = 901
)

var coreCodes = map[Code]Info{
	OK:               {"OK", 200, "ok", ExitOK, "nothing to do"},
	ErrMalformed:     {"ErrMalformed", 400, "invalid_argument", ExitUsage, "encode the transaction with a current client library"},
	ErrTooLarge:      {"ErrTooLarge", 413, "invalid_argument", ExitUsage, "split the data into smaller transactions"},
	ErrWrongChain:    {"ErrWrongChain", 400, "failed_precondition", ExitUsage, "sign for the chain id this network reports"},
	ErrExpired:       {"ErrExpired", 400, "failed_precondition", ExitRefused, "sign again with a later not-after time; if it was just signed, check this machine's clock"},
	ErrTooFarAhead:   {"ErrTooFarAhead", 400, "failed_precondition", ExitRefused, "choose a not-after time at most 10 minutes ahead; if it was just signed, check this machine's clock"},
	ErrReplayed:      {"ErrReplayed", 409, "already_exists", ExitRefused, "look up the transaction's status: it was recorded before"},
	ErrUnknownFamily: {"ErrUnknownFamily", 400, "unimplemented", ExitUsage, "use a family listed by the network's genesis"},
	ErrBadSignature:  {"ErrBadSignature", 400, "unauthenticated", ExitUsage, "sign the transaction's tagged hash with the payer's key"},
	ErrBusy:          {"ErrBusy", 429, "resource_exhausted", ExitBusy, "wait a moment and submit the same transaction again"},
	ErrStopping:      {"ErrStopping", 503, "unavailable", ExitBusy, "submit the same transaction to another node"},
	ErrNotReady:      {"ErrNotReady", 503, "unavailable", ExitBusy, "wait until the node reports ready"},

	ErrInsufficientFunds:   {"ErrInsufficientFunds", 402, "failed_precondition", ExitRefused, "fund the account, or send less; the fee is counted too"},
	ErrInsufficientCredits: {"ErrInsufficientCredits", 402, "failed_precondition", ExitRefused, "buy entry credits for the payer first"},
	ErrBadAmount:           {"ErrBadAmount", 400, "invalid_argument", ExitUsage, "give amounts above zero that do not overflow"},

	ErrUnknownChain:   {"ErrUnknownChain", 404, "not_found", ExitMissing, "create the chain first, or check its id"},
	ErrChainExists:    {"ErrChainExists", 409, "already_exists", ExitRefused, "add entries to the existing chain, or choose another name"},
	ErrEntryTooLarge:  {"ErrEntryTooLarge", 413, "invalid_argument", ExitUsage, "keep external ids plus content within 10240 bytes; record a hash of larger data"},
	ErrEntryMalformed: {"ErrEntryMalformed", 400, "invalid_argument", ExitUsage, "check the entry's version byte and the lengths in its external id area"},
	ErrWrongChainID:   {"ErrWrongChainID", 400, "invalid_argument", ExitUsage, "derive the chain id from the first entry's external ids"},

	ErrNotFound:    {"ErrNotFound", 404, "not_found", ExitMissing, "check the identifier, or ask again once it is recorded"},
	ErrBadRequest:  {"ErrBadRequest", 400, "invalid_argument", ExitUsage, "correct the request as the message says"},
	ErrUnavailable: {"ErrUnavailable", 503, "unavailable", ExitBusy, "start the node, or use another one"},
	ErrDeadline:    {"ErrDeadline", 504, "deadline_exceeded", ExitBusy, "ask for the transaction's status: it may still be recorded"},

	ErrProof:         {"ErrProof", 422, "data_loss", ExitUnproven, "do not rely on this; fetch the proof again from another node"},
	ErrSealInvalid:   {"ErrSealInvalid", 422, "data_loss", ExitUnproven, "do not rely on this; fetch the proof again from another node"},
	ErrNotCovered:    {"ErrNotCovered", 409, "failed_precondition", ExitBusy, "ask again after the next block is sealed"},
	ErrForeignChain:  {"ErrForeignChain", 422, "failed_precondition", ExitUnproven, "use the genesis file of the chain the proof is from"},
	ErrKeyPassphrase: {"ErrKeyPassphrase", 400, "unauthenticated", ExitUsage, "give the passphrase the key file was made with"},
	ErrKeyFile:       {"ErrKeyFile", 400, "invalid_argument", ExitUsage, "use a key file made by 'cloister keys new'"},
	ErrUnknownEpoch:  {"ErrUnknownEpoch", 422, "failed_precondition", ExitUnproven, "have the handovers between member sets verified first; every host serves them"},

	ErrInternal: {"ErrInternal", 500, "internal", ExitInternal, "report this with the node's log; the ledger is unchanged"},
}

// registry is all of them.
var registry = joined(coreCodes, factomCodes, evidenceCodes, hardwareCodes, nodeCodes, trustCodes)

func joined(groups ...map[Code]Info) map[Code]Info {
	all := map[Code]Info{}
	for _, g := range groups {
		for code, info := range g { //deterministic: a set is collected
			if _, twice := all[code]; twice {
				panic("wire: code " + info.Name + " has a number that is taken")
			}
			all[code] = info
		}
	}
	return all
}

// Info describes the code; unknown numbers are shown as internal errors.
func (c Code) Info() Info {
	if i, ok := registry[c]; ok {
		return i
	}
	return Info{fmt.Sprintf("Err%d", uint32(c)), http.StatusInternalServerError, "unknown", ExitInternal, "update this program: the code is newer than it"}
}

// Known reports whether the code is in the registry.
func (c Code) Known() bool { _, ok := registry[c]; return ok }

// String is the code's name.
func (c Code) String() string { return c.Info().Name }

// Error makes a bare code an error.
func (c Code) Error() string { return c.Info().Name }

// Fault is an error with a code and what exactly was wrong.
type Fault struct {
	Code   Code
	Detail string
}

// Error gives the name, the detail and what to do next.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s (%s)", f.Code, f.Detail, f.Code.Info().Advice)
}

// Unwrap lets errors.Is(err, wire.ErrXxx) work.
func (f *Fault) Unwrap() error { return f.Code }

// Faultf makes a Fault.
func Faultf(c Code, format string, args ...any) error {
	return &Fault{Code: c, Detail: fmt.Sprintf(format, args...)}
}

// CodeOf finds the code an error carries: OK for nil, ErrMalformed for a
// refused encoding, ErrInternal when it carries none.
func CodeOf(err error) Code {
	var c Code
	switch {
	case err == nil:
		return OK
	case errors.As(err, &c):
		return c
	case errors.Is(err, ErrEncoding):
		return ErrMalformed
	}
	return ErrInternal
}
