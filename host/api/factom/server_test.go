package factom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloister/wire"
)

const heights = `{"jsonrpc":"2.0","id":1,"method":"heights"}`

func over(s *Server, method, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/v2", strings.NewReader(body))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestAnyMethodWithABodyIsAnswered(t *testing.T) {
	s := serve(t, newWorld(t))
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "ANYTHING"} {
		w := over(s, method, heights, nil)
		if w.Code != 200 || !strings.HasPrefix(w.Body.String(), accept) {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", method, name, got)
			}
		}
	}
}

func TestARequestWithoutABodyIsInvalid(t *testing.T) {
	s := serve(t, newWorld(t))
	r := httptest.NewRequest("GET", "/v2", nil)
	r.Body = nil
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 400 || w.Body.String() != `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBrowsersMayAskFromAnywhere(t *testing.T) {
	w := over(serve(t, newWorld(t)), "OPTIONS", "", func(r *http.Request) {
		r.Header.Set("Access-Control-Request-Method", "POST")
	})
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Headers") != "Content-Type, Authorization" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestRequestsAreBounded(t *testing.T) {
	s := serve(t, newWorld(t))
	pad := func(n int) string { return heights + strings.Repeat(" ", n-len(heights)) }
	if w := over(s, "POST", pad(MaxRequest), nil); w.Code != 200 {
		t.Errorf("the largest: %d %s", w.Code, w.Body)
	}
	if w := over(s, "POST", pad(MaxRequest+1), nil); w.Code != 400 || !strings.Contains(w.Body.String(), "-32600") {
		t.Errorf("larger than the largest: %d %s", w.Code, w.Body)
	}
	endless := &endlessBody{}
	w := over(s, "POST", "", func(r *http.Request) { r.Body, r.ContentLength = endless, -1 })
	if w.Code != 400 || endless.read > MaxRequest+1 {
		t.Errorf("endless: %d after %d bytes", w.Code, endless.read)
	}
}

type endlessBody struct{ read int }

func (b *endlessBody) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	b.read += len(p)
	return len(p), nil
}
func (b *endlessBody) Close() error { return nil }

func TestABodyThatBreaksOffIsInvalid(t *testing.T) {
	w := over(serve(t, newWorld(t)), "POST", "", func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(heights), brokenReader{}))
	})
	if w.Code != 400 || !strings.Contains(w.Body.String(), "-32600") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestAuthenticationIsAskedForIfItIsSet(t *testing.T) {
	s := serve(t, newWorld(t))
	s.locked, s.login = true, loginOf("user", "secret")
	for _, x := range []struct {
		user, password string
		given          bool
		code           int
	}{
		{"user", "secret", true, 200}, {"user", "Secret", true, 401}, {"users", "ecret", true, 401},
		{"", "", true, 401}, {"", "", false, 401}, {"user", "", true, 401},
	} {
		w := over(s, "POST", heights, func(r *http.Request) {
			if x.given {
				r.SetBasicAuth(x.user, x.password)
			}
		})
		if w.Code != x.code || (x.code == 401) != (w.Header().Get("WWW-Authenticate") == `Basic realm="factomd RPC"`) ||
			x.code == 401 && !strings.HasPrefix(w.Body.String(), "401 ") {
			t.Errorf("%q %q: %d %v", x.user, x.password, w.Code, w.Header())
		}
	}
}

func TestAServerIsMadeOfWhatItNeeds(t *testing.T) {
	w := newWorld(t)
	log := serve(t, w).log
	for _, c := range []Config{{State: w, Log: log}, {Source: w, Log: log}, {Source: w, State: w}} {
		if s, err := New(c); err == nil {
			s.Close()
			t.Errorf("%+v is enough", c)
		}
	}
	s, err := New(Config{Source: w, State: w, Log: log, Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if code := over(s, "POST", heights, nil).Code; code != 401 {
		t.Errorf("a password alone locks nothing: %d", code)
	}
}

func TestTroubleWithTheDataLayerIsToldWithoutDetails(t *testing.T) {
	for _, file := range recordings(t) {
		for _, x := range exchanges(t, file) {
			w := newWorld(t)
			w.err = errors.New("disk /secret/path is broken")
			status, answer := ask(serve(t, w), here, x.body())
			if strings.Contains(answer, "secret") {
				t.Errorf("%s: %s", x.Case, answer)
			}
			if status != x.Status && !strings.Contains(answer, `"error":{"code":-32603,"message":"Internal error"`) {
				t.Errorf("%s: %d %s", x.Case, status, answer)
			}
		}
	}
}

func TestACoreThatAnswersForTooFewAccountsIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w)
	s.state = forgetful{w}
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"factoid-balance","params":{"address":"FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"multiple-fct-balances","params":{"addresses":["FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q"]}}`,
	} {
		if status, answer := ask(s, here, body); status != 400 || !strings.Contains(answer, "-32603") {
			t.Errorf("%d %s", status, answer)
		}
	}
}

type forgetful struct{ State }

func (forgetful) Balances(_ context.Context, accounts []wire.Account) ([]Balance, error) {
	return make([]Balance, len(accounts)-1), nil
}

func TestRatesCountWhatIsOrdered(t *testing.T) {
	begin := time.Unix(1000, 0)
	r := newRate(begin)
	for i := range 10 {
		r.add(begin.Add(time.Duration(i)*time.Second), 6)
	}
	if total, instant := r.perSecond(begin.Add(10 * time.Second)); total != 6 || instant != 6 {
		t.Errorf("total %v, instant %v", total, instant)
	}
	if total, instant := r.perSecond(begin.Add(60 * time.Second)); total != 1 || instant != 0 {
		t.Errorf("later: total %v, instant %v", total, instant)
	}
}

func TestLargeBlocksHaveAFewPlaces(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w)
	key := wire.Hash{77}
	w.blocks[key] = &Block{Kind: EntryBlock, Key: key, Raw: make([]byte, largeBlock+1)}
	body := []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"raw-data","params":{"hash":%q}}`, key))
	var releases []func()
	for range maxLarge {
		_, status, release := s.answer(t.Context(), here, body, nil)
		if status != 200 || release == nil {
			t.Fatalf("status %d", status)
		}
		releases = append(releases, release)
	}
	gone, cancel := cancelled(t)
	defer cancel()
	if _, status, _ := s.answer(gone, here, body, nil); status != 400 {
		t.Errorf("one more: %d", status)
	}
	releases[0]()
	if _, status, _ := s.answer(t.Context(), here, body, nil); status != 200 {
		t.Errorf("after one was sent: %d", status)
	}
	w.blocks[key].Raw = make([]byte, MaxBlock+1)
	if status, answer := ask(s, here, string(body)); status != 400 || !strings.Contains(answer, "too large") {
		t.Errorf("beyond the bound: %d %s", status, answer)
	}
}
