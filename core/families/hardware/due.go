package hardware

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/hardware"
)

// duty is what falls due at the end of a block.
type duty uint8

const (
	dutyTask     duty = 1 // a task's phase ends; Mark is the phase and attempt it ends in
	dutyPeriodic duty = 2 // a device has to prove itself again; Mark is its LastPass
	dutyStale    duty = 3 // too long without a PASS; Mark is its LastPass
	dutyVRF      duty = 4 // a VRF key begins to count; Mark is the height
	dutyPrune    duty = 5 // a closed task can be forgotten
)

// due is one duty. What it was made for may have changed since: Mark tells.
type due struct {
	_    struct{} `cbor:",toarray"`
	Duty duty
	ID   wire.Hash
	Mark uint64
}

// duePage is how many duties share a row.
const duePage = 32

// dues is a page of duties.
type dues struct {
	_    struct{} `cbor:",toarray"`
	List []due
}

// dueHead is the first page of a height's duties: how many there are, and how
// many of them are done.
type dueHead struct {
	_    struct{} `cbor:",toarray"`
	All  uint32
	Done uint32
}

const headPage = 1<<32 - 1

// schedule puts a duty at a height, which must be one whose duties are not
// being done yet.
func (b *book) schedule(height uint64, d due) error {
	if height < b.floor {
		return fmt.Errorf("hardware: duty %d at height %d, below %d", d.Duty, height, b.floor)
	}
	key := hardware.DueKey(height, headPage)
	head, err := row[dueHead](b, key)
	if err != nil {
		return err
	}
	if head == nil {
		head = new(dueHead)
	}
	pageKey := hardware.DueKey(height, head.All/duePage)
	page, err := row[dues](b, pageKey)
	if err != nil {
		return err
	}
	if page == nil {
		page = new(dues)
	}
	page.List = append(page.List, d)
	head.All++
	if err := save(b, pageKey, page); err != nil {
		return err
	}
	return save(b, key, head)
}

// perform does what is due up to this height, oldest first, until the book is
// heavier than limit; the rest stays for the next block.
func (b *book) perform(limit int, do func(due) error) error {
	for ; b.totals.NextDue <= b.height; b.totals.NextDue++ {
		done, err := b.performAt(b.totals.NextDue, limit, do)
		if err != nil || !done {
			return err
		}
	}
	return nil
}

func (b *book) performAt(height uint64, limit int, do func(due) error) (done bool, err error) {
	key := hardware.DueKey(height, headPage)
	head, err := row[dueHead](b, key)
	if err != nil || head == nil {
		return err == nil, err
	}
	for ; head.Done < head.All; head.Done++ {
		if b.weight >= limit {
			return false, save(b, key, head)
		}
		pageKey := hardware.DueKey(height, head.Done/duePage)
		page, err := row[dues](b, pageKey)
		if err != nil {
			return false, err
		}
		if page == nil || int(head.Done%duePage) >= len(page.List) {
			return false, missing(nil, "duty %d of height %d", head.Done, height)
		}
		if err := do(page.List[head.Done%duePage]); err != nil {
			return false, err
		}
		if head.Done+1 == head.All || (head.Done+1)%duePage == 0 {
			if err := b.drop(pageKey); err != nil {
				return false, err
			}
		}
	}
	return true, b.drop(key)
}
