package node_test

import (
	"errors"
	"strings"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/wire"
	public "cloister/wire/node"
)

func TestAFounderRegistersItselfForNothing(t *testing.T) {
	w := newWorld(t, 3)
	k := w.Founders[0]
	r := w.Result(w.OK(w.register(k)), 0)
	if id := k.id(); string(r.Output) != string(id[:]) || r.Credits != 0 || r.Fee != 0 {
		t.Fatalf("%+v", r)
	}
	n := w.node(k)
	if n.Status != public.Active || n.Identity != k.key.Public() || n.VRF != [32]byte(k.vrf.Public()) || n.Boots != 1 || n.BootID != k.bootID ||
		n.Operator != ledgertest.Account(k.key) || n.Platform.Device != k.device || n.Platform.Code != k.code || !n.Platform.Simulated ||
		n.Platform.CodeVersion != 3 || n.Admitted != wire.Voter || n.Endpoint != "core.example:7000" {
		t.Errorf("%+v", n)
	}
	if now := w.Ledger.Tip().Header.TimeMs; n.ExpiresMs != now+7*day || n.AttestedMs != now || n.Registered != w.Ledger.Height() || n.Attested != w.Ledger.Height()-1 {
		t.Errorf("%+v at %d", n, now)
	}
	if s := w.roster().Of(k.id()); s.Boots != 1 || s.BootID != k.bootID || s.Barred != wire.OK {
		t.Errorf("standing %+v", s)
	}
}

func TestOthersRegisterThroughTheirOperatorAndPayByTheKiB(t *testing.T) {
	w := newWorld(t, 1)
	k, long := newCore(10), newCore(11)
	tx := w.register(k)
	if r := w.Result(w.OK(tx), 0); r.Credits != uint64(len(tx.Bytes())+1023)/1024+10 {
		t.Errorf("%d credits for %d bytes and evidence", r.Credits, len(tx.Bytes()))
	}
	if r := w.Result(w.OK(w.retire(k.operator, k)), 0); r.Credits != 1 {
		t.Errorf("%d credits for a word", r.Credits)
	}
	k.restart()
	w.OK(w.register(k))
	if w.role(k) != 0 {
		t.Error("a registration made a member")
	}
	long.operator = ledgertest.Pauper
	w.refused(w.register(long), wire.ErrInsufficientCredits)
}

func TestWhoMayRegister(t *testing.T) {
	named := func(p *public.Params) { p.Founders[0].Operator = ledgertest.Account(ledgertest.Bob).String() }
	w := newWorld(t, 3, named)
	own := *w.Founders[0]
	w.refused(w.register(&own), wire.ErrNotOperator) // names itself, the genesis names Bob

	byBob := own
	byBob.operator = ledgertest.Bob
	alone := w.registration(&byBob).Bytes()
	w.refused(w.Tx(ledgertest.Alice, public.Name, alone), wire.ErrNotOperator)
	w.OK(w.Tx(own.key, public.Name, alone)) // the core itself, in Bob's name

	foreign := *w.Founders[1]
	foreign.operator = ledgertest.Bob // any operator that pays for itself
	w.refused(w.Tx(foreign.key, public.Name, w.registration(&foreign).Bytes()), wire.ErrNotOperator)
	w.OK(w.register(&foreign))

	stranger := newCore(10)
	w.refused(w.Tx(ledgertest.Bob, public.Name, w.registration(stranger).Bytes()), wire.ErrNotOperator)
}

