package node

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloister/wire"
)

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var peerID = wire.TH("peer").String()

func TestAFileComesBackAsItWasWritten(t *testing.T) {
	f := new(File)
	f.Core.Path, f.Core.MemoryMiB = "bin/cloister-core", 2048
	f.API.Listen, f.Peer.Listen = "127.0.0.1:7401", "[::]:7501"
	f.Storage.MaxBytes = 1 << 40
	f.Hardware.Launcher = []string{"cloister-simtee", "--platform", "{home}/platform", "--"}
	f.Follow.Endpoints = []string{"http://127.0.0.1:7402", "https://host.example"}
	f.Peers = map[string]string{peerID: "validator-2.example:7501"}
	back, err := ParseFile(f.Encode())
	if err != nil || !reflect.DeepEqual(back, f) {
		t.Fatalf("%+v became %+v, %v", f, back, err)
	}
}

func TestWhatIsWrongInAFileIsNamed(t *testing.T) {
	const good = "[api]\nlisten = \"127.0.0.1:7401\"\n"
	if _, err := ParseFile([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for text, named := range map[string]string{
		"":                                   "api.listen",
		"[api]\nlisten = \"7401\"":           "api.listen",
		"[api]\nlisten = \"localhost:http\"": "api.listen",
		"[api]\nlisten = \"a b:1\"":          "api.listen",
		"[api]\nlisten = 7401":               "line 2",
		"[api]\nlisten = \"" + strings.Repeat("h", 300) + ":1\"":                       "api.listen",
		good + "[peer]\nlisten = \"nowhere\"":                                          "peer.listen",
		good + "[api]\nlisten = \"127.0.0.1:1\"":                                       "api",
		good + "lisen = \"127.0.0.1:1\"":                                               `"api.lisen" in line 3`,
		good + "[unknown]\nx = 1":                                                      "unknown",
		good + "[core]\nmemory_mib = -1":                                               "line 4",
		good + "[core]\nmemory_mib = 4294967296":                                       "line 4",
		good + "[peers]\n\"abc\" = \"h:1\"":                                            "peers",
		good + "[peers]\n\"" + strings.ToUpper(peerID) + "\" = \"h:1\"":                "peers",
		good + "[peers]\n\"" + peerID + "\" = \"h\"":                                   "peers." + peerID[:20],
		good + strings.Repeat("#", MaxFile):                                            "at most",
		"\xff":                                                                         "node.toml",
		good + "[follow]\nendpoints = [\"127.0.0.1:7401\"]":                            "follow.endpoints",
		good + "[follow]\nendpoints = [\"http://a:b@h:1\"]":                            "follow.endpoints",
		good + "[follow]\nendpoints = [\"http://h:1/?x=1\"]":                           "follow.endpoints",
		good + "[follow]\nendpoints = [" + strings.Repeat("\"http://h:1\",", 17) + "]": "follow.endpoints",
		good + "[hardware]\nlauncher = [" + strings.Repeat("\"x\",", 33) + "]":         "hardware.launcher",
	} {
		_, err := ParseFile([]byte(text))
		if wire.CodeOf(err) != wire.ErrBadRequest || !strings.Contains(err.Error(), named) {
			t.Errorf("%.80q: %v, want ErrBadRequest that names %s", text, err, named)
		}
	}
}

func TestTheCoreIsFoundNextToThisProgramUnlessNamed(t *testing.T) {
	home := t.TempDir()
	for given, want := range map[string]string{
		"/opt/cloister-core": "/opt/cloister-core",
		"bin/core":           filepath.Join(home, "bin/core"),
	} {
		if got, err := corePath(home, given); err != nil || got != want {
			t.Errorf("%s: %s, %v", given, got, err)
		}
	}
	got, err := corePath(home, "")
	if err != nil || filepath.Base(got) != CoreName || filepath.Dir(got) == home {
		t.Errorf("by default: %s, %v", got, err)
	}
}

func TestHardwareStartsTheCore(t *testing.T) {
	c := &Config{Home: "rel", CorePath: "/opt/core"}
	if path, args, err := c.command(); err != nil || path != "/opt/core" || args != nil {
		t.Fatalf("without: %s %q, %v", path, args, err)
	}
	c.Launcher = []string{"/opt/simulator", "--platform", "{home}/hardware", "--"}
	home, err := filepath.Abs("rel")
	if err != nil {
		t.Fatal(err)
	}
	path, args, err := c.command()
	if err != nil || path != "/opt/simulator" || !reflect.DeepEqual(args, []string{"--platform", home + "/hardware", "--", "/opt/core"}) {
		t.Fatalf("with: %s %q, %v", path, args, err)
	}
	c.Launcher = []string{"no-such-launcher"}
	if _, _, err := c.command(); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Fatalf("a launcher that is not there: %v", err)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("[api]\nlisten = \"127.0.0.1:7401\"\n[peers]\n\"" + peerID + "\" = \"h:1\"\n"))
	f.Add([]byte("[api]\nlisten = \":1\"\n[follow]\nendpoints = [\"http://h:1\"]"))
	f.Add([]byte("[core]\npath = \"x\"\nmemory_mib = 3\n[api]\nlisten = \":1\""))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := ParseFile(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrBadRequest {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		if _, err := ParseFile(file.Encode()); err != nil {
			t.Fatalf("accepted %q, but not what it says: %v", b, err)
		}
	})
}
