package simtee

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/intel"
	"cloister/wire"
)

// verifiers are the ones real evidence is judged by.
var verifiers = map[evidence.Kind]func(*evidence.Evidence, evidence.Source, int64) (evidence.Result, error){
	evidence.SGX: intel.Verify,
	evidence.SNP: amd.Verify,
}

func TestEvidenceIsWhatTheRealVerifiersAccept(t *testing.T) {
	for kind, verify := range verifiers {
		t.Run(kind.String(), func(t *testing.T) {
			v := vendor(t, kind)
			p, prog, data := platform(t, v), program(), [64]byte{1, 31: 2}
			e, err := p.Attest(prog, data)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := evidence.Decode(e.Bytes()); err != nil || back.Kind != kind {
				t.Fatalf("encoding: %v", err)
			}
			r, err := verify(e, source(t, now, v), now.Unix())
			if err != nil {
				t.Fatal(err)
			}
			signer := wire.Hash(sha256.Sum256(prog.ReleaseKey))
			wantProd := prog.ProdID
			if kind == evidence.SNP {
				digest := sha512.Sum384(prog.ReleaseKey)
				signer, wantProd = sha256.Sum256(digest[:]), 0
			}
			want := evidence.Measurement{
				Kind: kind, Code: prog.Code.CodeID(kind), Signer: signer, ProdID: wantProd, SVN: prog.SVN, Device: p.Device(),
			}
			if r.Measurement != want {
				t.Errorf("measurement %+v, want %+v", r.Measurement, want)
			}
			if r.Status != evidence.UpToDate || r.ReportData != data || !r.Simulated || len(r.Advisories) != 0 {
				t.Errorf("result %+v", r)
			}

			prog.Debug = true
			if e, err = p.Attest(prog, data); err != nil {
				t.Fatal(err)
			}
			if r, err = verify(e, source(t, now, v), now.Unix()); err != nil || !r.Debug {
				t.Errorf("debug: %t, %v", r.Debug, err)
			}
		})
	}
}

