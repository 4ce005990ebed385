package hardware_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

func TestNewParametersTakeEffectWithTheNextEpoch(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	for w.height() >= w.totals().EpochStart+w.params.Schedule.Epoch-3 { // room before the epoch ends
		w.OK()
	}
	next := w.params
	next.Committee.RAGas = 2 * w.params.Committee.RAGas
	order := public.EncodeOrder(&public.ParamsSet{Params: wire.Marshal(&next)})
	w.OK(w.ruled(order, false))
	before := w.Balance(ledgertest.Carol).Factoshis
	w.OK(w.send(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}))
	if got := before - w.Balance(ledgertest.Carol).Factoshis; got != w.params.Committee.RAGas {
		t.Errorf("a task cost %d in the old epoch", got)
	}
	w.until(w.totals().EpochStart + w.params.Schedule.Epoch)
	if got := w.totals().Params; got != 2 {
		t.Fatalf("version %d is in force", got)
	}
	// The open task goes on under what it was opened by.
	task := w.open(c.id)
	if got := w.task(task); got.Params != 1 || got.Escrow != w.params.Committee.RAGas {
		t.Errorf("%+v", got)
	}
	bad := next
	bad.Committee.K = 0
	if got := w.One(w.ruled(public.EncodeOrder(&public.ParamsSet{Params: wire.Marshal(&bad)}), false)).Code; got != wire.ErrMalformed {
		t.Errorf("parameters nobody can be run by: %s", got)
	}
}

func TestTheAuthoritiesEndADeviceAndSpendTheTreasury(t *testing.T) {
	w, c := withChip(t)
	revoke := public.EncodeOrder(&public.DeviceRevoke{Device: c.id, Reason: "lost"})
	w.OK(w.ruled(revoke, false))
	if got := w.status(c.id); got != public.Revoked {
		t.Errorf("the device is %s", got)
	}
	if got := w.One(w.ruled(revoke, false)).Code; got != wire.ErrDeviceStatus {
		t.Errorf("again: %s", got)
	}
	treasury := w.totals().Treasury
	if treasury == 0 {
		t.Fatal("there is nothing to spend")
	}
	to := wire.Account{5}
	if got := w.One(w.ruled(public.EncodeOrder(&public.TreasuryPay{To: to, Amount: treasury + 1}), false)).Code; got != wire.ErrInsufficientFunds {
		t.Errorf("more than there is: %s", got)
	}
	w.OK(w.ruled(public.EncodeOrder(&public.TreasuryPay{To: to, Amount: treasury}), false))
	if w.totals().Treasury != 0 {
		t.Error("the treasury was not spent")
	}
	w.settled()
}

// A device that is pending when the authorities end it can never join again.
func TestADeviceThatIsEndedWhileItJoins(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	task := pendingUntilAnswer(w, c)
	w.OK(w.ruled(public.EncodeOrder(&public.DeviceRevoke{Device: c.id}), false))
	w.OK(w.send(c.owner, c.answer(w, task)))
	w.vote(task, all(good()))
	if got := w.status(c.id); got != public.Revoked || w.credit(c.id) != 0 {
		t.Errorf("the device is %s with %d credit", got, w.credit(c.id))
	}
	w.refused(c.owner, c.join(w.chainID()), wire.ErrDeviceExists)
	w.settled()
}

func TestARevokedMeasurementMakesDevicesStaleAtTheEndOfThatBlock(t *testing.T) {
	w, c := withChip(t)
	m := nodeMeasurement()
	at := w.height() + 3
	w.OK(w.order(&trust.MeasurementRevoke{ID: m.ID(), Height: at, Reason: "hole", Force: true}, true))
	w.until(at - 1)
	if got := w.status(c.id); got != public.Active {
		t.Errorf("before: %s", got)
	}
	w.OK()
	if got := w.status(c.id); got != public.Stale {
		t.Errorf("after: %s", got)
	}
	for _, v := range w.verifiers { // they rely on something else
		if got := w.status(v.id); got != public.Active {
			t.Errorf("a verifier is %s", got)
		}
	}
	w.commonsense()
}

func TestOtherPartsOfTheLedgerMintWithinTheirShareAndNeverBelowZero(t *testing.T) {
	w := newWorld(t, 4)
	v := w.verifiers[0]
	pay := func(amount int64) wire.Code {
		w.Helper()
		return w.One(w.Tx(ledgertest.Alice, "working", wire.Marshal(&wage{Device: v.id, Amount: amount}))).Code
	}
	share := int64(w.params.Committee.Cap / 100)
	had := w.credit(v.id)
	w.until(w.totals().EpochStart + w.params.Schedule.Epoch)
	if got := pay(share); got != wire.OK || w.credit(v.id) != had+uint64(share) {
		t.Errorf("the share: %s, %d", got, w.credit(v.id))
	}
	if got := pay(1); got != wire.ErrCreditMintCap {
		t.Errorf("one more: %s", got)
	}
	if got := pay(-1 << 60); got != wire.OK || w.credit(v.id) != 0 {
		t.Errorf("a debit of everything: %s, %d", got, w.credit(v.id))
	}
	w.until(w.totals().EpochStart + w.params.Schedule.Epoch)
	if got := pay(1); got != wire.OK {
		t.Errorf("in the next epoch: %s", got)
	}
	w.commonsense()
}

