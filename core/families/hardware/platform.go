package hardware

import (
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// platform is a CPU that was judged.
type platform struct {
	result *evidence.Result
	claims *evidence.Claims
	keys   []wire.Hash // of its certificates
}

// judge verifies evidence of a CPU by what the ledger trusts, that it carries its
// claims, and that the claims were made for this chain, lately, for the payer.
func (x *handling) judge(e *hardware.Evidence) (*platform, error) {
	claims, err := appraise.DecodeClaims(e.Claims)
	if err != nil {
		return nil, err
	}
	vendor := appraise.CPUEvidence(e)
	res, err := tables.Verify(x.own, vendor, x.TimeMs)
	if err != nil {
		return nil, err
	}
	if res.ReportData != claims.ReportData() {
		return nil, wire.Faultf(wire.ErrEvidenceReportData, "the evidence carries other claims")
	}
	if err := x.fresh(claims); err != nil {
		return nil, err
	}
	if wire.Account(claims.Operator) != x.Payer {
		return nil, wire.Faultf(wire.ErrNotOwner, "the evidence was made for operator %s, the payer is %s", claims.Operator, x.Payer)
	}
	keys, err := verify.Keys(vendor)
	return &platform{&res, claims, keys}, err
}

// fresh checks purpose, chain and age of claims. The age is in blocks alone: the
// time of an old block is not at hand, and blocks bound it.
func (x *handling) fresh(c *evidence.Claims) error {
	if c.Purpose != evidence.Register || c.ChainID != x.Tx.ChainID {
		return wire.Faultf(wire.ErrEvidenceReportData, "the claims are for purpose %d on chain %s", c.Purpose, c.ChainID)
	}
	p, err := tables.Policy(x.own, policy.Audit)
	if err != nil {
		return err
	}
	if err := p.Fresh(c.Height, x.TimeMs, x.book.height, x.TimeMs); err != nil {
		return err
	}
	hash, ok, err := x.hashOf(c.Height)
	if err == nil && (!ok || hash != c.BlockHash) {
		err = wire.Faultf(wire.ErrEvidenceStale, "block %d of the claims is not known", c.Height)
	}
	return err
}

func (x *handling) joinPlatform(p *hardware.JoinPlatform) (wire.Hash, error) {
	judged, err := x.judge(&p.Evidence)
	if err != nil {
		return wire.Hash{}, err
	}
	if err := tables.Judge(x.own, policy.Audit, judged.result, x.book.height, x.TimeMs); err != nil {
		return wire.Hash{}, err
	}
	return x.enrolPlatform(judged)
}

// Enrol registers the hardware of a node whose evidence another family judged
// for one of its roles, unless it is there; it returns the device. vendor is the
// evidence itself. Besides what JoinPlatform is refused for, it carries
// ErrDeviceStatus for a device that is suspended or revoked. The device of a
// result that names none (Masked policies) is not registered: the id is zero.
func Enrol(c *ledger.Call, vendor *evidence.Evidence, r *evidence.Result, claims *evidence.Claims) (wire.Hash, error) {
	if r.Device.IsZero() {
		return wire.Hash{}, nil
	}
	b, err := bookOf(c)
	if err != nil {
		return wire.Hash{}, err
	}
	known, err := row[hardware.Device](b, hardware.DeviceKey(r.Device))
	if err != nil {
		return wire.Hash{}, err
	}
	if known != nil {
		status, err := b.status(known)
		if err == nil && status != hardware.Active && status != hardware.Stale {
			err = wire.Faultf(wire.ErrDeviceStatus, "device %s is %s", r.Device, status)
		}
		return r.Device, err
	}
	keys, err := verify.Keys(vendor)
	if err != nil {
		return wire.Hash{}, err
	}
	if _, err := (&handling{b, c}).enrolPlatform(&platform{r, claims, keys}); err != nil {
		return wire.Hash{}, err
	}
	return r.Device, b.flush()
}

// enrolPlatform gives a judged CPU its row, at once Active.
func (x *handling) enrolPlatform(judged *platform) (wire.Hash, error) {
	r, claims := judged.result, judged.claims
	if r.Device.IsZero() {
		return wire.Hash{}, wire.Faultf(wire.ErrEvidencePolicy, "the evidence names no device")
	}
	root, err := x.root(r.Kind.Vendor(), r.Anchor)
	if err != nil {
		return wire.Hash{}, err
	}
	grant, err := x.founders(x.Payer)
	if err != nil {
		return wire.Hash{}, err
	}
	if err := x.newcomer(r.Device, grant > 0); err != nil {
		return wire.Hash{}, err
	}
	p, err := x.current()
	if err != nil {
		return wire.Hash{}, err
	}
	d := &hardware.Device{
		Kind: uint8(r.Kind), Class: uint8(root.Class), Root: root.ID(), Owner: x.Payer,
		NodeKey: claims.Identity, VRFKey: wire.PublicKey(claims.VRF), Joined: x.book.height,
	}
	if err := x.useKeys(d.NodeKey, d.VRFKey, r.Device); err != nil {
		return wire.Hash{}, err
	}
	if err := x.welcome(r.Device, d, p, judged.keys, grant > 0); err != nil {
		return wire.Hash{}, err
	}
	code, ok, err := tables.Approved(x.own, trust.Image, r.Code[:], x.book.height)
	if err != nil {
		return wire.Hash{}, err
	}
	if ok {
		if err := x.showed(d, []wire.Hash{code.ID()}); err != nil {
			return wire.Hash{}, err
		}
	}
	issue := p.Committee.IssueJoin * uint64(root.IssuePercent) / 100
	if err := x.mint(d.Ordinal, issue+grant); err != nil {
		return wire.Hash{}, err
	}
	if grant > 0 {
		if err := x.granted(x.Payer, r.Device); err != nil {
			return wire.Hash{}, err
		}
	}
	return r.Device, x.saveDevice(r.Device, d)
}

// welcome makes a device Active: it gets an ordinal, its sets, its next tasks,
// and a VRF key that counts after the delay, a founder's at once.
func (b *book) welcome(id wire.Hash, d *hardware.Device, p *Params, keys []wire.Hash, founder bool) error {
	if err := b.enrol(id, d); err != nil {
		return err
	}
	if err := b.must(d.Ordinal, hardware.Active, passed); err != nil {
		return err
	}
	for _, k := range keys {
		if err := b.setBit(hardware.SetKey, k, d.Ordinal, true); err != nil {
			return err
		}
	}
	from := b.height
	if !founder {
		from += p.Schedule.VRFDelay * p.Schedule.Epoch
	}
	if err := b.newVRF(id, d, from); err != nil {
		return err
	}
	return b.proven(id, d, p)
}

// founders is the credit an account may still take as a founder, 0 for others.
// The founders' devices are the first committee: there is nobody to judge them.
func (b *book) founders(a wire.Account) (uint64, error) {
	f, err := row[founder](b, hardware.FounderKey(a))
	if err != nil || f == nil || !f.Device.IsZero() {
		return 0, err
	}
	return f.Credit, nil
}

// founder is an account of the genesis that may bring one device in with credit.
type founder struct {
	_      struct{} `cbor:",toarray"`
	Credit uint64
	Device wire.Hash // that took it; zero before
}

func (b *book) granted(a wire.Account, device wire.Hash) error {
	f, err := row[founder](b, hardware.FounderKey(a))
	if err != nil {
		return err
	}
	f.Device = device
	return save(b, hardware.FounderKey(a), f)
}
