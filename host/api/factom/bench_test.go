package factom

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloister/wire"
)

// discard is the cheapest ResponseWriter.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// The cost of the handler itself, without the connection.
func benchmarkHandler(b *testing.B, body string) {
	s := serve(b, newWorld(b))
	s.fates = newFates(64)
	r := httptest.NewRequest("POST", "/v2", nil)
	reader := bytes.NewReader(nil)
	r.Body = io.NopCloser(reader)
	w := &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset([]byte(body))
		s.ServeHTTP(w, r)
	}
}

func BenchmarkEntry(b *testing.B) {
	benchmarkHandler(b, `{"jsonrpc":"2.0","id":1,"method":"entry","params":{"hash":"5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c"}}`)
}

func BenchmarkChainHead(b *testing.B) {
	benchmarkHandler(b, `{"jsonrpc":"2.0","id":1,"method":"chain-head","params":{"chainid":"ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d"}}`)
}

func BenchmarkEntryBlock(b *testing.B) {
	benchmarkHandler(b, `{"jsonrpc":"2.0","id":1,"method":"entry-block","params":{"keymr":"6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727"}}`)
}

func BenchmarkCommitEntry(b *testing.B) {
	benchmarkHandler(b, send("commit-entry", "message", vectors(b)["commit to it"]))
}

func BenchmarkRevealEntry(b *testing.B) {
	benchmarkHandler(b, send("reveal-entry", "entry", vectors(b)["entry without external id"]))
}

func BenchmarkRevealLargestEntry(b *testing.B) {
	benchmarkHandler(b, send("reveal-entry", "entry", newEntry(b, wire.Hash{1}, "", string(make([]byte, 10_240)))))
}

// The whole way over keep-alive connections of the loopback, client included.
func BenchmarkEntryOverHTTP(b *testing.B) {
	s := serve(b, newWorld(b))
	ts := httptest.NewServer(s)
	defer ts.Close()
	transport := ts.Client().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 64
	body := `{"jsonrpc":"2.0","id":1,"method":"entry","params":{"hash":"5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c"}}`
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := ts.Client().Post(ts.URL+"/v2", "application/json", bytes.NewReader([]byte(body)))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
}
