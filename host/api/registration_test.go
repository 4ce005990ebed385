package api_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloister/host/api"
	"cloister/wire"
	"cloister/wire/node"
	"cloister/wire/query"
)

// willing is a core that makes a registration for whoever gets through to it.
type willing struct{ asked int }

func (w *willing) Query(_ context.Context, kind uint16, _ []byte) ([]byte, error) {
	if kind != query.KindRegistration {
		return nil, wire.Faultf(wire.ErrBadRequest, "query kind %d", kind)
	}
	w.asked++
	return []byte{1}, nil
}

// A core's registration for somebody's account makes him its operator, so it is
// nobody's to have but the machine's owner's: not through the proxy that the
// machine has for its users, and not for a page in its owner's browser.
func TestARegistrationIsMadeForProgramsOfTheMachineAlone(t *testing.T) {
	core := new(willing)
	h := serve(t, func(c *api.Config) { c.Queries = core })
	application := (&node.Application{Operator: wire.Account{1}, Roles: node.VoterRole, Name: "one", Endpoint: "127.0.0.1:1"}).Bytes()
	body := fmt.Sprintf(`{"application":%q}`, base64.StdEncoding.EncodeToString(application))
	for what, row := range map[string]struct {
		from, header, value string
		made                bool
	}{
		"a program":                                {from: "127.0.0.1:40000", made: true},
		"a program, by IPv6":                       {from: "[::1]:40000", made: true},
		"another machine":                          {from: "192.0.2.1:40000"},
		"a socket without a name":                  {from: "@"},
		"nobody known":                             {from: ""},
		"a proxy":                                  {from: "127.0.0.1:40000", header: "X-Forwarded-For", value: "192.0.2.1"},
		"a proxy that says nothing":                {from: "127.0.0.1:40000", header: "x-forwarded-for"},
		"a proxy by the standard":                  {from: "127.0.0.1:40000", header: "Forwarded", value: "for=192.0.2.1"},
		"a proxy that names itself":                {from: "127.0.0.1:40000", header: "Via", value: "2.0 proxy"},
		"a page in a browser":                      {from: "127.0.0.1:40000", header: "Origin", value: "http://127.0.0.1"},
		"another machine that says it is this one": {from: "192.0.2.1:40000", header: "X-Forwarded-For", value: "127.0.0.1"},
	} {
		req := httptest.NewRequest(http.MethodPost, "/cloister.v1.Ledger/Registration", strings.NewReader(body))
		req.RemoteAddr = row.from
		req.Header.Set("Content-Type", "application/json")
		if row.header != "" {
			req.Header.Set(row.header, row.value)
		}
		before := core.asked
		res := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(res, req)
		if made := res.Code == http.StatusOK; made != row.made || core.asked != before+map[bool]int{true: 1}[row.made] {
			t.Errorf("%s: %d %s, the core was asked %d times", what, res.Code, res.Body, core.asked-before)
		}
	}
}
