package hardware

import (
	"bytes"
	"encoding/json"
	"testing"

	"cloister/wire"
)

func TestParametersReadBackAndKeepTheirDefaults(t *testing.T) {
	p := DefaultParams()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got Params
	if err := json.Unmarshal(text, &got); err != nil || !bytes.Equal(wire.Marshal(got), wire.Marshal(p)) {
		t.Errorf("%s: %v", text, err)
	}
	got = Params{}
	if err := json.Unmarshal([]byte(`{"k":7,"owner_seat_cap":2,"epoch":9}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Committee.K != 7 || got.Schedule.Epoch != 9 || got.Committee.SMin != 4 || got.Schedule.WEvid != 20 {
		t.Errorf("%+v", got)
	}
	if err := json.Unmarshal([]byte(`{"w_evd":1}`), &got); err == nil {
		t.Error("a misspelled parameter is accepted")
	}
	if again, err := decodeParams(wire.Marshal(&p)); err != nil || !bytes.Equal(wire.Marshal(again), wire.Marshal(&p)) {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeParams(f *testing.F) {
	p := DefaultParams()
	f.Add(wire.Marshal(&p))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeParams(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(wire.Marshal(got), b) {
			t.Fatalf("%x is a second encoding", b)
		}
	})
}
