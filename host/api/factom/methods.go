package factom

// method answers one call: it appends the result to c.out, or fails. What it
// appended before it failed is thrown away.
type method func(s *Server, c *call) *failure

// methods are all there are (specification §15). send-raw-message and
// replay-from-height, factomd's debugging aids, are left out on purpose.
var methods = map[string]method{
	"properties":     (*Server).properties,
	"heights":        (*Server).heights,
	"current-minute": (*Server).currentMinute,
	"tps-rate":       (*Server).tpsRate,
	"authorities":    (*Server).authorities,
	"diagnostics":    (*Server).diagnostics,

	"directory-block-head": (*Server).directoryBlockHead,
	"directory-block":      (*Server).directoryBlock,
	"dblock-by-height":     byHeight(DirectoryBlock, appendDirectoryBlock),
	"ablock-by-height":     byHeight(AdminBlock, appendAdminBlock),
	"admin-block":          byKey(AdminBlock, appendAdminBlock),
	"ecblock-by-height":    byHeight(CreditBlock, appendCreditBlock),
	"entrycredit-block":    byKey(CreditBlock, appendCreditBlock),
	"fblock-by-height":     byHeight(FactoidBlock, appendFactoidBlock),
	"factoid-block":        byKey(FactoidBlock, appendFactoidBlock),
	"entry-block":          (*Server).entryBlock,

	"entry":       (*Server).entry,
	"chain-head":  (*Server).chainHead,
	"raw-data":    (*Server).rawData,
	"receipt":     (*Server).receipt,
	"anchors":     (*Server).anchors,
	"transaction": (*Server).transaction,

	"commit-chain":   (*Server).commitChain,
	"commit-entry":   (*Server).commitEntry,
	"reveal-chain":   (*Server).reveal,
	"reveal-entry":   (*Server).reveal,
	"factoid-submit": (*Server).factoidSubmit,

	"ack":                  (*Server).ack,
	"entry-ack":            (*Server).entryAck,
	"factoid-ack":          (*Server).factoidAck,
	"pending-entries":      (*Server).pendingEntries,
	"pending-transactions": (*Server).pendingTransactions,

	"entry-credit-balance":  (*Server).creditBalance,
	"factoid-balance":       (*Server).factoidBalance,
	"multiple-ec-balances":  (*Server).creditBalances,
	"multiple-fct-balances": (*Server).factoidBalances,
	"entry-credit-rate":     (*Server).creditRate,
}