func TestEvidenceOfAnotherVendorIsNotTrusted(t *testing.T) {
	v := vendor(t, evidence.SGX)
	other, err := NewVendor(evidence.SGX, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := platform(t, other).Attest(program(), [64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := intel.Verify(e, source(t, now, v), now.Unix()); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("under another root: %v", err)
	}
	// Two vendors' collateral does not get in each other's way.
	if r, err := intel.Verify(e, source(t, now, v, other), now.Unix()); err != nil || r.Status != evidence.UpToDate {
		t.Errorf("both roots trusted: %+v, %v", r, err)
	}
}

func TestAStatusChangesByNewCollateralAlone(t *testing.T) {
	v := vendor(t, evidence.SGX)
	p := platform(t, v)
	e, err := p.Attest(program(), [64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	before := source(t, now, v)
	for _, status := range []evidence.Status{evidence.OutOfDate, evidence.SWHardeningNeeded, evidence.ConfigurationNeeded, evidence.Revoked} {
		if err := v.SetStatus(DefaultTCB, status, "SIM-SA-00009"); err != nil {
			t.Fatal(err)
		}
		r, err := intel.Verify(e, source(t, now, v), now.Unix())
		if err != nil || r.Status != status || len(r.Advisories) != 1 {
			t.Errorf("%s: %s %v, %v", status, r.Status, r.Advisories, err)
		}
	}
	if r, err := intel.Verify(e, before, now.Unix()); err != nil || r.Status != evidence.UpToDate {
		t.Errorf("under the collateral from before: %s, %v", r.Status, err)
	}
	for _, bad := range []error{
		v.SetStatus(0, evidence.UpToDate), v.SetStatus(MaxTCB+1, evidence.UpToDate), v.SetStatus(1, evidence.NotSupported), v.SetStatus(1, 77),
		vendor(t, evidence.TPM).SetStatus(1, evidence.OutOfDate),
	} {
		if bad == nil {
			t.Error("an impossible status was taken")
		}
	}
}

func TestAPlatformOnAnOlderLevelSaysSo(t *testing.T) {
	v := vendor(t, evidence.SGX)
	p := platform(t, v)
	for level, want := range map[int]evidence.Status{1: evidence.OutOfDate, DefaultTCB - 1: evidence.OutOfDate, MaxTCB: evidence.UpToDate} {
		if err := p.SetTCB(level); err != nil {
			t.Fatal(err)
		}
		e, err := p.Attest(program(), [64]byte{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := intel.Verify(e, source(t, now, v), now.Unix())
		if err != nil || r.Status != want || r.Device != p.Device() {
			t.Errorf("level %d: %s, %v", level, r.Status, err)
		}
	}
	again, err := OpenPlatform(p.dir)
	if err != nil || again.state.TCB != p.state.TCB {
		t.Errorf("the level is not kept: %v", err)
	}
	if p.SetTCB(0) == nil || p.SetTCB(MaxTCB+1) == nil {
		t.Error("an impossible level was taken")
	}

	snp := platform(t, vendor(t, evidence.SNP))
	var seen [][]byte
	for _, level := range []int{2, 6} {
		if err := snp.SetTCB(level); err != nil {
			t.Fatal(err)
		}
		e, err := snp.Attest(program(), [64]byte{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := amd.Verify(e, source(t, now, vendor(t, evidence.SNP)), now.Unix())
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, r.Level)
	}
	if string(seen[0]) == string(seen[1]) {
		t.Error("two levels of an SNP platform look alike")
	}
}

func TestARevokedPlatformIsRefused(t *testing.T) {
	for kind, verify := range verifiers {
		t.Run(kind.String(), func(t *testing.T) {
			v := vendor(t, kind)
			p, other := platform(t, v), platform(t, v)
			e, err := p.Attest(program(), [64]byte{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // once more changes nothing
				if err := v.Revoke(p); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := verify(e, source(t, now, v), now.Unix()); wire.CodeOf(err) != wire.ErrEvidenceRevoked {
				t.Errorf("revoked: %v", err)
			}
			if e, err = other.Attest(program(), [64]byte{}); err != nil {
				t.Fatal(err)
			}
			_, err = verify(e, source(t, now, v), now.Unix())
			if revoked := wire.CodeOf(err) == wire.ErrEvidenceRevoked; revoked != (kind == evidence.SNP) {
				t.Errorf("another platform of the vendor: %v", err)
			}
		})
	}
	stranger, err := NewVendor(evidence.SGX, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if stranger.Revoke(platform(t, vendor(t, evidence.SGX))) == nil {
		t.Error("a vendor revoked what it did not make")
	}
}

// checkers are what a ledger judges collateral with.
var checkers = map[evidence.Kind]func(evidence.Item, evidence.Source, int64) (evidence.Key, evidence.Freshness, error){
	evidence.SGX: func(i evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
		return intel.CheckItem(&i, src, at)
	},
	evidence.SNP: amd.CheckItem,
}

func TestCollateralIsFreshForAMonthAndReplacesOlder(t *testing.T) {
	for kind, check := range checkers {
		t.Run(kind.String(), func(t *testing.T) {
			v := vendor(t, kind)
			src := source(t, now, v)
			items, err := v.Items(now)
			if err != nil {
				t.Fatal(err)
			}
			if len(items) != len(src.Items) {
				t.Errorf("%d items, %d keys", len(items), len(src.Items))
			}
			if err := v.change(func(*vendorState) error { return nil }); err != nil {
				t.Fatal(err)
			}
			later, err := v.Items(now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			for i, item := range items {
				key, f, err := check(item, src, now.Unix())
				if err != nil {
					t.Fatalf("%s: %v", item.Type, err)
				}
				if _, held := src.Item(key); !held {
					t.Errorf("the ledger keeps it under %s, Source does not", key)
				}
				if item.Type == evidence.AMDChain {
					continue // a certificate, of its own validity
				}
				if f.Issued != now.Unix() || f.Expires != now.Add(fresh).Unix() {
					t.Errorf("%s: %+v", key, f)
				}
				if _, _, err := check(item, src, now.Add(fresh+time.Second).Unix()); wire.CodeOf(err) != wire.ErrCollateralExpired {
					t.Errorf("%s after a month: %v", key, err)
				}
				key2, f2, err := check(later[i], src, now.Add(time.Hour).Unix())
				if err != nil || key2 != key || !f2.Newer(f) || f2.Number != f.Number+1 {
					t.Errorf("%s an hour later: %+v, %v", key2, f2, err)
				}
			}
		})
	}
}

func TestEverythingASimulatedVendorMakesSaysSo(t *testing.T) {
	for _, kind := range Kinds() {
		v := vendor(t, kind)
		s, err := v.state()
		if err != nil {
			t.Fatal(err)
		}
		ders := append(platform(t, v).state.leaves(), s.Root.Cert, s.Intermediate.Cert)
		if kind == evidence.SGX {
			ders = append(ders, s.Signer.Cert)
			if len(s.FMSPC) != 6 || s.FMSPC[0] != 0xc1 {
				t.Errorf("FMSPC %x", s.FMSPC)
			}
		}
		for _, der := range ders {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(c.Subject.CommonName, "Simulated ") {
				t.Errorf("%s: certificate of %q", kind, c.Subject.CommonName)
			}
		}
		anchors, err := v.Anchors()
		if err != nil || len(anchors) != 1 || !anchors[0].Simulated || anchors[0].Vendor != kind.Vendor() {
			t.Errorf("%s: %+v, %v", kind, anchors, err)
		}
	}
}
