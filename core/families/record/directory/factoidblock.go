package directory

import (
	"bytes"

	"cloister/wire/factom"
)

func (w *walk) factoid() error {
	body := new(factom.FactoidBody)
	if len(w.Work) > 0 {
		var err error
		if body, err = factom.ParseFactoidBody(w.Work); err != nil {
			return err
		}
	}
	first := len(w.From) == 0
	over, err := w.scan(rowFactoid, func(r row) (bool, error) {
		parse := factom.ParseTransaction
		if first {
			parse = factom.ParseCoinbase
			w.Coinbase, first = bytes.Clone(r.value[1:]), false
		}
		t, _, err := parse(r.value[1:])
		if err != nil {
			return false, err
		}
		_, err = body.Append(r.value[0], t)
		return true, err
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	body.Close()
	h := &factom.FactoidBlockHeader{
		PrevKeyMR: w.tail.Factoid, PrevLedgerKeyMR: w.tail.FactoidLedger, Rate: w.Rate, Height: w.Height,
	}
	if err := body.Fill(h); err != nil {
		return err
	}
	w.Factoid, w.FactoidLedger = h.KeyMR(), h.LedgerKeyMR(body.LedgerRoot())
	w.next()
	return nil
}
