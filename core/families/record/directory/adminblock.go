package directory

import (
	"bytes"
	"encoding/binary"

	"cloister/wire/factom"
)

// maxAdmin bounds the body of an admin block in bytes. There are a few messages per
// server; what came beyond it would stay out.
const maxAdmin = 32 << 10

func (w *walk) admin() error {
	h := &factom.AdminBlockHeader{PrevBackRefHash: w.tail.Admin, Height: w.Height}
	body := bytes.Clone(w.Work)
	if len(body) >= 4 {
		h.MessageCount = binary.BigEndian.Uint32(body)
		body = body[4:]
	}
	over, err := w.scan(rowAdmin, func(r row) (bool, error) {
		if len(body)+len(r.value)-1 <= maxAdmin {
			body = append(body, r.value[1:]...)
			h.MessageCount++
		}
		return true, nil
	})
	if err != nil || !over {
		w.Work = append(binary.BigEndian.AppendUint32(nil, h.MessageCount), body...)
		return err
	}
	h.BodySize = uint32(len(body))
	block, err := factom.ParseAdminBlock(append(h.Bytes(), body...))
	if err != nil {
		return err
	}
	w.AdminBlock = block.Bytes()
	w.Admin, w.AdminRef = block.LookupHash(), block.BackRefHash()
	w.next()
	return nil
}
