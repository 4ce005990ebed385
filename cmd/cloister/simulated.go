package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/simtee"
)

// Simulated hardware of a development network, in a folder of its home: two
// vendors, one machine per validator, and the one copy of the trusted program
// that all of them run and the genesis approves.
const (
	simulatedFolder = "hardware"
	simulatorName   = "cloister-simtee"
	measuredCore    = "cloister-core"
)

// maxSocketFolder leaves room for "validator-1/../" and the socket's own name.
const maxSocketFolder = 70

// hardwareFlag is what the cores of a new network run on.
type hardwareFlag string

// Values of the flag.
const (
	hardwareSimulated hardwareFlag = "simulated"
	hardwareNone      hardwareFlag = "none"
)

// String implements pflag.Value.
func (h *hardwareFlag) String() string { return string(*h) }

// Type implements pflag.Value.
func (*hardwareFlag) Type() string { return "kind" }

// Set implements pflag.Value.
func (h *hardwareFlag) Set(s string) error {
	switch v := hardwareFlag(s); v {
	case hardwareSimulated, hardwareNone:
		*h = v
		return nil
	}
	return bad("--hardware is simulated or none, not %q", clip(s))
}

// simulated is that folder.
type simulated struct {
	folder  string
	vendors []*simtee.Vendor // of vendorKinds, in this order
	core    string           // the copy of the trusted program
	code    simtee.Measured
}

// vendorKinds are the makers whose machines the validators get in turn.
var vendorKinds = []evidence.Kind{evidence.SGX, evidence.SNP}

// newSimulated makes what is missing of the folder.
func newSimulated(home, core string) (*simulated, error) {
	s := &simulated{folder: filepath.Join(home, simulatedFolder)}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, fileError("create", s.folder, err)
	}
	for _, k := range vendorKinds {
		v, err := simtee.NewVendor(k, filepath.Join(s.folder, k.String()))
		if err != nil {
			return nil, fmt.Errorf("simulated %s vendor: %w", k, err)
		}
		s.vendors = append(s.vendors, v)
	}
	s.core = filepath.Join(s.folder, measuredCore)
	program, err := os.ReadFile(s.core)
	if os.IsNotExist(err) {
		// A copy: building anew must not take the network's code away, which is
		// sealed to and approved by its measurement.
		if program, err = os.ReadFile(core); err == nil {
			err = writeNew(s.core, program, 0o755)
		}
	}
	if err != nil {
		return nil, fileError("copy", core, err)
	}
	s.code = simtee.Measure(program, nil)
	return s, nil
}

// machine makes the machine of a validator, counted from 0, and returns what
// starts a core on it (node.File.Hardware.Launcher).
func (s *simulated) machine(validator int) (launcher []string, err error) {
	dir := filepath.Join(s.folder, "machine-"+strconv.Itoa(validator+1))
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		if _, err := s.vendors[validator%len(s.vendors)].NewPlatform(dir); err != nil {
			return nil, fmt.Errorf("simulated machine: %w", err)
		}
	}
	platform := "{home}/../" + simulatedFolder + "/" + filepath.Base(dir)
	launcher = []string{simulatorName, "--platform", platform}
	// The switches for faults are a socket, whose path the system bounds.
	if whole, err := filepath.Abs(dir); err == nil && len(whole) < maxSocketFolder {
		launcher = append(launcher, "--control", platform+"/control")
	}
	return append(launcher, "--"), nil
}

// devSchedule has windows for committees of a few devices. An idle network makes
// about four blocks a second and a busy one a hundred, so the windows that end by
// themselves once everybody has acted are long, and the one for claims is short.
func devSchedule(validators int) map[string]any {
	least := min(2, validators) // devices of a committee: founders' are all there are at first
	return map[string]any{
		"s_min": least, "d_min": least, "k": 13, "join_rate_min": 64,
		"epoch": 64, "vrf_delay": 1, "ra_period": 1 << 14, "ra_grace": 1 << 10, "spacing": 8, "cooldown": 64, "dispute_window": 256,
		"w_evid": 600, "w_claim": 40, "w_chal": 400, "w_ans": 600, "w_commit": 400, "w_reveal": 400,
	}
}

// trust approves both vendors, their collateral and the one program.
func (s *simulated) trust(now time.Time) (*trust.Genesis, error) {
	t := &trust.Genesis{
		Testnet: true,
		// Of a machine with a TPM all that it booted has to be approved.
		Mandatory: []trust.Component{trust.BootLoader, trust.Kernel, trust.NodeBinary, trust.Image},
	}
	for i, v := range s.vendors {
		anchors, err := v.Anchors()
		if err != nil {
			return nil, err
		}
		for _, a := range anchors {
			t.Roots = append(t.Roots, trust.NewGenesisRoot(&trust.Root{
				Vendor: a.Vendor, DER: a.DER, Name: "simulated " + vendorKinds[i].String(), Product: a.Product,
				Class: trust.CPU, IssuePercent: 100, Simulated: true,
			}))
		}
		items, err := v.Items(now)
		if err != nil {
			return nil, err
		}
		for i := range items {
			t.Items = append(t.Items, trust.NewGenesisItem(&items[i]))
		}
		code := s.code.CodeID(vendorKinds[i])
		t.Measurements = append(t.Measurements, trust.NewGenesisMeasurement(&trust.Measurement{
			Component: trust.Image, Version: "cloister-core " + version + " on " + vendorKinds[i].String(), Alg: trust.SHA256, Digest: code[:], Register: "CODEID",
		}))
	}
	for _, role := range []policy.Role{policy.Voter, policy.Gatekeeper} {
		p := policy.Default(role, true)
		p.RefusedProducts = nil // the simulated chips are "Milan"
		t.Policies = append(t.Policies, p)
	}
	return t, nil
}
