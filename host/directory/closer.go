package directory

import (
	"context"

	"cloister/wire/record"
)

// closer is the goroutine that closes periods, one after the other.
type closer struct {
	x    *Index
	jobs chan *record.Directory
	done chan struct{} // has an element when a period was closed lately
}

func newCloser(x *Index) *closer {
	return &closer{x: x, jobs: make(chan *record.Directory, maxSpans), done: make(chan struct{}, 1)}
}

// give hands a period over, all of whose rows are there; given is false while
// there are too many.
func (c *closer) give(d *record.Directory) (given bool) {
	select {
	case c.jobs <- d:
		return true
	default:
		return false
	}
}

// run closes periods until ctx ends. Errors: ErrCorrupt; of the disk and ctx.
func (c *closer) run(ctx context.Context) error {
	for {
		select {
		case d := <-c.jobs:
			if err := c.x.close(ctx, d); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case c.done <- struct{}{}:
		default:
		}
	}
}
