// Package evidencetest finds the real quotes, reports and collateral that tests
// of verifiers run on. They are not part of the repository; they lie beside it,
// in shared/testdata/attestation. It also makes the keys of simulated vendors.
//
// It is the one place where a test may skip itself: where that folder is absent.
package evidencetest
