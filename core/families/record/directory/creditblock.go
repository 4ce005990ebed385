package directory

import (
	"fmt"

	"cloister/wire/factom"
)

func (w *walk) credit() error {
	body, err := resumeCredit(w.Work)
	if err != nil {
		return err
	}
	over, err := w.scan(rowCredit, func(r row) (bool, error) {
		_, err := appendCredit(body, r)
		return true, err
	})
	if err != nil || !over {
		w.Work = body.AppendBinary(nil)
		return err
	}
	body.Close()
	h := w.creditHeader()
	body.Fill(h)
	w.Credit = h.Hash()
	w.next()
	w.Apart = h.Bytes()
	return nil
}

func (w *walk) creditHeader() *factom.ECBlockHeader {
	return &factom.ECBlockHeader{PrevHeaderHash: w.tail.Credit, PrevFullHash: w.tail.CreditFull, Height: w.Height}
}

func resumeCredit(work []byte) (*factom.ECBody, error) {
	if len(work) == 0 {
		return factom.NewECBody(), nil
	}
	return factom.ParseECBody(work)
}

func appendCredit(body *factom.ECBody, r row) ([]byte, error) {
	object, rest, err := factom.ParseECObject(r.value[1:])
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind an object", len(rest))
	}
	if err != nil {
		return nil, err
	}
	return body.Append(r.value[0], object)
}

// creditFull is the second pass: the body again, which says where markers are,
// and the hash over header and body.
func (w *walk) creditFull() error {
	whole, again, err := w.resumeFull()
	if err != nil {
		return err
	}
	body, err := resumeCredit(again)
	if err != nil {
		return err
	}
	over, err := w.scan(rowCredit, func(r row) (bool, error) {
		added, err := appendCredit(body, r)
		whole.Write(added)
		return true, err
	})
	if err != nil || !over {
		w.saveFull(whole, body.AppendBinary(nil))
		return err
	}
	whole.Write(body.Close())
	w.CreditFull = whole.Sum()
	w.next()
	return nil
}
