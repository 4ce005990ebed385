package hardware

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/wire/hardware"
)

// Params are all parameters of the registry. Stored under hardware.ParamsKey by
// version: a task is held by those it was opened under.
type Params struct {
	_         struct{} `cbor:",toarray"`
	Committee committee.Params
	Schedule  hardware.Schedule
}

// flat is Params in JSON: one object.
type flat struct {
	committee.Params
	hardware.Schedule
}

// DefaultParams are those of specification §3.7.
func DefaultParams() Params {
	return Params{Committee: committee.Defaults(), Schedule: hardware.DefaultSchedule()}
}

// MarshalJSON implements json.Marshaler.
func (p Params) MarshalJSON() ([]byte, error) { return json.Marshal(flat{p.Committee, p.Schedule}) }

// UnmarshalJSON implements json.Unmarshaler: what is not named keeps its default.
func (p *Params) UnmarshalJSON(b []byte) error {
	d := DefaultParams()
	f := flat{d.Committee, d.Schedule}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return err
	}
	p.Committee, p.Schedule = f.Params, f.Schedule
	return nil
}

// Bounds of a schedule: no sum of heights overflows, and a verdict cannot take
// for ever.
const (
	maxWindow   = 1 << 20
	maxAttempts = 16
)

// Check refuses parameters that no registry could be run by. The error names the
// first bad one.
func (p *Params) Check() error {
	if err := p.Committee.Check(); err != nil {
		return err
	}
	s := &p.Schedule
	for _, b := range []struct {
		name            string
		v, least, limit uint64
	}{
		{"epoch", s.Epoch, 4, maxWindow}, {"norm_interval", s.NormInterval, 1, maxWindow}, {"vrf_delay", s.VRFDelay, 1, 64},
		{"w_evid", s.WEvid, 1, maxWindow}, {"w_claim", s.WClaim, 1, s.Epoch}, {"w_chal", s.WChal, 1, maxWindow},
		{"w_ans", s.WAns, 1, maxWindow}, {"w_commit", s.WCommit, 1, maxWindow}, {"w_reveal", s.WReveal, 1, maxWindow},
		{"ra_grace", s.RAGrace, 1, maxWindow}, {"ra_period", s.RAPeriod, s.RAGrace + 1, maxWindow},
		{"max_attempts", uint64(s.MaxAttempts), 1, maxAttempts}, {"dispute_window", s.DisputeWindow, 1, maxWindow},
		{"dispute_bond", s.DisputeBond, 0, committee.MaxAmount}, {"join_rate_share", uint64(s.JoinRateShare), 0, 100},
		{"cooldown", s.Cooldown, 0, maxWindow}, {"spacing", s.Spacing, 0, maxWindow}, {"nonce_age", s.NonceAge, 1, 64},
		{"app_pcr", uint64(s.AppPCR), 0, 15}, {"k", uint64(p.Committee.K), 1, hardware.MaxAnswers},
	} {
		if b.v < b.least || b.v > b.limit {
			return fmt.Errorf("%s is %d, it must be %d to %d", b.name, b.v, b.least, b.limit)
		}
	}
	for i, pcr := range s.BootPCRs {
		if pcr < 0 || pcr > 15 || pcr == int(s.AppPCR) || i > 0 && s.BootPCRs[i-1] >= pcr {
			return fmt.Errorf("boot_pcrs must ascend, below 16, without app_pcr")
		}
	}
	if len(s.BootPCRs) > 15 {
		return fmt.Errorf("boot_pcrs are at most 15")
	}
	return nil
}

// params loads a version of the parameters.
func (b *book) params(version uint32) (*Params, error) {
	p, err := row[Params](b, hardware.ParamsKey(version))
	if err == nil && p == nil {
		err = fmt.Errorf("hardware: no parameters of version %d", version)
	}
	return p, err
}

func (b *book) current() (*Params, error) { return b.params(b.totals.Params) }
