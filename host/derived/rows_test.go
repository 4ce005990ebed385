package derived_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/host/derived"
)

var errOver = errors.New("it is over")

func open(t *testing.T, fs vfs.FS) *derived.Rows {
	t.Helper()
	r, err := derived.Open("rows", derived.Options{FS: fs, Name: "test", Closed: errOver, Background: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t *testing.T, r *derived.Rows, keys ...string) {
	t.Helper()
	b := r.Batch()
	for _, k := range keys {
		if err := b.Set([]byte(k), []byte("of "+k), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Apply(b); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, r *derived.Rows, from, end string) string {
	t.Helper()
	var list []string
	if err := r.Scan([]byte(from), []byte(end), func(k, v []byte) (bool, error) {
		if string(v) != "of "+string(k) {
			t.Errorf("%q has value %q", k, v)
		}
		list = append(list, string(k))
		return len(list) < 3, nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestRowsAreFoundInOrder(t *testing.T) {
	r := open(t, vfs.NewMem())
	put(t, r, "a2", "a1", "b", "a3", "a4")
	if got := keys(t, r, "a", "b"); got != "a1 a2 a3" {
		t.Errorf("a scan that stops after three gives %s", got)
	}
	v, found, err := r.Get([]byte("b"))
	if err != nil || !found || string(v) != "of b" {
		t.Errorf("%q, %t, %v", v, found, err)
	}
	if _, found, err := r.Get([]byte("c")); found || err != nil {
		t.Errorf("a row that is not there: %t, %v", found, err)
	}
	if k, err := r.Last([]byte("a"), []byte("b")); string(k) != "a4" || err != nil {
		t.Errorf("last %q, %v", k, err)
	}
	if k, err := r.Last([]byte("c"), []byte("d")); k != nil || err != nil {
		t.Errorf("last of none %q, %v", k, err)
	}
	failed := errors.New("enough")
	if err := r.Scan(nil, nil, func(_, _ []byte) (bool, error) { return true, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := r.Close(true); err != nil {
		t.Fatal(err)
	}
}

// Without a flush what was in memory is lost, with one it is there.
func TestWhatIsFlushedIsThereAgain(t *testing.T) {
	fs := vfs.NewMem()
	for i, flush := range []bool{true, false} {
		r := open(t, fs)
		put(t, r, "k"+string(rune('0'+i)))
		if err := r.Close(flush); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, fs)
	if got := keys(t, r, "k", "l"); got != "k0" {
		t.Errorf("%q is left", got)
	}
	if err := r.Close(false); err != nil {
		t.Fatal(err)
	}
}

func TestClosingWaitsForReadersAndThenRefusesThem(t *testing.T) {
	r := open(t, vfs.NewMem())
	put(t, r, "a")
	reading, leave, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_ = r.Scan(nil, nil, func(_, _ []byte) (bool, error) { close(reading); <-leave; return false, nil })
	}()
	<-reading
	go func() { closed <- r.Close(true) }()
	select {
	case <-closed:
		t.Fatal("closed under a reader")
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := r.Close(true); err != nil {
		t.Errorf("closing again: %v", err)
	}
	_, _, err := r.Get([]byte("a"))
	_, last := r.Last(nil, nil)
	for _, err := range []error{err, last, r.Scan(nil, nil, nil)} {
		if !errors.Is(err, errOver) {
			t.Errorf("after the end: %v", err)
		}
	}
}

func TestAfterIsBehindEveryKeyOfAPrefix(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "a\xfe\xff": "a\xff", "\x00": "\x01"} {
		got := derived.After([]byte(prefix))
		if string(got) != want || bytes.Compare(append([]byte(prefix), bytes.Repeat([]byte{0xff}, 9)...), got) >= 0 {
			t.Errorf("after %q comes %q, want %q", prefix, got, want)
		}
	}
}
