package verifier

import (
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Own is the open task of one's own device.
type Own struct {
	ID     wire.Hash
	Task   *hardware.Task
	Device *hardware.Device
}

// OwnTask finds a device's open task, nil if it has none.
func OwnTask(get Reader, device wire.Hash) (*Own, error) {
	open, err := row[hardware.OpenTask](get, hardware.OpenKey(device))
	if err != nil || open == nil {
		return nil, err
	}
	o := &Own{ID: open.Task}
	if o.Task, err = row[hardware.Task](get, hardware.TaskKey(o.ID)); err != nil || o.Task == nil {
		return nil, missing(err, "task %s", o.ID)
	}
	if o.Device, err = DeviceOf(get, device); err != nil || o.Device == nil {
		return nil, missing(err, "device %s", device)
	}
	return o, nil
}

// WantsEvidence reports whether the task waits for evidence in the block after
// this height.
func (o *Own) WantsEvidence(height uint64) bool {
	return o.Task.Phase == hardware.PhaseEvidence && height < o.Task.Deadline
}

// Claims are what the evidence of a CPU has to carry to answer the task: base,
// with the purpose, the nonce and the keys that are registered. A core whose keys
// these are not cannot answer.
func (o *Own) Claims(base evidence.Claims) *evidence.Claims {
	base.Purpose, base.Challenge = evidence.Challenge, o.Task.Nonce
	base.Identity, base.VRF = o.Device.NodeKey, o.Device.VRFKey
	return &base
}

// Submit is the payload that answers the task with evidence of a CPU, whose
// report data is that of the claims. The device's owner or its node key pays.
func (o *Own) Submit(claims *evidence.Claims, made *evidence.Evidence) ([]byte, error) {
	e, err := CPU(claims, made)
	if err != nil {
		return nil, err
	}
	return hardware.Encode(&hardware.EvidenceSubmit{Task: o.ID, Attempt: o.Task.Attempt, Evidence: e}), nil
}

// JoinPlatform is the payload that registers a CPU, by evidence whose claims say
// Register, a recent block and, as operator, the payer.
func JoinPlatform(claims *evidence.Claims, made *evidence.Evidence) ([]byte, error) {
	e, err := CPU(claims, made)
	if err != nil {
		return nil, err
	}
	return hardware.Encode(&hardware.JoinPlatform{Evidence: e}), nil
}

// CPU is the ledger's form of a CPU's evidence. It carries ErrEvidenceKind for
// evidence of something else.
func CPU(claims *evidence.Claims, made *evidence.Evidence) (hardware.Evidence, error) {
	e := hardware.Evidence{Kind: uint8(made.Kind), Quote: made.Quote, Claims: wire.Marshal(claims)}
	switch {
	case made.Kind == evidence.SNP && len(made.Aux) == 1:
		e.Leaf = made.Aux[0]
	case (made.Kind == evidence.SGX || made.Kind == evidence.TDX) && len(made.Aux) == 0:
	default:
		return hardware.Evidence{}, wire.Faultf(wire.ErrEvidenceKind, "%s with %d further parts is no evidence of a CPU", made.Kind, len(made.Aux))
	}
	return e, nil
}

// founder is what the family keeps under FounderKey.
type founder struct {
	_      struct{} `cbor:",toarray"`
	Credit uint64
	Device wire.Hash // that took it; zero before
}

// MayJoin reports whether a CPU that is not registered could be, by this payer, in
// the block after this height: it is not banned, and the epoch has room or the
// payer is a founder without a device.
func MayJoin(get Reader, device wire.Hash, payer wire.Account, height uint64) (bool, error) {
	ban, err := row[hardware.Banned](get, hardware.BanKey(device))
	if err != nil || ban != nil && height+1 < ban.Until {
		return false, err
	}
	f, err := row[founder](get, hardware.FounderKey(payer))
	if err != nil || f != nil && f.Device.IsZero() {
		return err == nil, err
	}
	totals, err := row[hardware.Totals](get, hardware.TotalsKey)
	if err != nil || totals == nil {
		return false, missing(err, "totals")
	}
	return totals.Joins < totals.JoinLimit, nil
}
