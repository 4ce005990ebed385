package notary

import (
	"context"
	"io/fs"
	"sort"

	"cloister/wire"
)

// Change is how a path differs from its newest record.
type Change string

// Kinds of difference.
const (
	Changed    Change = "changed"    // content or kind differs
	Missing    Change = "missing"    // recorded, not in the tree
	New        Change = "new"        // in the tree, never recorded
	Unreadable Change = "unreadable" // in the tree, cannot be compared
)

// Difference is one path that is not as recorded.
type Difference struct {
	Path   string
	Change Change
	Was    *Kept        // nil when it was never recorded
	Is     *Fingerprint // nil when missing, unreadable or special
	Err    error        // why it is unreadable
}

// Report is the outcome of Verify.
type Report struct {
	Chain       wire.Hash
	Signer      wire.PublicKey // whose records counted
	Matched     int
	Bytes       uint64       // read
	Differences []Difference // sorted by path
	Foreign     int          // records of the chain that did not count
}

// Clean reports whether the tree is as recorded.
func (r *Report) Clean() bool { return len(r.Differences) == 0 }

// Verify compares the tree under root with the newest record of each path that
// by has signed in the chain (the zero account: the chain's first signer). A
// root that is a single file is compared with its own record alone. It fails
// with ErrNotFound if the chain holds no record that counts.
func Verify(ctx context.Context, l Ledger, chain wire.Hash, by wire.Account, root string, opt Options) (*Report, error) {
	h, err := ReadHistory(ctx, l, chain, by)
	if err != nil {
		return nil, err
	}
	if h.Records == 0 {
		return nil, wire.Faultf(wire.ErrNotFound, "chain %s holds no record of this signer (%d of others)", chain, h.Foreign)
	}
	r := &Report{Chain: chain, Signer: h.Signer, Foreign: h.Foreign}
	if err := r.compare(ctx, h, root, opt); err != nil {
		return nil, err
	}
	if tree, err := isTree(root); err == nil && tree {
		for path, kept := range h.Newest {
			r.Differences = append(r.Differences, Difference{Path: path, Change: Missing, Was: &kept})
		}
	}
	sort.Slice(r.Differences, func(i, j int) bool { return r.Differences[i].Path < r.Differences[j].Path })
	return r, nil
}

// compare judges everything in the tree and takes it out of h.Newest.
func (r *Report) compare(ctx context.Context, h *History, root string, opt Options) error {
	return scan(ctx, root, func(f found) error {
		if r.judge(h, f) && opt.Progress != nil {
			opt.Progress(Step{f.path, f.print.Size})
		}
		return nil
	})
}

// judge compares one thing of the tree with its record and takes that out of
// h.Newest. It reports whether there was anything to compare.
func (r *Report) judge(h *History, f found) bool {
	kept, known := h.Newest[f.path]
	delete(h.Newest, f.path)
	d := Difference{Path: f.path, Err: f.err}
	if known {
		d.Was = &kept
	}
	switch {
	case f.err != nil:
		d.Change = Unreadable
	case f.special != 0 && !known:
		return false // was never to be recorded
	case f.special != 0:
		d.Change = Changed
	case !known:
		d.Change, d.Is = New, &f.print
	case kept.Fingerprint == f.print:
		r.Matched++
	default:
		d.Change, d.Is = Changed, &f.print
	}
	r.Bytes += f.print.Size
	if d.Change != "" {
		r.Differences = append(r.Differences, d)
	}
	return true
}

// kindOf names the type of a special file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
