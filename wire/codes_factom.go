package wire

// Codes of Factom's messages: token 21x, record 31x, proofs 508 and 509.
const (
	ErrTransactionMalformed Code = 211
	ErrFeeTooLow            Code = 212

	ErrCommitMalformed Code = 311
	ErrOutsideWindow   Code = 312
	ErrRepeatedCommit  Code = 313
	ErrNoCommit        Code = 314
	ErrUnderpaid       Code = 315
	ErrChainHeld       Code = 316
	ErrVoidReveal      Code = 317
	ErrBlockMalformed  Code = 508
	ErrReceiptInvalid  Code = 509
)

var factomCodes = map[Code]Info{
	ErrTransactionMalformed: {"ErrTransactionMalformed", 400, "invalid_argument", ExitUsage, "build it with a current client library, which uses type 1 redeem conditions, minimal numbers and at most 10240 bytes"},
	ErrFeeTooLow:            {"ErrFeeTooLow", 400, "failed_precondition", ExitRefused, "raise the inputs: they must cover outputs, credit purchases and the fee at the rate in force"},

	ErrCommitMalformed: {"ErrCommitMalformed", 400, "invalid_argument", ExitUsage, "send exactly 136 bytes to pay for an entry (1 to 10 credits) or 200 to pay for a chain (11 to 20)"},
	ErrOutsideWindow:   {"ErrOutsideWindow", 400, "failed_precondition", ExitRefused, "sign again with the current time: messages count within 12 hours of it; check this machine's clock"},
	ErrRepeatedCommit:  {"ErrRepeatedCommit", 409, "already_exists", ExitRefused, "reveal the entry: a commit with equal or greater payment is waiting for it"},
	ErrNoCommit:        {"ErrNoCommit", 409, "failed_precondition", ExitBusy, "send the commit that pays for this entry first, and reveal again once it is recorded"},
	ErrUnderpaid:       {"ErrUnderpaid", 402, "failed_precondition", ExitRefused, "commit again with as many credits as the entry's size costs; a higher commit replaces the lower one"},
	ErrChainHeld:       {"ErrChainHeld", 409, "aborted", ExitBusy, "another commit holds this chain name for up to an hour; reveal again when the hour is over, or choose another name"},
	ErrVoidReveal:      {"ErrVoidReveal", 400, "failed_precondition", ExitRefused, "commit to the chain id that the external ids hash to, with the weld that binds it to the entry"},
	ErrBlockMalformed:  {"ErrBlockMalformed", 422, "data_loss", ExitUnproven, "do not rely on this block; fetch it again from another node"},
	ErrReceiptInvalid:  {"ErrReceiptInvalid", 422, "data_loss", ExitUnproven, "do not rely on this receipt; fetch it again from another node"},
}
