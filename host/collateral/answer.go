package collateral

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// Bounds of what a vendor says.
const (
	// maxAnswer has room for a document's wrapping.
	maxAnswer = evidence.MaxItemBody + 4<<10
	maxChain  = 3 * evidence.MaxItem // URL-encoding triples some bytes
)

// answer is what a vendor said.
type answer struct {
	header http.Header
	body   []byte
}

// ask makes one request. Errors are ErrUnknown and ErrUnreachable.
func (f *Fetcher) ask(ctx context.Context, url string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	resp, err := f.cfg.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%w: %s says %s", ErrUnknown, url, resp.Status)
	default:
		return nil, fmt.Errorf("%w: %s says %s", ErrUnreachable, url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if len(body) > maxAnswer {
		return nil, malformed("%s says more than %d bytes", url, maxAnswer)
	}
	return &answer{resp.Header, body}, nil
}

// chain reads an issuer chain of n certificates from the first of the headers
// that is there: PEM, URL-encoded.
func (a *answer) chain(n int, headers ...string) ([][]byte, error) {
	for _, name := range headers {
		value := a.header.Get(name)
		if value == "" {
			continue
		}
		if len(value) > maxChain {
			return nil, malformed("header %s has %d bytes", name, len(value))
		}
		// Not as a query: there a plus sign, which base64 has, means a space.
		text, err := url.PathUnescape(value)
		if err != nil {
			return nil, malformed("header %s: %v", name, err)
		}
		return certificates([]byte(text), n)
	}
	return nil, malformed("no header %s with who signed it", headers[0])
}

// certificates reads PEM that holds n certificates and nothing else.
func certificates(text []byte, n int) ([][]byte, error) {
	var ders [][]byte
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN CERTIFICATE-----")) || len(ders) == trust.MaxChain {
			return nil, malformed("an issuer chain is not certificates in PEM alone")
		}
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(after) >= len(rest) {
			return nil, malformed("an issuer chain is not certificates in PEM alone")
		}
		ders, rest = append(ders, block.Bytes), after
	}
	if len(ders) != n {
		return nil, malformed("an issuer chain of %d certificates, not %d", len(ders), n)
	}
	return ders, nil
}

func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrCollateralMalformed, format, args...)
}
