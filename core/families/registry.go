package families

import (
	"cloister/core/families/record"
	"cloister/core/families/token"
	"cloister/core/ledger"
)

// All has one line per family.
func All() []ledger.Family {
	return []ledger.Family{
		token.Family{},
		record.Family{},
	}
}