func TestAGenesisThatCannotWorkIsRefused(t *testing.T) {
	key := ledgertest.Key
	for name, params := range map[string]string{
		"unknown parameter":  `{"frobs":1}`,
		"mock hardware":      `{"allow_mock":true}`,
		"unknown in params":  `{"params":{"frobs":1}}`,
		"no seats":           `{"params":{"k":0}}`,
		"resettable PCR":     `{"params":{"app_pcr":16}}`,
		"PCRs out of order":  `{"params":{"boot_pcrs":[2,1]}}`,
		"APP_PCR at boot":    `{"params":{"boot_pcrs":[1,13]}}`,
		"too few founders":   `{"founder_credit":100000000,"founders":["` + key(1).Public().String() + `"]}`,
		"a founder twice":    `{"params":{"d_min":1,"s_min":1},"founder_credit":100000000,"founders":["` + key(1).Public().String() + `","` + key(1).Public().String() + `"]}`,
		"founders for free":  `{"params":{"d_min":1,"s_min":1},"founders":["` + key(1).Public().String() + `"]}`,
		"not a trust":        `{"trust":{"roots":[{}]}}`,
		"grace above period": `{"params":{"ra_period":10,"ra_grace":10}}`,
		"another time":       `{"time_ms":1}`,
	} {
		g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: json.RawMessage(params)})
		if _, err := ledger.Open(store.NewMemory(), g, []ledger.Family{token.Family{}, hardware.Family{}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, params := range map[string]string{
		"nothing": ``, "empty": `{}`, "a window": `{"params":{"w_evid":9}}`,
		"its time":  fmt.Sprintf(`{"time_ms":%d}`, uint64(ledgertest.StartMs)),
		"a founder": `{"params":{"d_min":1,"s_min":1},"founder_credit":100000000,"founders":["` + key(1).Public().String() + `"]}`,
	} {
		g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: json.RawMessage(params)})
		if _, err := ledger.Open(store.NewMemory(), g, []ledger.Family{token.Family{}, hardware.Family{}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// populating fills a page of the registry with devices that nobody joined.
type populating struct{ ledgertest.Bare }

func (populating) Name() string { return "populating" }

func (populating) Execute(c *ledger.Call) ([]byte, error) {
	st, page := c.State(public.Name), binary.BigEndian.Uint32(c.Payload.([]byte))
	var t public.Totals
	raw, err := st.Get(public.TotalsKey)
	if err != nil {
		return nil, err
	}
	if err := wire.Unmarshal(raw, &t, 1024); err != nil {
		return nil, err
	}
	credit, ids, status := make([]byte, 8*public.PageDevices), make([]byte, 32*public.PageDevices), make([]byte, public.PageDevices)
	for i := range uint32(public.PageDevices) {
		if page == 0 && i == 0 {
			continue // no device has ordinal 0
		}
		n := page*public.PageDevices + i
		binary.BigEndian.PutUint64(credit[8*i:], uint64(unit+n))
		id := wire.TH("test/crowd", wire.U32(n))
		copy(ids[32*i:], id[:])
		status[i] = 0x80 | byte(public.Active)
		t.Credit += uint64(unit + n)
		t.Active++
		t.Devices = n
	}
	for _, row := range []struct{ key, value []byte }{
		{public.CreditKey(page), credit}, {public.IDKey(page), ids}, {public.StatusKey(page), status}, {public.TotalsKey, wire.Marshal(&t)},
	} {
		if err := st.Set(row.key, row.value); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// A full registry is normalised, and its snapshot taken, in one end of a block:
// more than ledger.MaxEndWrites would stop the node.
func TestAFullRegistryFitsTheEndOfABlock(t *testing.T) {
	const pages = 100
	params := hardware.DefaultParams()
	params.Committee.Cap, params.Committee.TicketUnit = 1000*unit, 1000
	params.Schedule.Epoch, params.Schedule.NormInterval = 16, 16
	raw, err := json.Marshal(hardware.Genesis{Params: &params})
	if err != nil {
		t.Fatal(err)
	}
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: "populating"}, wire.FamilyGenesis{Name: public.Name, Params: raw})
	w := &world{t: t, params: params}
	w.Chain = ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, populating{}, hardware.Family{}})
	var txs []*wire.Tx
	for page := range uint32(pages) {
		txs = append(txs, w.Tx(ledgertest.Alice, "populating", wire.U32(page)))
	}
	w.OK(txs...)
	w.until(16)
	got := w.totals()
	if got.Credit != params.Committee.Cap || got.Normalised != 16 || got.Epoch != 1 || got.Tickets == 0 || got.Devices != pages*public.PageDevices-1 {
		t.Fatalf("%+v", got)
	}
	w.commonsense()
	w.until(33) // another one finds nothing to do
	if w.totals().Normalised != 16 {
		t.Errorf("%+v", w.totals())
	}
}