// Each row spoils one thing of a good registration.
func TestSpoiltRegistrationsAreRefused(t *testing.T) {
	type parts struct {
		claims   *evidence.Claims
		register *public.Register
		quote    *quote
		signer   wire.PrivateKey
	}
	for name, x := range map[string]struct {
		spoil func(w *world, p *parts)
		code  wire.Code
	}{
		"purpose":            {func(_ *world, p *parts) { p.claims.Purpose = evidence.Renew }, wire.ErrMalformed},
		"chain":              {func(_ *world, p *parts) { p.claims.ChainID[0]++ }, wire.ErrWrongChain},
		"field of a channel": {func(_ *world, p *parts) { p.claims.TLSKey[0]++ }, wire.ErrMalformed},
		"challenge":          {func(_ *world, p *parts) { p.claims.Challenge[0]++ }, wire.ErrMalformed},
		"binding":            {func(_ *world, p *parts) { p.claims.ChannelBinding[0]++ }, wire.ErrMalformed},
		"no boot id":         {func(_ *world, p *parts) { p.claims.BootID = wire.Hash{} }, wire.ErrMalformed},
		"no operator":        {func(_ *world, p *parts) { p.claims.Operator = wire.Hash{} }, wire.ErrMalformed},
		"no box":             {func(_ *world, p *parts) { p.claims.Box = [32]byte{} }, wire.ErrMalformed},
		"no VRF key":         {func(_ *world, p *parts) { p.claims.VRF = [32]byte{} }, wire.ErrMalformed},
		"VRF is identity":    {func(_ *world, p *parts) { p.claims.VRF = p.claims.Identity }, wire.ErrMalformed},
		"small identity":     {func(_ *world, p *parts) { p.claims.Identity = wire.PublicKey{1} }, wire.ErrMalformed},
		"no run":             {func(_ *world, p *parts) { p.register.Shown.Boots = 0 }, wire.ErrMalformed},
		"no roles":           {func(_ *world, p *parts) { p.register.Roles = 0 }, wire.ErrMalformed},
		"unknown role":       {func(_ *world, p *parts) { p.register.Roles = 0x81 }, wire.ErrMalformed},
		"long name":          {func(_ *world, p *parts) { p.register.Name = strings.Repeat("n", 65) }, wire.ErrMalformed},
		"odd name":           {func(_ *world, p *parts) { p.register.Name = "a\nb" }, wire.ErrMalformed},
		"long endpoint":      {func(_ *world, p *parts) { p.register.Shown.Endpoint = strings.Repeat("n", 257) }, wire.ErrMalformed},
		"another's word":     {func(_ *world, p *parts) { p.signer = ledgertest.Bob }, wire.ErrNodeSignature},
		"unknown block":      {func(_ *world, p *parts) { p.claims.BlockHash[0]++ }, wire.ErrEvidenceStale},
		"block to come":      {func(w *world, p *parts) { p.claims.Height = w.Ledger.Height() + 1 }, wire.ErrEvidenceStale},
		"forged evidence":    {func(_ *world, p *parts) { p.quote.Fault = wire.ErrEvidenceSignature }, wire.ErrEvidenceSignature},
		"for other claims":   {func(_ *world, p *parts) { p.quote.ReportData[0]++ }, wire.ErrEvidenceReportData},
		"zeros are missing":  {func(_ *world, p *parts) { p.quote.ReportData[63]++ }, wire.ErrEvidenceReportData},
		"refused code":       {func(_ *world, p *parts) { p.quote.Code = wire.Hash{0xBA, 0xD0} }, wire.ErrEvidenceCode},
		"nothing":            {func(*world, *parts) {}, wire.OK},
	} {
		t.Run(name, func(t *testing.T) {
			w, k := newWorld(t, 1), newCore(10)
			w.lab.refused[wire.Hash{0xBA, 0xD0}] = wire.ErrEvidenceCode
			p := &parts{w.claims(k, evidence.Register), &public.Register{Roles: public.VoterRole}, &quote{Code: k.code, Device: k.device}, k.key}
			p.register.Shown.Boots = 1
			x.spoil(w, p)
			report := p.claims.ReportData()
			for i := range report {
				p.quote.ReportData[i] += report[i]
			}
			e := evidence.Evidence{Kind: evidence.SGX, Quote: wire.Marshal(p.quote)}
			p.register.Shown.Claims, p.register.Shown.Evidence = wire.Marshal(p.claims), e.Bytes()
			p.register.Shown.Signature = p.signer.Sign(p.register.Digest(w.Genesis.ChainID()))
			w.refused(w.Tx(k.operator, public.Name, p.register.Bytes()), x.code)
		})
	}
}

// What the core signs covers every field that the evidence does not.
func TestTheCoreSignsAllOfItsPayload(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	for name, spoil := range map[string]func(r *public.Register){
		"run":      func(r *public.Register) { r.Shown.Boots++ },
		"endpoint": func(r *public.Register) { r.Shown.Endpoint = "elsewhere" },
		"roles":    func(r *public.Register) { r.Roles |= public.WorkerRole },
		"name":     func(r *public.Register) { r.Name = "another" },
	} {
		r := w.registration(k)
		spoil(r)
		if got := w.Admit(w.Tx(k.operator, public.Name, r.Bytes())); got != wire.ErrNodeSignature {
			t.Errorf("%s: %s", name, got)
		}
	}
	r := w.registration(k)
	asBoot := &public.Boot{Shown: r.Shown}
	if r.Digest(w.Genesis.ChainID()) == asBoot.Digest(w.Genesis.ChainID()) || r.Digest(wire.Hash{}) == r.Digest(w.Genesis.ChainID()) {
		t.Error("one signature for two payloads or chains")
	}
}

