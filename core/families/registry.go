package families

import (
	"cloister/core/families/beacon"
	"cloister/core/families/governance"
	"cloister/core/families/hardware"
	"cloister/core/families/node"
	"cloister/core/families/record"
	"cloister/core/families/token"
	"cloister/core/ledger"
)

// All has one line per family.
func All() []ledger.Family {
	return []ledger.Family{
		token.Family{},
		record.Family{},
		governance.Family{},
		hardware.Family{},
		node.Family{},
		beacon.Family{},
	}
}
