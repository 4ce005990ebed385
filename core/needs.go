package core

import (
	"fmt"

	"cloister/core/consensus"
	"cloister/core/duty"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
)

// Config is what a node is made of.
type Config struct {
	Genesis    *wire.Genesis
	Key        wire.PrivateKey
	Families   []ledger.Family // those the genesis enables (ledger.Enabled)
	Version    string          // of the program
	Mode       string          // how this run began, as the vault says
	Simulated  bool            // no real hardware protects this core
	DevSealKey bool            // its store is sealed with a key the host chose
	Flushed    uint64          // height of durable state at boot
	// Self is what the core submits by itself; nil if nothing.
	Self *duty.Self
	// Engine replaces the registry's maker of engines; only the simulator sets
	// it, to plant faults. A node makes one whenever it becomes a member.
	Engine func() consensus.Engine
}

// task is the continuation of one token.
type task func(now step.Now, result any, err error)

// The functions below are how drivers run the effects that touch the ledger,
// so that production and simulator cannot differ in it.

// Execute runs an Execute effect; busy is the newest height so far that held a
// transaction, or was due.
func Execute(l *ledger.Ledger, b *wire.Block, busy *uint64) (*step.Executed, error) {
	due := l.Tip().DueMs
	done, err := l.Execute(b)
	if err != nil {
		return nil, err
	}
	if b.Header.TxCount > 0 || due != 0 && b.Header.TimeMs >= due {
		*busy = b.Header.Height
	}
	return &step.Executed{
		Tip:   tipOf(&done.Tip, *busy),
		Final: &step.Final{Header: b.Header, Hash: b.Hash, Body: b.Body, Results: done.Results, Exec: done.Exec},
	}, nil
}

// BootFrom makes the Boot event of a ledger and an engine log. archived is
// the host's word; what the host lacks and state still retains is published
// again.
func BootFrom(l *ledger.Ledger, log []step.Record, archived uint64, seed [32]byte) (step.Boot, error) {
	tip := l.Tip()
	// Whether results up to here are committed to is not remembered: behaving as
	// if the last block had been busy costs one empty block.
	b := step.Boot{Seed: seed, Log: log, Archived: archived, Tip: tipOf(tip, tip.Height())}
	view := l.View()
	defer view.Close()
	for h := tip.Height(); h > archived && h > 0; h-- {
		kept, err := view.Retained(h)
		if wire.CodeOf(err) == wire.ErrNotFound {
			break
		}
		if err != nil {
			return b, fmt.Errorf("block %d: %w", h, err)
		}
		b.Unarchived = append([]*step.Final{{
			Header: kept.Header, Hash: kept.Header.Hash(), Body: kept.Body, Results: kept.Results, Exec: kept.Exec,
		}}, b.Unarchived...)
	}
	return b, nil
}

func tipOf(t *ledger.Tip, busy uint64) step.Tip {
	return step.Tip{
		Header: t.Header, Hash: t.Hash, History: t.History, Exec: t.Exec, DataRoot: t.DataRoot, Busy: busy, Roster: t.Roster, DueMs: t.DueMs,
	}
}