func TestEvidenceGrowsOldInBlocksAndInTime(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.policies[1].MaxEvidenceBlocks = 5
	tx := w.register(k)
	for range 4 {
		w.Run()
	}
	if got := w.Admit(tx); got != wire.OK {
		t.Fatalf("five blocks old: %s", got)
	}
	w.Run()
	w.refused(tx, wire.ErrEvidenceStale)

	// 30 minutes; times are known to the minute.
	for ageMs, want := range map[uint64]wire.Code{28 * 60_000: wire.OK, 31*60_000 + 1: wire.ErrEvidenceStale} {
		w := newWorld(t, 1)
		w.RunAt(w.NextMs() + 120_000)
		registration := w.registration(k).Bytes()
		at := w.Ledger.Tip().Header.TimeMs + ageMs
		done := w.RunAt(at, w.TxUntil(at, k.operator, public.Name, registration))
		if got := w.Result(done, 0).Code; got != want {
			t.Errorf("%d ms old: %s, want %s", ageMs, got, want)
		}
	}
}

// A founding core attests to the genesis, before there is a block.
func TestEvidenceMayNameTheGenesis(t *testing.T) {
	w := newWorld(t, 1)
	k := w.Founders[0]
	c := w.claims(k, evidence.Register)
	c.Height, c.BlockHash = 0, w.Genesis.Header().Hash()
	r := &public.Register{Shown: w.show(k, c), Roles: public.VoterRole}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.OK(w.Tx(k.key, public.Name, r.Bytes()))
}

// Samples of the clock are dropped in the end; what they told the age of is too
// old then, however few blocks there were since.
func TestABlockOfUnknownAgeIsTooOld(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.policies[1].MaxEvidenceMs = 100 * day
	registration := w.registration(k).Bytes()
	for range 95 {
		w.RunAt(w.NextMs() + 60_000)
	}
	w.refused(w.Tx(k.operator, public.Name, registration), wire.ErrEvidenceStale)
	w.OK(w.register(k))
}

func TestADeviceRunsOneNodeInEachRole(t *testing.T) {
	w := newWorld(t, 1)
	k, twin := newCore(10), newCore(11)
	twin.device = k.device
	w.OK(w.register(k))
	w.refused(w.register(twin), wire.ErrDeviceTaken)

	worker := w.registration(twin)
	worker.Roles = public.WorkerRole
	worker.Shown.Signature = twin.key.Sign(worker.Digest(w.Genesis.ChainID()))
	w.OK(w.Tx(twin.operator, public.Name, worker.Bytes()))

	w.OK(w.retire(k.operator, k))
	third := newCore(12)
	third.device = k.device
	w.OK(w.register(third))

	nameless, another := newCore(13), newCore(14)
	nameless.device, another.device = wire.Hash{}, wire.Hash{}
	w.OK(w.register(nameless), w.register(another)) // whether that is allowed, policy says
}

func TestAnOperatorHasNoMoreNodesThanThePolicySays(t *testing.T) {
	w := newWorld(t, 1)
	w.policies[1].MaxPerOperator = 2
	a, b, c := newCore(10), newCore(11), newCore(12)
	w.OK(w.register(a), w.register(b))
	w.refused(w.register(c), wire.ErrNodesOfOperator)
	w.OK(w.retire(a.operator, a))
	w.OK(w.register(c))
}

func TestAVRFKeyBelongsToOneNodeForEver(t *testing.T) {
	w := newWorld(t, 1)
	k, thief := newCore(10), newCore(11)
	thief.vrf = k.vrf
	w.OK(w.register(k))
	w.refused(w.register(thief), wire.ErrNodeKeyUsed)
	w.OK(w.retire(k.operator, k))
	w.refused(w.register(thief), wire.ErrNodeKeyUsed)
	k.restart()
	w.OK(w.register(k))
}

func TestARegistrationInForceIsNotMadeTwice(t *testing.T) {
	w := newWorld(t, 1)
	k := newCore(10)
	w.OK(w.register(k))
	k.restart()
	w.refused(w.register(k), wire.ErrNodeExists)
	w.RunAt(w.NextMs() + 8*day)
	w.OK(w.register(k)) // it ran out
	if n := w.node(k); n.Boots != 2 || n.Standing(w.NextMs()) != wire.OK {
		t.Errorf("%+v", n)
	}
}

func TestANodeThatComesBackIsInALaterRun(t *testing.T) {
	w := newWorld(t, 1)
	k := newCore(10)
	w.OK(w.register(k))
	w.OK(w.retire(k.operator, k))
	w.refused(w.register(k), wire.ErrBootReplayed)
	k.restart()
	changed := *k
	changed.vrf = ledgertest.Key(77)
	w.refused(w.register(&changed), wire.ErrNodeKeysChanged)
	w.OK(w.register(k))
}

