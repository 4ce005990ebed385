package devnet

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"cloister/wire"
)

// Files of a home.
const (
	layoutFile = "network.json"
	lockFile   = "network.lock"
	format     = "cloister-dev/v1"
	maxLayout  = 64 << 10
)

// MaxValidators bounds a network on one machine.
const MaxValidators = 15

// FirstPort is where the search for free ports begins. It lies below the
// ports that systems give to outgoing connections.
const FirstPort = 7401

// Layout is network.json: what was chosen when the network was made.
type Layout struct {
	Format     string      `json:"format"`
	Validators []Validator `json:"validators"`
}

// Validator is one member of the network.
type Validator struct {
	Name string `json:"name"` // also its folder in the home
	API  string `json:"api"`  // host:port of the public API
	Peer string `json:"peer"` // host:port for other validators
}

// Endpoint is the address of the validator's API as clients write it.
func (v *Validator) Endpoint() string { return "http://" + v.API }

// Endpoints are those of all validators.
func (l *Layout) Endpoints() []string {
	list := make([]string, len(l.Validators))
	for i := range l.Validators {
		list[i] = l.Validators[i].Endpoint()
	}
	return list
}

// Load reads the layout of a home. ok is false if there is no network in it.
func Load(home string) (l *Layout, ok bool, err error) {
	name := filepath.Join(home, layoutFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	l = new(Layout)
	if err := wire.DecodeJSON(b, l, maxLayout); err != nil {
		return nil, false, wire.Faultf(wire.ErrBadRequest, "%s: %v", name, err)
	}
	if l.Format != format || len(l.Validators) == 0 || len(l.Validators) > MaxValidators {
		return nil, false, wire.Faultf(wire.ErrBadRequest, "%s is not a %s file of 1 to %d validators", name, format, MaxValidators)
	}
	for _, v := range l.Validators {
		if filepath.Base(v.Name) != v.Name || v.Name == "." || v.Name == ".." {
			return nil, false, wire.Faultf(wire.ErrBadRequest, "%s: %q is no folder of the home", name, v.Name)
		}
	}
	return l, true, nil
}

// Save completes a home.
func (l *Layout) Save(home string) error {
	name := filepath.Join(home, layoutFile)
	if err := os.WriteFile(name+".new", wire.EncodeJSON(l), 0o644); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	return nil
}

// Plan chooses names and free ports for n validators, searching from port first up.
func Plan(n, first int) (*Layout, error) {
	if n < 1 || n > MaxValidators {
		return nil, wire.Faultf(wire.ErrBadRequest, "%d validators; 1 to %d are possible", n, MaxValidators)
	}
	ports, err := freePorts(2*n, first)
	if err != nil {
		return nil, err
	}
	l := &Layout{Format: format}
	for i := range n {
		l.Validators = append(l.Validators, Validator{
			Name: fmt.Sprintf("validator-%d", i+1), API: local(ports[i]), Peer: local(ports[n+i]),
		})
	}
	return l, nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds n ports nobody listens on. All are held until all are found,
// so that they differ.
func freePorts(n, first int) ([]int, error) {
	var ports []int
	for p := first; p <= 65535 && len(ports) < n; p++ {
		l, err := net.Listen("tcp", local(p))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, p)
	}
	if len(ports) < n {
		return nil, wire.Faultf(wire.ErrBadRequest, "no %d free ports from %d up", n, first)
	}
	return ports, nil
}

// Lock keeps a second network out of the home until release is called or the
// process ends.
func Lock(home string) (release func(), err error) {
	name := filepath.Join(home, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, wire.Faultf(wire.ErrBadRequest, "a network runs in %s already; stop it, or choose another --home", home)
	}
	return func() { f.Close() }, nil
}
