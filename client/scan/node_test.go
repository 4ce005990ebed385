package scan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloister/client/factomd"
	"cloister/wire"
)

// TestNodesArePeers scans over JSON-RPC.
func TestNodesArePeers(t *testing.T) {
	w := newWorld().run(5)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     int
			Method string
			Params struct {
				Hash   wire.Hash
				Height uint32
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		result := ""
		switch q.Method {
		case "directory-block-head":
			result = fmt.Sprintf(`{"keymr":"%s"}`, w.keys[len(w.keys)-1])
		case "dblock-by-height":
			result = fmt.Sprintf(`{"rawdata":"%x"}`, w.objects[object{Directory, w.keys[q.Params.Height]}])
		case "raw-data":
			for kind := Directory; kind <= Entry; kind++ {
				if b, ok := w.objects[object{kind, q.Params.Hash}]; ok {
					result = `{"data":"` + hex.EncodeToString(b) + `"}`
				}
			}
		}
		if result == "" {
			out.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%d,"error":{"code":-32008,"message":"Object not found"}}`, q.ID)
			return
		}
		fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%d,"result":%s}`, q.ID, result)
	}))
	defer server.Close()
	c, err := factomd.New(server.URL, factomd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, _ := scanned(t, w.network(), []Peer{NewNode(c)}, anchoring(w), Options{}, nil)
	graded(t, r, 5, 4, 4, 4)
	clean(t, r)
	if r.Peers[0] != (Conduct{Peer: c.Endpoint(), Proposed: w.keys[5]}) {
		t.Errorf("%+v", r.Peers[0])
	}
}
