package committee

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/wire"
)

// bytesHex is a byte string in a vector file.
type bytesHex []byte

func (b *bytesHex) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func vectors(t testing.TB, name string, v any) {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, v); err != nil {
		t.Fatal(err)
	}
}

// named is the hash the vectors use as an arbitrary identifier.
func named(name string) wire.Hash { return sha256.Sum256([]byte(name)) }

// The VRF module calls itself a draft's; its Prove and Verify must be RFC 9381's
// suite 0x04.
func TestVRFIsRFC9381(t *testing.T) {
	var examples []struct {
		Example             int
		SK, Alpha, Pi, Beta bytesHex
	}
	vectors(t, "rfc9381.json", &examples)
	if len(examples) != 3 {
		t.Fatalf("%d examples, want 3", len(examples))
	}
	for _, v := range examples {
		sk := ed25519.NewKeyFromSeed(v.SK)
		if pi := ecvrf.Prove(sk, v.Alpha); !bytes.Equal(pi, v.Pi) {
			t.Errorf("example %d: proof %x", v.Example, pi)
		}
		ok, beta := ecvrf.Verify(sk.Public().(ed25519.PublicKey), v.Pi, v.Alpha)
		if !ok || !bytes.Equal(beta, v.Beta) {
			t.Errorf("example %d: verified %v, output %x", v.Example, ok, beta)
		}
	}
}

// v1 is the specification's selection vector with everything derived from it.
type v1 struct {
	TaskID  wire.Hash `json:"task_id"`
	Nonce   wire.Hash
	Alpha   wire.Hash
	Credits []uint64
	Tickets []uint64
	Total   uint64
	Limit   wire.Hash
	Seats   []uint16
	Dev0    struct {
		VRFPK   wire.Hash `json:"vrf_pk"`
		Ticket0 wire.Hash
		Proof   bytesHex
		Commit  wire.Hash
	}
}

func v1Params() Params {
	p := Defaults()
	p.K, p.OwnerSeatCap = 13, 4
	return p
}

// v1Devices are the vector's devices, each with the secret key of its VRF.
func v1Devices(credits []uint64) (eligible []Eligible, keys []ed25519.PrivateKey) {
	for i, credit := range credits {
		name := "ex-dev" + strconv.Itoa(i)
		seed := named(name + "-vrfseed")
		sk := ed25519.NewKeyFromSeed(seed[:])
		keys = append(keys, sk)
		eligible = append(eligible, Eligible{
			Device: named(name), Owner: named(name + "-owner"), Root: named("ex-root"),
			Credit: credit, VRF: [32]byte(sk.Public().(ed25519.PublicKey)),
		})
	}
	return eligible, keys
}

func TestSelectionVectorV1(t *testing.T) {
	var v v1
	vectors(t, "selection_v1.json", &v)
	p, chain, testee := v1Params(), named("cloister-example"), named("ex-testee")

	task := TaskID(chain, testee, KindPeriodic, 1000, named("ex-opentx"))
	if task != v.TaskID {
		t.Fatalf("task id %s", task)
	}
	if n := Nonce(chain, task, 1, testee, 1000, named("ex-blockhash")); n != v.Nonce {
		t.Errorf("nonce %s", n)
	}
	alpha := Alpha(chain, task, 1, named("ex-beacon"))
	if alpha != v.Alpha {
		t.Fatalf("alpha %s", alpha)
	}

	eligible, keys := v1Devices(v.Credits)
	T := Total(p, eligible)
	if T != v.Total {
		t.Fatalf("total of tickets %d", T)
	}
	limit, all := Limit(p, T)
	if limit != v.Limit || all {
		t.Errorf("limit %x, all %v", limit, all)
	}
	if pk := wire.Hash(eligible[0].VRF); pk != v.Dev0.VRFPK {
		t.Errorf("dev0: key %s", pk)
	}
	if proof := ecvrf.Prove(keys[0], alpha[:]); !bytes.Equal(proof, v.Dev0.Proof) {
		t.Errorf("dev0: proof %x", proof)
	}

	var claims []Claim
	for i, e := range eligible {
		beta, ok := VerifyClaim(e.VRF, alpha, ecvrf.Prove(keys[i], alpha[:]))
		if !ok {
			t.Fatalf("dev%d: proof refused", i)
		}
		c := e.Claim(p, beta)
		if c.Tickets != v.Tickets[i] {
			t.Errorf("dev%d: %d tickets", i, c.Tickets)
		}
		if len(Counting(p, T, beta, c.Tickets)) == 0 {
			t.Errorf("dev%d: nothing to claim", i)
		}
		claims = append(claims, c)
	}
	if x := Ticket(claims[0].Beta, 0); x != v.Dev0.Ticket0 {
		t.Errorf("dev0: ticket 0 is %s", x)
	}

	seats, ok := Seats(p, T, claims)
	if !ok {
		t.Fatal("no committee")
	}
	var want []Seat
	for i, n := range v.Seats {
		if n > 0 {
			want = append(want, Seat{Device: eligible[i].Device, Seats: n})
		}
	}
	slices.SortFunc(want, func(a, b Seat) int { return compare(a.Device, b.Device) })
	if !slices.Equal(seats, want) {
		t.Errorf("seats %v\nwant  %v", seats, want)
	}

	if c := Commit(task, 1, eligible[0].Device, Pass, 0, named("r"), named("s")); c != v.Dev0.Commit {
		t.Errorf("commit %s", c)
	}
}

// The specification gives no value for these; a changed one is a fork.
func TestDerivedValuesStay(t *testing.T) {
	a, b := named("a"), named("b")
	for _, v := range []struct {
		name string
		got  wire.Hash
		want wire.Hash
	}{
		{"result statement", ResultStatement(a, b, 1, a, Fail, 5, b),
			wire.TH("cloister/ra/result/v1", a[:], b[:], []byte{0, 0, 0, 1}, a[:], []byte{2}, []byte{0, 5}, b[:])},
		{"result digest", ResultDigest(a, Pass, 0, []wire.Hash{{2}, {1}}),
			wire.TH("cloister/ra/appraisal/v1", a[:], []byte{1}, []byte{0, 0}, slices.Concat([]byte{1}, make([]byte, 31), []byte{2}, make([]byte, 31)))},
		{"activation secret", ActivationSecret(a, 2, b, a, []byte("name"), b),
			wire.TH("cloister/ra/actsecret/v1", a[:], []byte{0, 0, 0, 2}, b[:], a[:], []byte("name"), b[:])},
	} {
		if v.got != v.want {
			t.Errorf("%s is %s, want %s", v.name, v.got, v.want)
		}
	}
	if j := Jitter(a, 7, 0); j != 0 {
		t.Errorf("jitter without grace is %d", j)
	}
	h := wire.TH("cloister/ra/jitter/v1", a[:], []byte{0, 0, 0, 0, 0, 0, 0, 7})
	if j := Jitter(a, 7, 256); j != uint64(h[7]) {
		t.Errorf("jitter below 256 is %d, want the last of the first eight bytes, %d", j, h[7])
	}
}
