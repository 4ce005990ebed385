package simtee

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cloister/evidence"
)

// fresh is how long collateral stays in force, as with the real vendors.
const fresh = 30 * 24 * time.Hour

// Levels of a simulated platform's firmware and microcode: 1 to MaxTCB, where a
// higher one is newer. A new platform has DefaultTCB.
const (
	MaxTCB     = 8
	DefaultTCB = 5
)

// ErrKind is a kind of hardware this package does not play.
var ErrKind = errors.New("simtee: only sgx, snp and tpm hardware is simulated")

const vendorFile = "vendor.json"

// Vendor is a maker of simulated hardware of one kind, with its keys. Several
// machines of a network share one. Methods are safe for concurrent use and see
// what other processes did to the same folder.
type Vendor struct {
	dir string
}

// vendorState is the content of a vendor's folder.
type vendorState struct {
	Kind         evidence.Kind
	Root         pair
	Intermediate pair // PCK CA, ASK or the maker's issuing CA
	Signer       pair // SGX: of TCB info and QE identity
	FMSPC        []byte
	QEKey        []byte              // what the quoting enclave is signed with
	Number       uint64              // of the newest collateral: tcbEvaluationDataNumber, CRL number
	Levels       [MaxTCB]levelStatus // of level i+1
	Revoked      map[string][]string // serials in hex by the issuer's collateral name
}

// levelStatus is what the vendor says about a platform level.
type levelStatus struct {
	Status     evidence.Status
	Advisories []string
}

