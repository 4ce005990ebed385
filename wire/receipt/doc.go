// Package receipt is the file that proves, offline and from the genesis file
// alone, that the ledger recorded a transaction ("ordered") and what executing
// it did ("executed").
//
// It must never trust a field of the receipt before the chain of hashes from a
// sealed header reaches it, ask the network, or accept a second encoding of
// the same receipt: a receipt has no byte that may change. It knows no engine;
// whoever calls Verify brings the rule for seals (core/consensus/rules.Seal).
//
// # How the proof hangs together
//
// One seal carries everything. It signs one header; from there
//
//	sealed header ── history path ──> header of the block   (or is that header)
//	   header of the block ── tx path ──> the transaction   (ordered)
//	sealed header ── history path ──> a later header        (or is that header)
//	   later header ── exec ──> results history ── block path ──> the block's results
//	      the block's results ── result path ──> the result (executed)
//
// # Conventions of the trees
//
// Every list is an RFC 6962 tree (package merkle). What a leaf's data is, and
// where it stands, is shared by all who write or prove these lists:
//
//	tree              root in               leaf data                      index       size
//	transactions      Header.TxRoot         encoded transaction            position    Header.TxCount
//	results of block  leaf of the next      encoded wire.Result            position    Header.TxCount
//	results history   Exec.ResultsRoot      32-byte root of the above      height      Exec.Height + 1
//	header history    Header.HistoryRoot    32-byte header hash            height      Header.Height
//
// Height 0 has no transactions, so its results root is the empty root.
//
// # Whose signature
//
// A transaction is signed by its payer. One that carries a message of Factom's
// (wire.Carry) has zeros there: then the message's own signatures are checked,
// and Verified.Signers says whose they are. A reveal has none, which its facts say.
//
// # What a receipt does not prove
//
// That the rules of the family accepted the transaction, unless it is executed
// and its code is OK; that a state still holds; or anything about hardware
// beyond what the genesis says its members claim.
//
// Members change: a handover is a sealed header that names the next set. The
// receipt holds every one from the genesis's set to the set that sealed.
//
// Consensus specification §8.
package receipt
