package factom

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"cloister/wire"
)

// Config is what a server is made of. Source, State and Log must be set.
type Config struct {
	Source Source
	State  State
	Log    *slog.Logger

	Name    string // of this node, in diagnostics
	Version string // in properties

	// User and Password are asked for by basic authentication if either is set.
	User, Password string

	// Clock is for durations and times of day that factomd shows; nil is time.Now.
	// No rule depends on it.
	Clock func() time.Time
}

// Server answers factomd's JSON-RPC v2. It is an http.Handler to be mounted at
// /v2. Its one goroutine retries what is held, until Close.
type Server struct {
	source  Source
	state   State
	log     *slog.Logger
	name    string
	version string
	locked  bool // authentication is asked for
	login   [sha256.Size]byte
	clock   func() time.Time
	pause   func(context.Context, time.Duration) error // sleeps, or fails with ctx

	held  *holding
	fates *fates
	rate  *rate
	large chan struct{} // has an element per large answer in memory

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	retrier sync.WaitGroup
}

// New makes a server and starts retrying what it will hold; Close ends that.
func New(c Config) (*Server, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	s.retrier.Go(s.retry)
	return s, nil
}

// newServer is New without its goroutine.
func newServer(c Config) (*Server, error) {
	if c.Source == nil || c.State == nil || c.Log == nil {
		return nil, errors.New("factom: incomplete configuration")
	}
	s := &Server{
		source: c.Source, state: c.State, log: c.Log, name: c.Name, version: c.Version,
		locked: c.User != "" || c.Password != "", login: loginOf(c.User, c.Password),
		clock: c.Clock, pause: sleep, held: newHolding(c.Source.Now().BlockTimeMs), fates: newFates(maxFates),
		large: make(chan struct{}, maxLarge),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.rate = newRate(s.clock())
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close stops retrying and waits for it to end. What is held is lost, as with
// factomd: its senders ask for its status and send it again.
func (s *Server) Close() {
	s.stop()
	s.retrier.Wait()
}

// Ordered tells what one block put in order, when Source knows it; blocks in
// order, one call at a time. It wakes what is held and ends what is remembered
// of messages on their way. It does not block.
func (s *Server) Ordered(o Ordered) {
	s.rate.add(s.clock(), len(o.Entries)+len(o.TXIDs))
	s.fates.ordered(&o)
	s.held.ordered(&o)
}

// call is one method being answered.
type call struct {
	request
	ctx    context.Context
	remote string // address and port
	out    []byte // the answer so far; a method appends its result

	release func() // what to do when the answer is sent; nil for nothing
}

// buffers holds what a call needs, so that calls in a row allocate it once.
var buffers = sync.Pool{New: func() any { return &buffer{in: make([]byte, 0, 1024), out: make([]byte, 0, 1024)} }}

type buffer struct{ in, out []byte }

// Headers that are the same for every answer.
var (
	typeJSON = []string{"application/json"}
	anyone   = []string{"*"}
	noSniff  = []string{"nosniff"}
)

// ServeHTTP answers one call. Any HTTP method will do, as long as it has a body.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyone
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		// A browser asks whether it may: no credentials of its own are ever used.
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if s.locked && !s.admits(r) {
		h.Set("WWW-Authenticate", `Basic realm="factomd RPC"`)
		http.Error(w, "401 "+http.StatusText(http.StatusUnauthorized)+".", http.StatusUnauthorized)
		return
	}
	b := buffers.Get().(*buffer)
	defer b.release()
	var err error
	b.in, err = readBody(b.in[:0], r.Body)
	status := http.StatusBadRequest
	if err != nil {
		b.out = fail(b.out[:0], null, errRequest)
	} else {
		var release func()
		if b.out, status, release = s.answer(r.Context(), r.RemoteAddr, b.in, b.out[:0]); release != nil {
			defer release()
		}
	}
	h["Content-Type"], h["X-Content-Type-Options"] = typeJSON, noSniff
	if len(b.out) > 2048 { // below, net/http counts by itself
		h.Set("Content-Length", strconv.Itoa(len(b.out)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.out) // the connection is gone: nobody to tell
}

func (b *buffer) release() {
	if cap(b.in) <= pooledBuffer && cap(b.out) <= pooledBuffer {
		buffers.Put(b)
	}
}

// answer appends the answer to a body: 200 with a result or 400 with an error.
// release, if not nil, is to be called when it is sent.
func (s *Server) answer(ctx context.Context, remote string, body, out []byte) (answer []byte, status int, release func()) {
	r, ok := parseRequest(body)
	if !ok {
		return fail(out, null, errRequest), http.StatusBadRequest, nil
	}
	m := methods[string(r.method)]
	if m == nil {
		return fail(out, r.id, errMethod), http.StatusBadRequest, nil
	}
	c := &call{request: r, ctx: ctx, remote: remote}
	c.out = append(begin(out, r.id), `"result":`...)
	if f := m(s, c); f != nil {
		return fail(c.out[:0], r.id, f), http.StatusBadRequest, c.release
	}
	return append(c.out, '}'), http.StatusOK, c.release
}

func begin(out, id []byte) []byte {
	out = append(append(out, `{"jsonrpc":"2.0","id":`...), id...)
	return append(out, ',')
}

func fail(out, id []byte, f *failure) []byte {
	return append(f.append(append(begin(out, id), `"error":`...)), '}')
}

var errTooLarge = errors.New("factom: the request is too large")

// readBody appends a body of at most MaxRequest bytes to b.
func readBody(b []byte, from io.Reader) ([]byte, error) {
	if from == nil {
		return b, nil
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := from.Read(b[len(b):min(cap(b), MaxRequest+1)])
		switch b = b[:len(b)+n]; {
		case len(b) > MaxRequest:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// admits compares in constant time, and hashes, so that not even lengths show.
func (s *Server) admits(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	given := loginOf(user, password)
	return subtle.ConstantTimeCompare(given[:], s.login[:]) == 1 && ok
}

func loginOf(user, password string) [sha256.Size]byte {
	return wire.TH("cloister/factom-login/v1", []byte(user), []byte(password))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// missing is the failure for an error of Source: absent if the thing is not
// there, else the database's.
func (s *Server) missing(err error, absent *failure) *failure {
	switch wire.CodeOf(err) {
	case wire.ErrNotFound, wire.ErrUnknownChain:
		return absent
	case wire.ErrTooLarge:
		return internal(tooLargeBlock)
	}
	s.log.Error("the data layer cannot be read", "err", err)
	return errDatabase
}

// trouble is the failure for an error of State that says nothing about the call
// itself. Users are told what to do if the error has a code that says it.
func (s *Server) trouble(err error) *failure {
	if code := wire.CodeOf(err); passing(code) {
		return internal(code.String() + ": " + code.Info().Advice)
	}
	s.log.Error("the core refused without a reason for users", "err", err)
	return internal(nil)
}
