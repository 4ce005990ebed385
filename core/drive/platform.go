package drive

import (
	"errors"
	"fmt"

	"cloister/core/attest"
	"cloister/core/duty"
	"cloister/core/step"
	"cloister/core/vault"
)

// Names of what the platform keeps for a core.
const (
	sealLabel   = "vault"
	bootCounter = "boots"
)

// codeVersion is what claims say of the program; it rises with every release.
const codeVersion = 1

// errRolledBack is a store that is older than the core's last run, as the
// hardware counted them. It wraps errConfig: only an operator can mend it.
var errRolledBack = fmt.Errorf("%w: the store is from an earlier run than this core's last one", errConfig)

// simulated reports whether no real hardware protects this core.
func (d *driver) simulated() bool { return d.platform == nil || d.platform.Simulated() }

// sealKey is the key of the store. It binds to the exact program: another one,
// or a changed one, cannot read what this one keeps, its identity included.
func (d *driver) sealKey(fromHost []byte) (key [32]byte, err error) {
	switch {
	case d.platform != nil && len(fromHost) > 0:
		return key, fmt.Errorf("%w: this core has hardware and takes no seal key from its host", errConfig)
	case d.platform != nil:
		if key, err = d.platform.SealKey(attest.SealCode, sealLabel); err != nil {
			return key, fmt.Errorf("%w: the hardware gives no seal key: %w", errConfig, err)
		}
		return key, nil
	case len(fromHost) != len(key):
		return key, fmt.Errorf("%w: there is no hardware with a seal key, so the host must give one of %d bytes", errConfig, len(key))
	}
	copy(key[:], fromHost)
	return key, nil
}

// openVault opens the store and counts this run. Where the hardware counts too,
// a store that missed a run it should have recorded is refused.
//
// The number is recorded in the store before the hardware's counter moves, so a
// crash between the two leaves the counter one behind, never ahead.
func (d *driver) openVault(opts vault.Options) (err error) {
	var counter attest.Counter
	if d.platform != nil && d.platform.Caps()&attest.CapCounter != 0 {
		if counter, err = d.platform.Counter(bootCounter); err != nil {
			return fmt.Errorf("counter of runs: %w", err)
		}
		last, err := counter.Read()
		if err != nil {
			return fmt.Errorf("counter of runs: %w", err)
		}
		opts.Counter = last + 1
	}
	if d.vault, err = vault.Open(d.gate.Objects(), opts); errors.Is(err, vault.ErrStale) {
		return fmt.Errorf("%w: %w", errRolledBack, err)
	} else if err != nil {
		return err
	}
	if counter == nil {
		d.boots = d.vault.Info().Boots
		return nil
	}
	d.boots, err = counter.Increment()
	if err == nil && d.boots != opts.Counter {
		err = errors.New("it moved by more than one: another core uses this hardware")
	}
	if err != nil {
		return fmt.Errorf("counter of runs: %w", err)
	}
	return nil
}

// self is what the core's own submissions are made from.
func (d *driver) self() (*duty.Self, error) {
	s, err := duty.NewSelf(d.genesis.ChainID(), d.key, d.boots, d.bootID, codeVersion)
	if err == nil {
		s.Hardware = d.platform != nil
	}
	return s, err
}

// attest has evidence made.
func (d *driver) attest(e step.Attest) step.Done {
	done := step.Done{Token: e.Token}
	if d.platform == nil {
		done.Err = attest.ErrNoBackend
		return done
	}
	made, err := d.platform.Attest(e.Data)
	if err != nil {
		done.Err = err
		return done
	}
	done.Result = made.Bytes()
	return done
}
