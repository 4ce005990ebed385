package node

import (
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// Hardware is what the family asks about evidence. hw is the state of the
// hardware family, times are block times in Unix milliseconds.
//
// All of it is a function of its arguments: an answer that differs between two
// nodes forks the chain. Errors with a code are refusals, others stop the node.
type Hardware interface {
	// Policy is that of a role; the result is shared.
	Policy(hw ledger.State, role policy.Role) (*policy.Policy, error)
	// Verify says what evidence shows.
	Verify(hw ledger.State, e *evidence.Evidence, timeMs uint64) (*evidence.Result, error)
	// Keys names the keys of the certificates in evidence that Verify accepted,
	// at most node.MaxKeys.
	Keys(e *evidence.Evidence) ([]wire.Hash, error)
	// Judge holds what new evidence shows against the policy of a role, and
	// against what the registry of devices says of its device.
	Judge(hw ledger.State, role policy.Role, why policy.Occasion, r *evidence.Result, height, timeMs uint64) error
	// Rejudge judges what was accepted before, by what is kept of it. since is
	// the block time since which the platform is only tolerated, 0 if it is not.
	// An error with a code means that the node no longer qualifies.
	Rejudge(hw ledger.State, role policy.Role, p *node.Platform, since, height, timeMs uint64) (Grace, error)
	// Enrol puts the device that evidence names into the registry, if it is not
	// there. Verify and Judge have accepted the evidence. A refusal changes nothing.
	Enrol(c *ledger.Call, e *evidence.Evidence, r *evidence.Result, claims *evidence.Claims) error
	// Revision is another number after every change of what the answers above
	// depend on, besides height and time.
	Revision(hw ledger.State) (uint64, error)
	// Due reports whether something of that takes effect at a height by itself.
	Due(hw ledger.State, height uint64) (bool, error)
}

// Grace is the time for which a platform is tolerated; zero if it needs none.
// Block times.
type Grace struct {
	SinceMs uint64
	UntilMs uint64 // to be judged again then
}

// hardwareFamily is where trust in hardware is kept.
const hardwareFamily = "hardware"

// hardware is who judges evidence.
func (f Family) hardware() Hardware {
	if f.Hardware == nil {
		return onLedger{}
	}
	return f.Hardware
}
