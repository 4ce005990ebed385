package anchor

import (
	"cloister/wire"
	"cloister/wire/bitcoin"
)

// event is something that happened outside. The types below are all there are.
type event interface{ happened() }

type (
	// begun: the wallet's coins as of a block are known; blocks after it follow.
	begun struct{ unspent Unspent }
	// recalled: the block that the wallet began with, then the one before, and so
	// on, each with what it holds of what was sent.
	recalled struct {
		at    Place
		found []placed
	}
	// connected: the next block of the best chain.
	connected struct{ block *bitcoin.Block }
	// disconnected: the tip is no longer in the best chain.
	disconnected struct{}
	// closed: the ledger closed directory block state.Next.
	closed struct{ keyMR wire.Hash }
	// due: it is for this host to anchor a height.
	due struct{ height uint32 }
	// recorded: the ledger has a record of a height. For blocks older than the
	// trail inChain says whether the node has it in the best chain.
	recorded struct {
		height  uint32
		keyMR   wire.Hash
		at      Place
		inChain bool
	}
	// rated: what a new transaction should pay, in satoshi per virtual byte.
	rated struct{ rate uint64 }
	// refused: the node would not have a transaction.
	refused struct {
		id  bitcoin.Hash
		fee bool
	}
	// lost: nobody knows any more what the node has got.
	lost struct{}
	// look: the tip is the best chain's; time to act.
	look struct{}
)

// placed is a transaction's place in its block.
type placed struct {
	id     bitcoin.Hash
	offset int
}

func (begun) happened()        {}
func (recalled) happened()     {}
func (connected) happened()    {}
func (disconnected) happened() {}
func (closed) happened()       {}
func (due) happened()          {}
func (recorded) happened()     {}
func (rated) happened()        {}
func (refused) happened()      {}
func (lost) happened()         {}
func (look) happened()         {}

// actions are what the loop has to do, after the state is durable.
type actions struct {
	send   []*bitcoin.Tx // parents before children
	record []uint32      // heights whose anchors are deep
}
