package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// shownRoot is a maker's root as the ledger trusts it.
type shownRoot struct {
	ID           wire.Hash `json:"id"`
	Vendor       string    `json:"vendor"`
	Name         string    `json:"name"`
	Product      string    `json:"product,omitempty"`
	Class        string    `json:"class"`
	Simulated    bool      `json:"simulated"`
	IssuePercent uint8     `json:"issue_percent"`
	MaxDevices   uint32    `json:"max_devices"` // 0: no limit
	SeatCap      uint16    `json:"seat_cap"`    // 0: no limit
	SHA256       wire.Hash `json:"sha256"`      // of the certificate
	Subject      string    `json:"subject"`
	NotAfter     string    `json:"not_after"`
	Added        uint64    `json:"added"`   // height; 0: in the genesis
	Revoked      uint64    `json:"revoked"` // height; 0: not revoked
	Mode         uint8     `json:"mode,omitempty"`
	File         string    `json:"file,omitempty"`
}

func showRoot(r *trust.Root) *shownRoot {
	s := &shownRoot{
		ID: r.ID(), Vendor: r.Vendor.String(), Name: r.Name, Product: r.Product, Class: r.Class.String(), Simulated: r.Simulated,
		IssuePercent: r.IssuePercent, MaxDevices: r.MaxDevices, SeatCap: r.SeatCap, SHA256: sha256.Sum256(r.DER),
		Added: r.Added, Revoked: r.Revoked, Mode: uint8(r.Mode),
	}
	if c, err := x509.ParseCertificate(r.DER); err == nil { // what is on the ledger was read by it
		s.Subject, s.NotAfter = c.Subject.String(), c.NotAfter.UTC().Format(time.RFC3339)
	}
	return s
}

func (s *shownRoot) text(w io.Writer) {
	fields(w, "root", s.ID.String(), "vendor", s.Vendor, "name", shown(s.Name), "product", shown(s.Product), "class", s.Class,
		"hardware", marked(s.Simulated, "SIMULATED: it protects nothing"), "subject", shown(s.Subject), "valid until", s.NotAfter,
		"sha256", s.SHA256.String(), "issue", decimal(uint64(s.IssuePercent))+"% of the credit for a new device",
		"devices", limit(uint64(s.MaxDevices)), "seats in a committee", limit(uint64(s.SeatCap)), "trust", s.trust(), "file", shown(s.File))
}

func limit(n uint64) string {
	if n == 0 {
		return "no limit"
	}
	return "at most " + decimal(n)
}

// trust says whether the root is trusted, and since when.
func (s *shownRoot) trust() string {
	switch {
	case s.Revoked != 0:
		return fmt.Sprintf("REVOKED in block %d, mode %d: %s", s.Revoked, s.Mode, modeText(trust.Mode(s.Mode)))
	case s.Added == 0:
		return "since the genesis"
	}
	return fmt.Sprintf("since block %d", s.Added)
}

// shownRoots lists them.
type shownRoots struct {
	Testnet bool         `json:"testnet"` // simulated hardware may be trusted
	Roots   []*shownRoot `json:"roots"`
	Height  uint64       `json:"height"`
}

func (s *shownRoots) text(w io.Writer) {
	rows := make([][]string, len(s.Roots))
	for i, r := range s.Roots {
		state := "trusted"
		if r.Revoked != 0 {
			state = fmt.Sprintf("revoked, mode %d", r.Mode)
		}
		rows[i] = []string{r.ID.String(), r.Vendor, shown(r.Name) + marked(r.Simulated, " (simulated)"), r.Class, state}
	}
	table(w, []string{"ROOT", "VENDOR", "NAME", "CLASS", "TRUST"}, rows)
	fmt.Fprintf(w, "as of block %d, proved\n", s.Height)
}