// NewVendor makes a vendor in a folder, or opens the one that is there. kind is
// evidence.SGX, SNP or TPM. Making one takes seconds for SNP (RSA-4096 keys).
func NewVendor(kind evidence.Kind, dir string) (*Vendor, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, ErrKind
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	v := &Vendor{dir}
	err := locked(dir, func() error {
		s := new(vendorState)
		known, err := load(v.path(), s)
		if err != nil {
			return err
		}
		if known {
			if s.Kind != kind {
				return fmt.Errorf("simtee: %s makes %s hardware, not %s", dir, s.Kind, kind)
			}
			return nil
		}
		if s, err = newVendorState(kind); err != nil {
			return err
		}
		return store(v.path(), s)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// OpenVendor opens a vendor's folder.
func OpenVendor(dir string) (*Vendor, error) {
	v := &Vendor{dir}
	if _, err := v.state(); err != nil {
		return nil, err
	}
	return v, nil
}

func newVendorState(kind evidence.Kind) (*vendorState, error) {
	s := &vendorState{Kind: kind, Number: 1, Revoked: map[string][]string{}}
	for i := range s.Levels {
		s.Levels[i] = levelStatus{evidence.UpToDate, nil}
		if i+1 < DefaultTCB {
			s.Levels[i] = levelStatus{evidence.OutOfDate, []string{"SIM-SA-00001"}}
		}
	}
	found := map[evidence.Kind]func(*vendorState) error{
		evidence.SGX: foundIntel, evidence.SNP: foundAMD, evidence.TPM: foundMaker,
	}[kind]
	return s, found(s)
}

func (v *Vendor) path() string { return filepath.Join(v.dir, vendorFile) }

func (v *Vendor) state() (*vendorState, error) {
	s := new(vendorState)
	known, err := load(v.path(), s)
	if err == nil && !known {
		err = fmt.Errorf("simtee: %s is no vendor's folder; make one with 'cloister-simtee new-vendor'", v.dir)
	}
	return s, err
}

// change alters the vendor's state; collateral issued afterwards has a higher
// number.
func (v *Vendor) change(f func(*vendorState) error) error {
	return locked(v.dir, func() error {
		s, err := v.state()
		if err != nil {
			return err
		}
		if err := f(s); err != nil {
			return err
		}
		s.Number++
		return store(v.path(), s)
	})
}

// Kind is the kind of hardware the vendor makes.
func (v *Vendor) Kind() (evidence.Kind, error) {
	s, err := v.state()
	return s.Kind, err
}

// Anchors are the vendor's roots, for a test network's genesis. All are marked
// as simulated.
func (v *Vendor) Anchors() ([]evidence.Anchor, error) {
	s, err := v.state()
	if err != nil {
		return nil, err
	}
	a := evidence.Anchor{Vendor: s.Kind.Vendor(), DER: s.Root.Cert, Simulated: true}
	if s.Kind == evidence.SNP {
		a.Product = snpProduct
	}
	return []evidence.Anchor{a}, nil
}

// Items is the vendor's collateral issued now, in force for 30 days. Items
// issued later, at least a second, replace earlier ones under the same keys.
func (v *Vendor) Items(now time.Time) ([]evidence.Item, error) {
	named, err := v.collateral(now)
	if err != nil {
		return nil, err
	}
	items := make([]evidence.Item, len(named))
	for i, n := range named {
		items[i] = n.item
	}
	return items, nil
}

// Source is a set of the vendors' anchors and collateral issued now, as the
// ledger of a test network would hold them.
func Source(now time.Time, vendors ...*Vendor) (*evidence.Set, error) {
	set := new(evidence.Set)
	for _, v := range vendors {
		anchors, err := v.Anchors()
		if err != nil {
			return nil, err
		}
		set.Trusted = append(set.Trusted, anchors...)
		named, err := v.collateral(now)
		if err != nil {
			return nil, err
		}
		for _, n := range named {
			set.Add(n.key, n.item)
		}
	}
	return set, nil
}

type namedItem struct {
	key  evidence.Key
	item evidence.Item
}

func (v *Vendor) collateral(now time.Time) ([]namedItem, error) {
	s, err := v.state()
	if err != nil {
		return nil, err
	}
	now = now.UTC().Truncate(time.Second)
	var out []namedItem
	switch s.Kind {
	case evidence.SGX:
		out, err = s.intelDocuments(now)
	case evidence.SNP:
		out = []namedItem{{
			evidence.Key{Type: evidence.AMDChain, Name: snpProduct + "/vcek"},
			evidence.Item{Type: evidence.AMDChain, Body: s.Intermediate.Cert},
		}}
	}
	if err != nil {
		return nil, err
	}
	lists, err := s.lists(now)
	return append(out, lists...), err
}

// lists are the revocation lists: the root's, and the intermediate's unless it
// is AMD's, which issues none.
func (s *vendorState) lists(now time.Time) (out []namedItem, err error) {
	issuers := []pair{s.Root, s.Intermediate}
	chains := [][][]byte{nil, {s.Intermediate.Cert, s.Root.Cert}}
	if s.Kind == evidence.SNP {
		issuers = issuers[:1]
	}
	for i, issuer := range issuers {
		c, err := issuer.certificate()
		if err != nil {
			return nil, err
		}
		name := issuerName(c)
		der, err := revokedList(issuer, s.Revoked[name], s.Number, now)
		if err != nil {
			return nil, err
		}
		out = append(out, namedItem{
			evidence.Key{Type: evidence.CRL, Name: name},
			evidence.Item{Type: evidence.CRL, Body: der, Chain: chains[i]},
		})
	}
	return out, nil
}

// SetStatus makes the vendor judge a platform level (1 to MaxTCB) anew. Only SGX
// vendors publish such judgements; the next Items carry it.
func (v *Vendor) SetStatus(level int, status evidence.Status, advisories ...string) error {
	if level < 1 || level > MaxTCB {
		return fmt.Errorf("simtee: platform level %d, 1 to %d exist", level, MaxTCB)
	}
	if _, known := evidence.ParseStatus(status.String()); !known || status == evidence.NotSupported {
		return fmt.Errorf("simtee: a vendor cannot say %s", status)
	}
	return v.change(func(s *vendorState) error {
		if s.Kind != evidence.SGX {
			return fmt.Errorf("simtee: %s vendors publish no status", s.Kind)
		}
		s.Levels[level-1] = levelStatus{status, advisories}
		return nil
	})
}

// Revoke puts a platform on the vendor's revocation list: its certificates at
// every level (SGX, TPM), or, because AMD revokes no chips, the vendor's
// intermediate and with it all its platforms (SNP).
func (v *Vendor) Revoke(p *Platform) error {
	return v.change(func(s *vendorState) error {
		issuer, ders := s.Intermediate, p.state.leaves()
		if s.Kind == evidence.SNP {
			issuer, ders = s.Root, [][]byte{s.Intermediate.Cert}
		}
		above, err := issuer.certificate()
		if err != nil {
			return err
		}
		name := issuerName(above)
		for _, der := range ders {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return fmt.Errorf("simtee: certificate: %w", err)
			}
			if err := c.CheckSignatureFrom(above); err != nil {
				return fmt.Errorf("simtee: the platform is not of this vendor: %w", err)
			}
			if serial := hex.EncodeToString(c.SerialNumber.Bytes()); !slices.Contains(s.Revoked[name], serial) {
				s.Revoked[name] = append(s.Revoked[name], serial)
			}
		}
		return nil
	})
}
