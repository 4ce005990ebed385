package wire

// Roster is who orders blocks and which of them may be talked to, as the newest
// executed block decides.
type Roster struct {
	_     struct{} `cbor:",toarray"`
	Set   *MemberSet
	Nodes []Standing // one per member, in slot order
}

// Standing is what the ledger says of one member's running core.
type Standing struct {
	_      struct{} `cbor:",toarray"`
	ID     NodeID
	Boots  uint64 // number of its newest registered run; 0: none registered yet
	BootID Hash   // that run's id
	Barred Code   // OK, or why nobody keeps a channel to it
}

// MaxRoster bounds an encoded roster of MaxGenesisMembers members.
const MaxRoster = 64 + MaxGenesisMembers*(2*32+32+2*9+2+12+2*32+9+6)

// NewRoster is the roster of members nothing is registered about.
func NewRoster(set *MemberSet) *Roster {
	r := &Roster{Set: set}
	for i := range set.Members {
		r.Nodes = append(r.Nodes, Standing{ID: set.Members[i].ID})
	}
	return r
}

// Of finds the standing of a member, or returns nil.
func (r *Roster) Of(id NodeID) *Standing {
	for i := range r.Nodes {
		if r.Nodes[i].ID == id {
			return &r.Nodes[i]
		}
	}
	return nil
}
