package directory

import (
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

func (w *walk) directory() error {
	body := new(factom.DirectoryBody)
	if len(w.Work) == 0 {
		for _, p := range w.fixed() {
			if err := body.Append(p); err != nil {
				return err
			}
		}
	} else {
		var err error
		if body, err = factom.ParseDirectoryBody(w.Work); err != nil {
			return err
		}
	}
	over, err := w.scan(rowPair, func(r row) (bool, error) {
		return true, body.Append(pairOf(r))
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	h := &factom.DirectoryBlockHeader{
		BodyMR: body.Root(), PrevKeyMR: w.tail.Directory, PrevFullHash: w.tail.DirectoryFull,
		Minutes: uint32(w.OpenedMs / 60_000), Height: w.Height, Count: uint32(body.Count()),
	}
	if h.NetworkID, err = network(w.st); err != nil {
		return err
	}
	w.Directory, w.Header = h.KeyMR(), h.Bytes()
	w.next()
	return nil
}

func network(st ledger.State) (uint32, error) {
	p, _, err := ledger.Load[record.Progress](st, record.ProgressKey)
	return p.Network, err
}

// fixed are the pairs every directory block begins with.
func (w *walk) fixed() []factom.Pair {
	return []factom.Pair{
		{ChainID: factom.AdminChain, Key: w.Admin},
		{ChainID: factom.EntryCreditChain, Key: w.Credit},
		{ChainID: factom.FactoidChain, Key: w.Factoid},
	}
}

func pairOf(r row) factom.Pair {
	return factom.Pair{ChainID: wire.Hash(r.key), Key: wire.Hash(r.value)}
}

func (w *walk) directoryFull() (done bool, err error) {
	whole := factom.NewDigest(w.Header)
	if len(w.Work) > 0 {
		if whole, err = factom.ParseDigest(w.Work); err != nil {
			return false, err
		}
	} else {
		for _, p := range w.fixed() {
			whole.Write(p.Bytes())
		}
	}
	over, err := w.scan(rowPair, func(r row) (bool, error) {
		p := pairOf(r)
		whole.Write(p.Bytes())
		return true, nil
	})
	if err != nil || !over {
		w.Work = whole.AppendBinary(nil)
		return false, err
	}
	w.tail.DirectoryFull = whole.Sum()
	return true, nil
}
