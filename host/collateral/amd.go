package collateral

import (
	"context"
	"slices"
	"strings"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/wire"
)

// AMD gets what SNP evidence of a product line is judged by: the root's
// revocation list and the intermediate certificate, in this order. vlek asks
// for the intermediate of clouds' keys instead of chips' own. Errors are as of
// Intel.
func (f *Fetcher) AMD(ctx context.Context, product string, vlek bool) ([]evidence.Item, error) {
	if !slices.Contains([]string{amd.Milan, amd.Genoa, amd.Turin}, product) {
		return nil, wire.Faultf(wire.ErrBadRequest, "collateral: AMD has no product line %.40q", product)
	}
	role := "vcek"
	if vlek {
		role = "vlek"
	}
	line, base := strings.ToLower(product), f.cfg.AMDKDS+"/"+role+"/v1/"+product
	return f.collect(ctx, []want{
		{"amd-" + line + "-crl", base + "/crl", readAMDCRL, f.isListOf(evidence.AMD, product)},
		{"amd-" + line + "-" + role, base + "/cert_chain", readAMDChain, isKey(evidence.AMDChain, product+"/"+role)},
	})
}

func readAMDCRL(a *answer) (evidence.Item, error) {
	return evidence.Item{Type: evidence.CRL, Body: a.body}, nil
}

// readAMDChain takes the intermediate; the root after it is trusted or not
// whatever the vendor's server says.
func readAMDChain(a *answer) (evidence.Item, error) {
	ders, err := certificates(a.body, 2)
	if err != nil {
		return evidence.Item{}, err
	}
	return evidence.Item{Type: evidence.AMDChain, Body: ders[0]}, nil
}