func TestAFullListGivesWayToNewcomersOnlyWhereARegistrationRanOut(t *testing.T) {
	w := newWorld(t, 1, func(p *public.Params) { p.MaxNodes = 2 })
	a, b, c := newCore(10), newCore(11), newCore(12)
	w.OK(w.register(a))
	w.RunAt(w.NextMs()+day, w.TxUntil(w.NextMs()+day, b.operator, public.Name, func() []byte {
		w.policies[1].MaxEvidenceMs = 2 * day
		return w.registration(b).Bytes()
	}()))
	w.refused(w.register(c), wire.ErrNodesFull)
	w.RunAt(w.NextMs() + 6*day + 12*day/24)
	w.OK(w.register(c))
	if w.node(a).Status != public.Retired || w.node(b).Status != public.Active {
		t.Errorf("%+v, %+v", w.node(a), w.node(b))
	}
	l, _ := ledgertest.Load[[]public.Listed](w.Chain, public.Name, public.ListKey)
	if len(l) != 2 {
		t.Errorf("%d are listed", len(l))
	}
}

func TestAMemberRegistersForItsPart(t *testing.T) {
	w := newWorld(t, 1)
	k := w.Founders[0]
	r := w.registration(k)
	r.Roles = public.WorkerRole
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.refused(w.Tx(k.key, public.Name, r.Bytes()), wire.ErrNodeRole)
	r.Roles |= public.VoterRole
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.OK(w.Tx(k.key, public.Name, r.Bytes()))
}

func TestEveryPolicyOfItsRolesBindsANode(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	w.policies[3].MaxRegistrationMs = 5000
	r := w.registration(k)
	r.Roles = public.VoterRole | public.WorkerRole
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	w.OK(w.Tx(k.operator, public.Name, r.Bytes()))
	if n := w.node(k); n.ExpiresMs != w.Ledger.Tip().Header.TimeMs+5000 {
		t.Errorf("expires at %d", n.ExpiresMs)
	}
}

func TestRenewalProlongsTheSameRun(t *testing.T) {
	w := newWorld(t, 1)
	k := newCore(10)
	w.refused(w.renew(k), wire.ErrNotRegistered)
	w.OK(w.register(k))
	w.RunAt(w.NextMs() + 3*day)
	w.OK(w.renew(k))
	if n := w.node(k); n.ExpiresMs != w.Ledger.Tip().Header.TimeMs+7*day || n.Registered == w.Ledger.Height() {
		t.Errorf("%+v", n)
	}
	// After its end too, as long as nobody has the device.
	w.RunAt(w.NextMs() + 8*day)
	w.OK(w.renew(k))

	other := *k
	other.restart()
	w.refused(w.renew(&other), wire.ErrBootUnknown)
}

func TestARunIsRegisteredOnceAndRunsOnlyRise(t *testing.T) {
	w := newWorld(t, 1)
	k := newCore(10)
	w.refused(w.boot(k), wire.ErrNotRegistered)
	w.OK(w.register(k))
	w.refused(w.boot(k), wire.ErrBootReplayed)

	stale := *k // the files as they are now, kept by the host
	k.restart()
	w.OK(w.boot(k))
	if n := w.node(k); n.Boots != 2 || n.BootID != k.bootID {
		t.Errorf("%+v", n)
	}
	stale.restart() // run 2 again, from the old files
	stale.bootID[0]++
	w.refused(w.boot(&stale), wire.ErrBootReplayed)
	w.refused(w.renew(&stale), wire.ErrBootUnknown)

	// Two cores started from one set of files at the same time: the first wins.
	k.restart()
	twin := *k
	twin.bootID[0]++
	done := w.Run(w.boot(k), w.boot(&twin))
	if a, b := w.Result(done, 0).Code, w.Result(done, 1).Code; a != wire.OK || b != wire.ErrBootReplayed {
		t.Errorf("%s and %s", a, b)
	}
	same := *k
	same.boots += 5
	w.refused(w.boot(&same), wire.ErrBootReplayed) // a run of its own has an id of its own
}