func hardwareRoots(a *app) *cobra.Command {
	return listing("roots", func() *cobra.Command {
		var quiet bool
		c := &cobra.Command{
			Short: "List the makers' roots that evidence may end in",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				r := readRegistry(ctx, c)
				summary, err := r.summary()
				if err != nil {
					return err
				}
				list, err := r.roots()
				if err != nil {
					return err
				}
				s := &shownRoots{Testnet: summary.Testnet, Roots: []*shownRoot{}, Height: r.height}
				var ids []wire.Hash
				for _, root := range list {
					s.Roots, ids = append(s.Roots, showRoot(root)), append(ids, root.ID())
				}
				if quiet {
					return a.idLines(ids)
				}
				return a.print(s)
			}),
		}
		c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the roots' ids and nothing else")
		return c
	}, rootsShow(a), rootsAdd(a), rootsRevoke(a))
}

func rootsShow(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "show ROOT",
		Short:   "Show a root, and write its certificate to a file",
		Example: "  cloister hardware roots show $(cloister hardware roots -q | head -1) --file root.pem",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a root's id", args[0])
			if err != nil {
				return err
			}
			root, err := readRegistry(ctx, c).root(id)
			switch {
			case err != nil:
				return err
			case root == nil:
				return wire.Faultf(wire.ErrRootUnknown, "%s", id)
			}
			if file != "" {
				if err := writeNew(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.DER}), 0o644); err != nil {
					return err
				}
			}
			s := showRoot(root)
			s.File = file
			return a.print(s)
		}),
	}
	c.Flags().StringVar(&file, "file", "", "file to write the certificate to, PEM")
	return c
}

// vendorNames are how vendors are named in flags and in genesis files.
var vendorNames = map[string]evidence.Vendor{"intel": evidence.Intel, "amd": evidence.AMD, "tpm": evidence.TPMMaker}

// readCertificates reads the certificates of a file, PEM or DER.
func readCertificates(file string) ([]*x509.Certificate, error) {
	b, err := readFile(file, maxCollateral)
	if err != nil {
		return nil, err
	}
	der := b
	if block, rest := pem.Decode(b); block != nil {
		der = nil
		for ; block != nil; block, rest = pem.Decode(rest) {
			der = append(der, block.Bytes...)
		}
	}
	list, err := x509.ParseCertificates(der)
	if err != nil || len(list) == 0 {
		return nil, wire.Faultf(wire.ErrRootMalformed, "%s holds no certificate, PEM or DER", shown(file))
	}
	return list, nil
}

func rootsAdd(a *app) *cobra.Command {
	var f orderFlags
	var vendor, class string
	r := trust.Root{}
	c := &cobra.Command{
		Use:   "add FILE",
		Short: "Order that evidence may end in another root",
		Long: `Order that evidence may end in another root: one certificate, PEM or DER. Compare
its SHA-256 with what the maker publishes before approving.`,
		Example: `  cloister hardware roots show $(cloister hardware roots -q | head -1) --file another-root.pem
  cloister hardware roots add another-root.pem --vendor intel --class cpu --name "a second root" --simulated --order-file add-root.order`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = a.hardwareOrder(&f, func(_ registry, args []string) (trust.Order, error) {
		list, err := readCertificates(args[0])
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, bad("%s holds %d certificates; a root is one", shown(args[0]), len(list))
		}
		var known bool
		if r.Vendor, known = vendorNames[vendor]; !known {
			return nil, bad("--vendor is intel, amd or tpm, not %q", clip(vendor))
		}
		if err := r.Class.UnmarshalText([]byte(class)); err != nil {
			return nil, bad("--class is discrete-tpm, firmware-tpm, virtual-tpm, cpu or emulated, not %q", clip(class))
		}
		r.DER = list[0].Raw
		if r.Name == "" {
			r.Name = list[0].Subject.CommonName
		}
		return &trust.RootAdd{Root: r}, nil
	})
	f.flags(c)
	fl := c.Flags()
	fl.StringVar(&vendor, "vendor", "", "who makes the hardware: intel, amd or tpm")
	fl.StringVar(&class, "class", "", "what it endorses: discrete-tpm, firmware-tpm, virtual-tpm, cpu or emulated")
	fl.StringVar(&r.Name, "name", "", "name for people (default the certificate's)")
	fl.StringVar(&r.Product, "product", "", "AMD: product line, such as Genoa")
	fl.BoolVar(&r.Simulated, "simulated", false, "it is of simulated hardware; only for test networks")
	fl.Uint32Var(&r.MaxDevices, "max-devices", 0, "how many devices may join under it (default no limit)")
	fl.Uint16Var(&r.SeatCap, "seat-cap", 0, "seats that its devices may have in one committee (default no limit)")
	fl.Uint8Var(&r.IssuePercent, "issue-percent", 100, "how much of the usual credit its devices are given")
	required(c, "vendor", "class")
	return c
}

