package backend

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloister/evidence"
	"cloister/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// device is hardware that answers with what it was asked.
type device struct {
	info Info
	fail error // if set, every request fails with it

	mu       sync.Mutex
	counters map[string]uint64
}

func newDevice() *device {
	return &device{
		info:     Info{Kind: evidence.SGX, Caps: CapEvidence | CapCounter, Simulated: true},
		counters: map[string]uint64{},
	}
}

func (d *device) Info() Info { return d.info }

func (d *device) Attest(data [64]byte) (*evidence.Evidence, error) {
	return &evidence.Evidence{Kind: d.info.Kind, Quote: data[:]}, d.fail
}

func (d *device) SealKey(p SealPolicy, label string) ([32]byte, error) {
	return sha256.Sum256(fmt.Append(nil, p, label)), d.fail
}

func (d *device) ReadCounter(name string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counters[name], d.fail
}

func (d *device) IncrementCounter(name string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counters[name]++
	return d.counters[name], d.fail
}

func (d *device) Elapsed() (time.Duration, error) { return 1500 * time.Millisecond, d.fail }

func (d *device) Random(p []byte) error {
	for i := range p {
		p[i] = byte(i)
	}
	return d.fail
}

// connect starts serving d and returns a client of it; served gives how
// serving ended.
func connect(t *testing.T, d *device) (c *Client, served chan error) {
	t.Helper()
	program, hardware := net.Pipe()
	served = make(chan error, 1)
	go func() {
		err := Serve(hardware, d)
		hardware.Close()
		served <- err
	}()
	c, err := NewClient(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, served
}

func TestTheProgramGetsWhatTheHardwareSays(t *testing.T) {
	d := newDevice()
	c, served := connect(t, d)
	want := d.info
	want.Version = Version
	if c.Info() != want {
		t.Errorf("info %+v, want %+v", c.Info(), want)
	}
	data := [64]byte{1, 63: 2}
	if e, err := c.Attest(data); err != nil || !bytes.Equal(e.Quote, data[:]) {
		t.Errorf("attest: %v, %v", e, err)
	}
	want32 := sha256.Sum256(fmt.Append(nil, SealSigner, "vault"))
	if k, err := c.SealKey(SealSigner, "vault"); err != nil || k != want32 {
		t.Errorf("seal key %x, %v", k, err)
	}
	for i := uint64(1); i < 4; i++ {
		if n, err := c.IncrementCounter("boots"); err != nil || n != i {
			t.Errorf("increment: %d, %v", n, err)
		}
	}
	if n, err := c.ReadCounter("boots"); err != nil || n != 3 {
		t.Errorf("read: %d, %v", n, err)
	}
	if n, err := c.ReadCounter("other"); err != nil || n != 0 {
		t.Errorf("a counter that was never used: %d, %v", n, err)
	}
	if e, err := c.Elapsed(); err != nil || e != 1500*time.Millisecond {
		t.Errorf("elapsed %v, %v", e, err)
	}
	r := make([]byte, MaxRandom)
	if err := c.Random(r); err != nil || r[MaxRandom-1] != byte((MaxRandom-1)&0xff) {
		t.Errorf("random: %v", err)
	}
	c.Close()
	if err := <-served; err != nil {
		t.Errorf("the program's end is no error: %v", err)
	}
	if _, err := c.Attest(data); !errors.Is(err, ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRefusalsKeepTheirMeaningAndTheConnection(t *testing.T) {
	d := newDevice()
	c, _ := connect(t, d)
	for _, refusal := range []error{ErrUnsupported, ErrBadRequest, ErrLimit, ErrFailed} {
		d.fail = fmt.Errorf("%w: a secret of the platform", refusal)
		if _, err := c.Elapsed(); err != refusal {
			t.Errorf("%v arrived as %v", refusal, err)
		}
	}
	d.fail = errors.New("a secret of the platform")
	if _, err := c.Attest([64]byte{}); err != ErrFailed {
		t.Errorf("an error without a code arrived as %v", err)
	}
	d.fail = nil
	if _, err := c.Elapsed(); err != nil {
		t.Errorf("a refusal broke the connection: %v", err)
	}
}

func TestRequestsOutOfBoundsAreRefusedAtBothEnds(t *testing.T) {
	c, _ := connect(t, newDevice())
	long := string(make([]byte, MaxLabel+1))
	for name, err := range map[string]error{
		"policy":     second(c.SealKey(3, "x")),
		"no label":   second(c.SealKey(SealCode, "")),
		"long label": second(c.SealKey(SealCode, long)),
		"no name":    second(c.ReadCounter("")),
		"long name":  second(c.IncrementCounter(long)),
		"no random":  c.Random(nil),
		"random":     c.Random(make([]byte, MaxRandom+1)),
	} {
		if !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// And where a program's own check is missing.
	for name, body := range map[string]struct {
		k kind
		b any
	}{
		"policy": {askSealKey, &sealBody{Policy: 3, Label: "x"}},
		"label":  {askSealKey, &sealBody{Policy: SealCode, Label: long}},
		"name":   {askRead, &nameBody{}},
		"random": {askRandom, &randomBody{N: MaxRandom + 1}},
	} {
		if _, err := c.exchange(body.k, body.b); !errors.Is(err, ErrBadRequest) {
			t.Errorf("hardware, %s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestConcurrentRequestsGetTheirOwnAnswers(t *testing.T) {
	c, _ := connect(t, newDevice())
	var wg sync.WaitGroup
	seen := make([]bool, 33)
	var mu sync.Mutex
	for i := range 32 {
		wg.Go(func() {
			label := fmt.Sprint(i)
			if k, err := c.SealKey(SealCode, label); err != nil || k != sha256.Sum256(fmt.Append(nil, SealCode, label)) {
				t.Errorf("%s: %x, %v", label, k, err)
			}
			n, err := c.IncrementCounter("shared")
			if err != nil || n < 1 || n > 32 {
				t.Errorf("counter %d, %v", n, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[n] {
				t.Errorf("%d was given twice", n)
			}
			seen[n] = true
		})
	}
	wg.Wait()
}

func TestLosingTheHardwareEndsEveryCall(t *testing.T) {
	program, hardware := net.Pipe()
	go func() {
		_, _, _ = readFrame(hardware, func(kind) bool { return true })
		_ = writeFrame(hardware, answer|askInfo, &Info{Version: Version, Kind: evidence.SNP})
		_, _, _ = readFrame(hardware, func(kind) bool { return true })
		hardware.Close() // in the middle of a request
	}()
	c, err := NewClient(program)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Elapsed(); !errors.Is(err, ErrGone) {
		t.Errorf("call under way: %v", err)
	}
	<-c.Gone()
	if err := c.Random(make([]byte, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("call after it: %v", err)
	}
}

// frameOf is a frame as bytes, with an announced length of its own if n >= 0.
func frameOf(k kind, n int, payload ...byte) []byte {
	if n < 0 {
		n = len(payload)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	return append(append(b, byte(k)), payload...)
}

func TestTheHardwareEndsTheConnectionOnEveryBrokenRule(t *testing.T) {
	for name, b := range map[string][]byte{
		"unknown type":     frameOf(0x20, -1),
		"an answer":        frameOf(answer|askInfo, -1, 0x80),
		"a refusal":        frameOf(refuse, -1, 0x81, 1),
		"length":           frameOf(askAttest, maxRequest+1),
		"huge length":      frameOf(askAttest, 1<<31),
		"payload":          frameOf(askInfo, -1, 0x80),
		"no payload":       frameOf(askAttest, -1),
		"not canonical":    frameOf(askRandom, -1, 0x81, 0x18, 0x01),
		"indefinite":       frameOf(askRandom, -1, 0x9f, 0x01, 0xff),
		"trailing":         frameOf(askRandom, -1, 0x81, 0x01, 0x00),
		"short data":       frameOf(askAttest, -1, 0x81, 0x41, 0x00),
		"text for a name":  frameOf(askRead, -1, 0x81, 0x41, 0x61),
		"another's answer": frameOf(0x80, -1),
	} {
		t.Run(name, func(t *testing.T) {
			program, hardware := net.Pipe()
			served := make(chan error, 1)
			go func() { served <- Serve(hardware, newDevice()); hardware.Close() }()
			go func() { _, _ = program.Write(b) }()
			if err := <-served; !errors.Is(err, ErrProtocol) {
				t.Errorf("ended with %v", err)
			}
			program.Close()
		})
	}
}

func TestTheProgramEndsTheConnectionOnEveryBrokenRule(t *testing.T) {
	small := wire.Marshal(&evidence.Evidence{Kind: evidence.SNP, Quote: []byte{1}})
	for name, b := range map[string][]byte{
		"answer to another": frameOf(answer|askElapsed, -1, 0x81, 1),
		"a request":         frameOf(askAttest, -1),
		"length":            frameOf(answer|askAttest, maxAnswer+1),
		"malformed":         frameOf(answer|askAttest, -1, 0xff),
		"another's kind":    frameOf(answer|askAttest, -1, small...),
		"refusal malformed": frameOf(refuse, -1, 0x81),
		"long refusal":      frameOf(refuse, maxSmall+1),
	} {
		t.Run(name, func(t *testing.T) {
			program, hardware := net.Pipe()
			go func() {
				defer hardware.Close()
				_, _, _ = readFrame(hardware, func(kind) bool { return true })
				_ = writeFrame(hardware, answer|askInfo, &Info{Version: Version, Kind: evidence.SGX})
				_, _, _ = readFrame(hardware, func(kind) bool { return true })
				_, _ = hardware.Write(b)
				_, _ = hardware.Read(make([]byte, 1)) // until the program has closed
			}()
			c, err := NewClient(program)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Attest([64]byte{}); !errors.Is(err, ErrProtocol) {
				t.Errorf("ended with %v", err)
			}
			<-c.Gone()
		})
	}
}

func TestAnswersNobodyAskedForAreRefused(t *testing.T) {
	program, hardware := net.Pipe()
	go func() {
		defer hardware.Close()
		_, _, _ = readFrame(hardware, func(kind) bool { return true })
		_ = writeFrame(hardware, answer|askInfo, &Info{Version: Version, Kind: evidence.SGX})
		_ = writeFrame(hardware, answer|askInfo, &Info{Version: Version, Kind: evidence.SGX})
	}()
	c, err := NewClient(program)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Gone()
	if _, err := c.Elapsed(); !errors.Is(err, ErrProtocol) {
		t.Errorf("ended with %v", err)
	}
}

func TestHardwareOfAnotherVersionOrKindIsNoHardware(t *testing.T) {
	for _, info := range []Info{{Version: Version + 1, Kind: evidence.SGX}, {Version: Version, Kind: 9}} {
		program, hardware := net.Pipe()
		go func() {
			_, _, _ = readFrame(hardware, func(kind) bool { return true })
			_ = writeFrame(hardware, answer|askInfo, &info)
		}()
		if _, err := NewClient(program); !errors.Is(err, ErrProtocol) {
			t.Errorf("%+v: %v", info, err)
		}
		hardware.Close()
	}
}

// script is a connection that says what it was given and hears everything.
type script struct{ bytes.Reader }

func (*script) Write(p []byte) (int, error) { return len(p), nil }
func (*script) Close() error                { return nil }

func FuzzServe(f *testing.F) {
	f.Add(frameOf(askInfo, -1))
	f.Add(append(frameOf(askRandom, -1, 0x81, 0x05), frameOf(askElapsed, -1)...))
	var b bytes.Buffer
	_ = writeFrame(&b, askSealKey, &sealBody{Policy: SealCode, Label: "x"})
	_ = writeFrame(&b, askAttest, &attestBody{})
	_ = writeFrame(&b, askIncrement, &nameBody{Name: "n"})
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := new(script)
		s.Reset(b)
		if err := Serve(s, newDevice()); err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzClient(f *testing.F) {
	add := func(k kind, body any) {
		var b bytes.Buffer
		_ = writeFrame(&b, k, body)
		f.Add(uint8(k&^answer), b.Bytes())
	}
	add(answer|askAttest, &evidence.Evidence{Kind: evidence.SGX, Quote: []byte{1}, Aux: [][]byte{{2}}})
	add(answer|askElapsed, &numberBody{N: 1 << 63})
	add(answer|askRandom, &bytesBody{Bytes: []byte{1}})
	add(refuse, &refusal{Code: 77})
	f.Fuzz(func(t *testing.T, ask uint8, b []byte) {
		s := new(script)
		s.Reset(b)
		k, p, err := readFrame(s, func(k kind) bool { return k == refuse || k == answer|kind(ask) })
		if err != nil {
			return
		}
		if limit, ok := k.limit(); !ok || len(p) > limit {
			t.Fatalf("frame %#x of %d bytes", k, len(p))
		}
		if e, err := decodeEvidence(p, evidence.SGX); err == nil && !bytes.Equal(e.Bytes(), p) {
			t.Error("evidence has two encodings")
		}
		for _, out := range []any{&keyBody{}, &numberBody{}, &bytesBody{}, &refusal{}, &Info{}} {
			if decode(p, out) == nil && !bytes.Equal(wire.Marshal(out), p) {
				t.Errorf("%T has two encodings", out)
			}
		}
	})
}
