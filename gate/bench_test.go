package gate

import (
	"fmt"
	"io"
	"testing"
)

// An echo through the gate: a Read that the host answers at once.
func BenchmarkEcho(b *testing.B) {
	core, _ := started(b, &coreStub{}, fixedObjects{}, &hostStub{})
	for _, size := range []int{64, 4 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := core.Objects().Read(1, 0, p); err != nil || n != size {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// One way through the storage lane: appends that the host forgets.
func BenchmarkAppend(b *testing.B) {
	core, _ := started(b, &coreStub{}, fixedObjects{}, &hostStub{})
	for _, size := range []int{64, 4 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			off := uint64(0)
			for b.Loop() {
				if err := core.Objects().Append(1, off, p); err != nil {
					b.Fatal(err)
				}
				off += uint64(size)
			}
			if err := core.Objects().Sync(1); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// Through a stream to a socket of the host.
func BenchmarkStream(b *testing.B) {
	for _, wide := range []bool{false, true} {
		b.Run(fmt.Sprintf("authenticated=%v", wide), func(b *testing.B) {
			s, far := dialled(b)
			if wide {
				s.Authenticated()
			}
			go io.Copy(io.Discard, plain{far})
			p := make([]byte, 64<<10)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := s.Write(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// There and back through a stream.
func BenchmarkStreamEcho(b *testing.B) {
	s, far := dialled(b)
	go io.Copy(far, plain{far})
	p := make([]byte, 256)
	for b.Loop() {
		if _, err := s.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(s, p); err != nil {
			b.Fatal(err)
		}
	}
}
