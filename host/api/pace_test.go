package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
)

// timed is a response writer that knows its deadlines.
type timed struct {
	*httptest.ResponseRecorder
	read, write time.Time
	unbounded   int // writes and flushes without a deadline
}

func (w *timed) SetReadDeadline(t time.Time) error  { w.read = t; return nil }
func (w *timed) SetWriteDeadline(t time.Time) error { w.write = t; return nil }

func (w *timed) Write(p []byte) (int, error) {
	w.note()
	return w.ResponseRecorder.Write(p)
}

func (w *timed) FlushError() error {
	w.note()
	return nil
}

func (w *timed) note() {
	if w.write.IsZero() {
		w.unbounded++
	}
}

// TestDeadlinesStandOnlyWhileBytesMove: a deadline left standing ends a request
// that waits, and a missing one lets a client hold it for ever.
func TestDeadlinesStandOnlyWhileBytesMove(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder(), write: time.Unix(1, 0)} // left by an earlier request
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.read.IsZero() || !w.write.IsZero() {
			t.Errorf("while receiving: read deadline %v, write deadline %v", w.read, w.write)
		}
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		waiting := func(when string) {
			if !w.read.IsZero() || !w.write.IsZero() {
				t.Errorf("waiting %s: read deadline %v, write deadline %v", when, w.read, w.write)
			}
		}
		waiting("after the body")
		for range 2 {
			if _, err := io.WriteString(rw, "piece"); err != nil {
				t.Error(err)
			}
			rw.(http.Flusher).Flush()
			waiting("between pieces")
		}
	})
	limited := newBounds(DefaultLimits).limit(handler, connect.NewErrorWriter())
	limited.ServeHTTP(w, httptest.NewRequest("POST", "/x", strings.NewReader("body")))
	if w.unbounded != 0 {
		t.Errorf("%d sends had no deadline", w.unbounded)
	}
	if w.write.IsZero() {
		t.Error("what the server sends at the end has no deadline")
	}
}

// TestARequestWithoutABodyMayWait: there is nothing to receive in time.
func TestARequestWithoutABodyMayWait(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if !w.read.IsZero() {
			t.Errorf("read deadline %v", w.read)
		}
	})
	newBounds(DefaultLimits).limit(handler, connect.NewErrorWriter()).ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
}
