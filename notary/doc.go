// Package notary records a file tree on a chain, one signed entry per file,
// and later tells exactly which files differ from what was recorded, and when
// that was.
//
// An entry's external ids are "notarize/v1", the path relative to the tree with
// '/' between its parts, the size in decimal and the SHA-256 in hex; its content
// is small JSON with the signer's key and signature. Anyone with credits can add
// entries to a chain, so an entry counts only under the signer asked for, and
// the newest record of a path is the one with the highest signed time: an old
// record that somebody adds again changes nothing.
//
// It must never follow a symbolic link (the link itself is recorded), leave the
// tree, put a file's content on the ledger, or take a path for text: paths are
// bytes. It needs a Ledger that has verified what it returns.
//
// Invariants: what Notarize reports as recorded is final on the ledger; running
// it again records only what differs, and with its Journal never pays twice for
// what an interrupted run had sent, since that is sent again as it was; Verify lists every path of the tree and
// of the records exactly once, as matched or as a difference.
package notary
