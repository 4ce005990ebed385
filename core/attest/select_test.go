//go:build !release

package attest

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/gate/backend"
)

// played is simulated hardware.
type played struct{ counter uint64 }

func (p *played) Info() backend.Info {
	return backend.Info{Kind: evidence.SNP, Caps: CapEvidence | CapCounter | CapElapsed | CapRandom} // claims to be real
}
func (p *played) Attest(data [64]byte) (*evidence.Evidence, error) {
	return &evidence.Evidence{Kind: evidence.SNP, Quote: data[:]}, nil
}
func (p *played) SealKey(policy SealPolicy, label string) ([32]byte, error) {
	return [32]byte{byte(policy), label[0]}, nil
}
func (p *played) ReadCounter(string) (uint64, error)      { return p.counter, nil }
func (p *played) IncrementCounter(string) (uint64, error) { p.counter++; return p.counter, nil }
func (p *played) Elapsed() (time.Duration, error)         { return time.Second, nil }
func (p *played) Random(b []byte) error                   { copy(b, "rnd"); return nil }

// offered is a connection to simulated hardware.
func offered(t *testing.T) net.Conn {
	t.Helper()
	program, hardware := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = backend.Serve(hardware, new(played))
		hardware.Close()
	}()
	t.Cleanup(func() {
		program.Close()
		<-served
	})
	return program
}

// closed reports whether the program's end of a connection was closed.
func closed(c net.Conn) bool {
	_, err := c.Write(nil)
	return err != nil
}

func TestTheHardwareThatIsThereIsSelected(t *testing.T) {
	both := gramineTree()
	both.folders = tsmTree("tdx_guest").folders
	for name, c := range map[string]struct {
		files *machine
		want  evidence.Kind
	}{
		"gramine": {gramineTree(), evidence.SGX}, "tdx": {tsmTree("tdx_guest"), evidence.TDX}, "snp": {tsmTree("sev_guest"), evidence.SNP},
		"gramine first": {both, evidence.SGX},
	} {
		offer := offered(t)
		b, err := Select(Options{Files: c.files, Random: new(random), Channel: offer})
		if err != nil || b.Kind() != c.want || b.Simulated() {
			t.Errorf("%s: %v, %v", name, b, err)
		}
		if !closed(offer) {
			t.Errorf("%s: the connection to simulated hardware is still open", name)
		}
	}
}

func TestSimulatedHardwareIsTheLastChoice(t *testing.T) {
	b, err := Select(Options{Files: noDevices(), Random: new(random), Channel: offered(t)})
	if err != nil {
		t.Fatal(err)
	}
	if !b.Simulated() || b.Kind() != evidence.SNP {
		t.Errorf("%s, simulated %t", b.Kind(), b.Simulated())
	}
	if _, err := Select(Options{Files: noDevices(), Random: new(random)}); !errors.Is(err, ErrNoBackend) {
		t.Errorf("nothing there: %v", err)
	}
	none, arm := gramineTree(), tsmTree("arm_cca_guest")
	none.files[gramineType] = []byte("none\n")
	for name, files := range map[string]*machine{"Gramine without attestation": none, "unknown provider": arm} {
		if _, err := Select(Options{Files: files, Random: new(random)}); !errors.Is(err, ErrNoBackend) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenHardwareIsNotReplacedBySimulated(t *testing.T) {
	long, noRandom := gramineTree(), tsmTree("tdx_guest")
	long.files[gramineType] = make([]byte, 100)
	for name, o := range map[string]Options{
		"gramine": {Files: long, Random: new(random)}, "configfs": {Files: noRandom},
	} {
		o.Channel = offered(t)
		if b, err := Select(o); err == nil || errors.Is(err, ErrNoBackend) {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

func TestABuildWithoutTheSimulatorRefusesIt(t *testing.T) {
	if !SimulatorBuilt() {
		t.Fatal("this build has no simulator")
	}
	built := simulator
	defer func() { simulator = built }()
	simulator = nil
	offer := offered(t)
	if _, err := Select(Options{Files: noDevices(), Random: new(random), Channel: offer}); !errors.Is(err, ErrNoBackend) {
		t.Errorf("a release build: %v", err)
	}
	if !closed(offer) {
		t.Error("the connection is still open")
	}
}

func TestSimulatedHardwareIsUsedLikeReal(t *testing.T) {
	s, err := NewSimulated(offered(t))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := s.Attest([64]byte{4}); err != nil || e.Quote[0] != 4 {
		t.Errorf("attest: %v", err)
	}
	k, err := s.SealKey(SealCode, "label")
	if err != nil || bytes.HasPrefix(k[:], []byte{byte(SealCode), 'l'}) {
		t.Errorf("seal key %x is not derived, %v", k, err)
	}
	c, err := s.Counter("boots")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Increment(); err != nil || n != 1 {
		t.Errorf("increment: %d, %v", n, err)
	}
	if n, err := c.Read(); err != nil || n != 1 {
		t.Errorf("read: %d, %v", n, err)
	}
	if d, err := s.Elapsed(); err != nil || d != time.Second {
		t.Errorf("elapsed: %v, %v", d, err)
	}
	b := make([]byte, 3)
	if err := s.Random(b); err != nil || string(b) != "rnd" {
		t.Errorf("random: %q, %v", b, err)
	}
	s.Close()
	<-s.Gone()
	if _, err := s.Attest([64]byte{}); !errors.Is(err, backend.ErrGone) {
		t.Errorf("after the end: %v", err)
	}
	program, hardware := net.Pipe()
	hardware.Close()
	if _, err := Select(Options{Files: noDevices(), Random: new(random), Channel: program}); err == nil || errors.Is(err, ErrNoBackend) {
		t.Errorf("hardware that is gone: %v", err)
	}
}
