package verifier

import (
	"encoding/binary"

	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Upkeep lists what the owner of a device has to submit so that it stays, or
// becomes again, active: gas for one renewal, deposited ahead; a renewal once it
// is stale; and, when its cooldown is over, the task that reinstates it. payer is
// who submits it; nothing is due unless that is the owner. Errors are as of Due.
//
// Each costs gas whatever comes of it: a device that would fail again should not
// be kept up. A renewal that came to nothing is tried again after the grace a
// schedule gives, not at once.
func Upkeep(get Reader, device wire.Hash, payer wire.Account, at At) ([]Job, error) {
	d, err := DeviceOf(get, device)
	if err != nil || d == nil || d.Owner != payer || d.Ordinal == 0 {
		return nil, err
	}
	totals, err := row[hardware.Totals](get, hardware.TotalsKey)
	if err != nil || totals == nil {
		return nil, missing(err, "totals")
	}
	p, err := paramsOf(get, totals.Params)
	if err != nil {
		return nil, err
	}
	status, err := statusOf(get, d)
	if err != nil {
		return nil, err
	}
	price := p.Committee.RAGas
	if status == hardware.Active {
		has, err := prepaid(get, payer)
		if err != nil || has >= price {
			return nil, err
		}
		return []Job{{Payload: hardware.Encode(&hardware.Deposit{Amount: price - has}), Gas: price - has}}, nil
	}
	kind, err := again(get, d, status, &p.Schedule, at.Height+1)
	if err != nil || kind == 0 {
		return nil, err
	}
	if open, err := get(hardware.OpenKey(device)); err != nil || open != nil {
		return nil, err
	}
	return []Job{{Payload: hardware.Encode(&hardware.Open{Device: device, Kind: kind}), Gas: price}}, nil
}

// again is the kind of the task by which a device becomes active again, 0 if
// none can be opened at this height, or none could be passed because its maker or
// its keys lost trust.
func again(get Reader, d *hardware.Device, status hardware.Status, s *hardware.Schedule, height uint64) (kind uint8, err error) {
	switch {
	case status == hardware.Stale && (d.LastEnd == 0 || height >= d.LastEnd+s.RAGrace):
		kind = hardware.KindPeriodic
	case status == hardware.Suspended && height >= d.Cooldown:
		kind = hardware.KindReinstate
	default:
		return 0, nil
	}
	ok, err := rooted(get, d)
	if err != nil || !ok {
		return 0, err
	}
	for _, k := range d.Keys {
		if revoked, err := get(trust.RevokedKey(k)); err != nil || revoked != nil {
			return 0, err
		}
	}
	return kind, nil
}

// prepaid is an account's prepaid gas.
func prepaid(get Reader, a wire.Account) (uint64, error) {
	raw, err := get(hardware.PrepaidKey(a))
	if err != nil || len(raw) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(raw), nil
}
