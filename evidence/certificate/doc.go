// Package certificate reads X.509 certificates and revocation lists as evidence
// and collateral carry them: each in its one encoding.
//
// It must never judge who signed what, or when: that is the vendors' packages'.
//
// Invariants: no byte can be added to what is read without its being refused.
// The signature covers the inner part, and crypto/x509 passes over what stands
// after the signature inside of the outer sequence, so that part is compared
// with what we would write ourselves. And no key that is read is so large that
// checking one signature by it would be an attack.
//
// TEE specification §2.6 step 2, §8 "Evidence malleability".
package certificate
