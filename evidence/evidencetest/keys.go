package evidencetest

import (
	"crypto/rsa"
	"math/big"
	"math/rand/v2"
)

// FixedRSA is a key of 2048 bits made from a seed: a fuzzer's processes must
// agree on the vendor, and the standard library draws its own randomness.
func FixedRSA(seed byte) *rsa.PrivateKey {
	source := rand.NewChaCha8([32]byte{seed})
	one, e := big.NewInt(1), big.NewInt(65537)
	prime := func() *big.Int {
		b := make([]byte, 128)
		for {
			source.Read(b)
			b[0], b[127] = b[0]|0xC0, b[127]|1
			p := new(big.Int).SetBytes(b)
			if p.ProbablyPrime(20) && new(big.Int).GCD(nil, nil, e, new(big.Int).Sub(p, one)).Cmp(one) == 0 {
				return p
			}
		}
	}
	p, q := prime(), prime()
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(e, order), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		panic(err)
	}
	return key
}