func rootsRevoke(a *app) *cobra.Command {
	var f orderFlags
	var mode uint8
	c := &cobra.Command{
		Use:   "revoke ROOT",
		Short: "Order that a root is trusted no more",
		Long: `Order that a root is trusted no more. Mode 1 refuses new evidence under it; mode 2
also suspends every device and node registered under it, which can leave too few
voters to order blocks.`,
		Example: "  cloister hardware roots revoke $(cloister hardware roots -q | head -1) --mode 1 --order-file revoke-root.order",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = a.hardwareOrder(&f, func(r registry, args []string) (trust.Order, error) {
		id, err := r.knownRoot(args[0])
		return &trust.RootRevoke{Root: id, Mode: trust.Mode(mode)}, err
	})
	f.flags(c)
	c.Flags().Uint8Var(&mode, "mode", 0, "1: nothing new under it; 2: also suspend what is registered")
	required(c, "mode")
	return c
}

// knownRoot reads a root's id and checks that the ledger knows it.
func (r registry) knownRoot(text string) (wire.Hash, error) {
	id, err := parseID("a root's id", text)
	if err != nil {
		return id, err
	}
	root, err := r.root(id)
	if err == nil && root == nil {
		err = wire.Faultf(wire.ErrRootUnknown, "%s", id)
	}
	return id, err
}

func hardwareCerts(a *app) *cobra.Command {
	return group("certs", "Keys of certificates below a root", certsRevoke(a))
}

func certsRevoke(a *app) *cobra.Command {
	var f orderFlags
	var files []string
	c := &cobra.Command{
		Use:   "revoke ROOT [SPKI...]",
		Short: "Order that keys below a root, leaves or intermediates, are trusted no more",
		Long: `Order that keys below a root, leaves or intermediates, are trusted no more. A key is
named by the SHA-256 of its SubjectPublicKeyInfo, 64 hex digits, or by a
certificate of it.`,
		Example: "  cloister hardware certs revoke $(cloister hardware roots -q | head -1) 33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb --order-file revoke-key.order",
		Args:    cobra.MinimumNArgs(1),
	}
	c.RunE = a.hardwareOrder(&f, func(r registry, args []string) (trust.Order, error) {
		root, err := r.knownRoot(args[0])
		if err != nil {
			return nil, err
		}
		o := &trust.CertRevoke{Root: root}
		for _, text := range args[1:] {
			spki, err := parseID("a key's SHA-256", text)
			if err != nil {
				return nil, err
			}
			o.SPKIs = append(o.SPKIs, spki)
		}
		for _, file := range files {
			list, err := readCertificates(file)
			if err != nil {
				return nil, err
			}
			for _, cert := range list {
				o.SPKIs = append(o.SPKIs, sha256.Sum256(cert.RawSubjectPublicKeyInfo))
			}
		}
		if len(o.SPKIs) == 0 {
			return nil, bad("name the keys by their SHA-256, or with --cert")
		}
		slices.SortFunc(o.SPKIs, func(x, y wire.Hash) int { return strings.Compare(string(x[:]), string(y[:])) })
		o.SPKIs = slices.Compact(o.SPKIs)
		return o, nil
	})
	f.flags(c)
	c.Flags().StringArrayVar(&files, "cert", nil, "file with certificates whose keys are meant, PEM or DER; repeat for more")
	return c
}
