package node

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"cloister/wire"
)

// Bounds of node.toml.
const (
	MaxFile    = 64 << 10
	MaxPeers   = 256
	maxAddress = 255

	maxLauncher = 32
	maxFollow   = 16
	maxURL      = 300
)

// File is node.toml. Unknown keys are refused.
type File struct {
	Core struct {
		// Path of the trusted program; empty for cloister-core next to this one.
		Path string `toml:"path"`
		// MemoryMiB the core may use; 0 for its default.
		MemoryMiB uint32 `toml:"memory_mib"`
	} `toml:"core"`
	// Hardware is what the core runs on. Without it the core's store is sealed
	// with a key kept in the home, which protects nothing from this machine.
	Hardware struct {
		// Launcher is a program and its first arguments; the trusted program's
		// path is added as the last one. "{home}" in an argument is the home.
		Launcher []string `toml:"launcher,omitempty"`
	} `toml:"hardware"`
	API struct {
		Listen string `toml:"listen"` // host:port of the public API
	} `toml:"api"`
	// Factom is factomd's interface, at /v2 of the API's port.
	Factom FactomFile `toml:"factom"`
	Peer   struct {
		Listen string `toml:"listen"` // host:port for other nodes; empty for none
	} `toml:"peer"`
	Storage struct {
		// MaxBytes of the core's objects; 0 for the default of host/objects.
		MaxBytes uint64 `toml:"max_bytes"`
	} `toml:"storage"`
	// Follow keeps the archive up while this node is no member, or lost blocks.
	Follow struct {
		// Endpoints are URLs of other hosts' public API; none by default.
		Endpoints []string `toml:"endpoints,omitempty"`
	} `toml:"follow"`
	Anchor AnchorFile `toml:"anchor"`
	// Peers says where other nodes listen: host:port by node id in hex. A node
	// that is not named is looked for where its registration on the ledger says.
	Peers map[string]string `toml:"peers"`
}

// FactomFile is how factomd's interface is offered.
type FactomFile struct {
	// Listen is a second port for clients that expect factomd's, 8088; empty for none.
	Listen string `toml:"listen,omitempty"`
	// User and Password are asked for if either is set.
	User     string `toml:"user,omitempty"`
	Password string `toml:"password,omitempty"`
}

// ParseFile reads node.toml strictly. Errors carry ErrBadRequest and name the
// key that is wrong.
func ParseFile(b []byte) (*File, error) {
	if len(b) > MaxFile {
		return nil, wire.Faultf(wire.ErrBadRequest, "node.toml has %d bytes, at most %d", len(b), MaxFile)
	}
	f := new(File)
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(f); err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "node.toml: %s", explain(err))
	}
	if err := checkAddress("api.listen", f.API.Listen); err != nil {
		return nil, err
	}
	if f.Factom.Listen != "" {
		if err := checkAddress("factom.listen", f.Factom.Listen); err != nil {
			return nil, err
		}
	}
	if len(f.Hardware.Launcher) > maxLauncher {
		return nil, wire.Faultf(wire.ErrBadRequest, "node.toml: hardware.launcher has %d parts, at most %d", len(f.Hardware.Launcher), maxLauncher)
	}
	if f.Peer.Listen != "" {
		if err := checkAddress("peer.listen", f.Peer.Listen); err != nil {
			return nil, err
		}
	}
	if err := checkFollow(f.Follow.Endpoints); err != nil {
		return nil, err
	}
	if _, err := f.peers(); err != nil {
		return nil, err
	}
	return f, nil
}

// explain turns the parser's errors into one line that names keys.
func explain(err error) string {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var keys []string
		for i := range unknown.Errors[:min(len(unknown.Errors), 8)] {
			row, _ := unknown.Errors[i].Position()
			keys = append(keys, fmt.Sprintf("%q in line %d", strings.Join(unknown.Errors[i].Key(), "."), row))
		}
		return "unknown key " + strings.Join(keys, ", ")
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, column := wrong.Position()
		return fmt.Sprintf("line %d, column %d: %v", row, column, err)
	}
	return err.Error()
}

// peers gives the table by node id.
func (f *File) peers() (map[wire.NodeID]string, error) {
	if len(f.Peers) > MaxPeers {
		return nil, wire.Faultf(wire.ErrBadRequest, "node.toml: %d peers, at most %d", len(f.Peers), MaxPeers)
	}
	table := make(map[wire.NodeID]string, len(f.Peers))
	for key, place := range f.Peers {
		id, err := wire.ParseHash(key)
		if err != nil || id.String() != key {
			return nil, wire.Faultf(wire.ErrBadRequest, "node.toml: peers.%.80q is not a node id of 64 hex digits in lower case", key)
		}
		if err := checkAddress("peers."+key, place); err != nil {
			return nil, err
		}
		table[id] = place
	}
	return table, nil
}

func checkAddress(key, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil && len(address) <= maxAddress && !strings.ContainsAny(host, " \t\r\n\x00") {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return nil
		}
	}
	return wire.Faultf(wire.ErrBadRequest, "node.toml: %s = %.80q is not of the form host:port with a port number", key, address)
}

func checkFollow(endpoints []string) error {
	if len(endpoints) > maxFollow {
		return wire.Faultf(wire.ErrBadRequest, "node.toml: follow.endpoints has %d addresses, at most %d", len(endpoints), maxFollow)
	}
	for _, text := range endpoints {
		u, err := url.Parse(text)
		if err != nil || len(text) > maxURL || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return wire.Faultf(wire.ErrBadRequest, "node.toml: follow.endpoints: %.80q is not the URL of a host, such as http://127.0.0.1:7401", text)
		}
	}
	return nil
}

// Encode renders the file for a new home.
func (f *File) Encode() []byte {
	b, err := toml.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("node: %v", err)) // only strings, numbers and a map of strings
	}
	return b
}