func TestRenewalsAreOfTheSameNode(t *testing.T) {
	w := newWorld(t, 1)
	k := newCore(10)
	w.OK(w.register(k))
	w.refused(w.Tx(ledgertest.Bob, public.Name, w.renew(k).Payload), wire.ErrNotOperator)

	vrf, operator, moved := *k, *k, *k
	vrf.vrf = ledgertest.Key(77)
	w.refused(w.renew(&vrf), wire.ErrNodeKeysChanged)
	operator.operator = ledgertest.Bob
	w.refused(w.Tx(k.operator, public.Name, w.renew(&operator).Payload), wire.ErrNodeKeysChanged)
	moved.device[0]++
	w.refused(w.renew(&moved), wire.ErrDeviceChanged)

	old := w.renew(k) // made before the next one, kept by the host
	w.Run()
	w.OK(w.renew(k))
	w.refused(w.Tx(k.operator, public.Name, old.Payload), wire.ErrEvidenceStale)

	w.RunAt(w.NextMs() + 8*day)
	other := newCore(11)
	other.device = k.device
	w.OK(w.register(other))
	w.refused(w.renew(k), wire.ErrDeviceTaken)
}

func TestRetiredAndRevokedNodesDoNotRenew(t *testing.T) {
	w := newWorld(t, 1)
	k, bad := newCore(10), newCore(11)
	w.refused(w.retire(k.operator, k), wire.ErrNotRegistered)
	w.OK(w.register(k), w.register(bad))
	w.refused(w.retire(ledgertest.Bob, k), wire.ErrNotOperator)
	w.OK(w.retire(k.operator, k), w.revoke(bad))
	w.refused(w.renew(k), wire.ErrNodeRetired)
	w.refused(w.retire(k.operator, k), wire.ErrNodeRetired)
	w.refused(w.renew(bad), wire.ErrNodeRevoked)
	w.refused(w.retire(bad.operator, bad), wire.ErrNodeRevoked)
	bad.restart()
	w.refused(w.boot(bad), wire.ErrNodeRevoked)
	w.RunAt(w.NextMs() + 30*day)
	w.refused(w.register(bad), wire.ErrNodeRevoked)
	if n := w.node(bad); n.Reason != "key leaked" {
		t.Errorf("reason %q", n.Reason)
	}
}

// A founder's operator is nobody it could not ask: it retires it itself.
func TestAFounderIsRetiredByWhoItNamed(t *testing.T) {
	w := newWorld(t, 3)
	w.refused(w.retire(w.Founders[0].key, w.Founders[0]), wire.ErrNotOperator)
	w.found()
	w.OK(w.retire(w.Founders[0].key, w.Founders[0]))
}

func TestMembersWriteForNothingOthersPay(t *testing.T) {
	w := newWorld(t, 1)
	k := w.Founders[0]
	w.found()
	k.restart()
	if r := w.Result(w.OK(w.boot(k)), 0); r.Credits != 0 {
		t.Errorf("a member's boot cost %d", r.Credits)
	}
	w.Run()
	if r := w.Result(w.OK(w.renew(k)), 0); r.Credits != 0 {
		t.Errorf("a member's renewal cost %d", r.Credits)
	}
	other := newCore(10)
	w.OK(w.register(other))
	other.restart()
	if r := w.Result(w.OK(w.boot(other)), 0); r.Credits == 0 {
		t.Error("an operator's boot cost nothing")
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	w, k := newWorld(t, 1), newCore(10)
	r := w.registration(k)
	for name, spoil := range map[string]func(r *public.Register){
		"claims":      func(r *public.Register) { r.Shown.Claims = append(r.Shown.Claims, 0) },
		"no claims":   func(r *public.Register) { r.Shown.Claims = nil },
		"evidence":    func(r *public.Register) { r.Shown.Evidence = append(r.Shown.Evidence, 0) },
		"no evidence": func(r *public.Register) { r.Shown.Evidence = nil },
	} {
		spoilt := *r
		spoil(&spoilt)
		spoilt.Shown.Signature = k.key.Sign(spoilt.Digest(w.Genesis.ChainID()))
		if got := w.Admit(w.Tx(k.operator, public.Name, spoilt.Bytes())); got != wire.ErrMalformed {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, b := range [][]byte{nil, {0}, {6}, {1}, append(r.Bytes(), 0), {public.KindRetire, 0x81, 0x41, 1}} {
		if got := w.Admit(w.Tx(k.operator, public.Name, b)); got != wire.ErrMalformed {
			t.Errorf("%x: %s", b, got)
		}
	}
}

// A defect in what judges evidence must stop the node, not be recorded.
func TestADefectOfTheJudgeStopsTheLedger(t *testing.T) {
	w := newWorld(t, 1)
	w.found()
	w.lab.broken, w.revision = errors.New("tables are damaged"), w.revision+1
	if _, err := w.Ledger.Execute(w.Block(w.NextMs())); err == nil || !strings.Contains(err.Error(), "tables are damaged") {
		t.Fatalf("%v", err)
	}
}
