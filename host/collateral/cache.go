package collateral

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"cloister/evidence"
	"cloister/evidence/trust"
)

// extension of the files that hold one item each.
const extension = ".item"

func (f *Fetcher) path(w *want) string { return filepath.Join(f.cfg.Dir, w.name+extension) }

// kept reads an item that was fetched before, and how long ago; nil if there is
// none that is in force. Nothing in the folder is believed: the item is verified
// again. Only its age is taken from the file, and what comes from the future is
// as good as old.
func (f *Fetcher) kept(w *want, src evidence.Source, now time.Time) (*held, time.Duration) {
	file, err := os.Open(f.path(w))
	if err != nil {
		return nil, 0
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0
	}
	b, err := io.ReadAll(io.LimitReader(file, evidence.MaxItem+1))
	if err != nil {
		return nil, 0
	}
	item, err := trust.DecodeItem(b)
	if err != nil {
		return nil, 0
	}
	h, err := check(w, item, src, now)
	if err != nil {
		return nil, 0
	}
	age := now.Sub(info.ModTime())
	if age < 0 {
		age = f.cfg.Refresh
	}
	return h, age
}

// keep puts an item into the folder, whole or not at all. It is not synced to
// the disk: what a crash leaves is verified like anything else. Failing to keep
// it costs a request later and is no reason to do without it now.
func (f *Fetcher) keep(w *want, item *evidence.Item) {
	if err := f.replace(f.path(w), trust.ItemBytes(item)); err != nil {
		f.cfg.Log.Warn("collateral.keep", "item", w.name, "error", err)
	}
}

func (f *Fetcher) replace(path string, content []byte) error {
	next, err := os.CreateTemp(f.cfg.Dir, filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // nothing is left of it after the rename
	_, err = next.Write(content)
	if closed := next.Close(); err == nil {
		err = closed
	}
	now := f.cfg.Now()
	if err == nil {
		err = os.Chtimes(next.Name(), now, now) // the age is by the fetcher's clock
	}
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	return err
}
