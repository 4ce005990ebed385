package gate

// Payload buffers come in three sizes and are kept for reuse, at most
// buffersKept of a size: a burst must not hold its memory for ever, and inside
// an enclave memory is committed up front.
const buffersKept = 64

var bufferPools = [...]struct {
	size int
	free chan []byte
}{
	{4 << 10, make(chan []byte, buffersKept)},
	{64 << 10, make(chan []byte, buffersKept)},
	{1 << 20, make(chan []byte, buffersKept)},
}

// takeBuffer returns n bytes of unspecified content with the capacity of the
// smallest size class that holds them; n is at most maxFrame.
func takeBuffer(n int) []byte {
	for i := range bufferPools {
		p := &bufferPools[i]
		if n > p.size {
			continue
		}
		select {
		case b := <-p.free:
			return b[:n]
		default:
			return make([]byte, n, p.size)
		}
	}
	panic("gate: buffer larger than a frame") // every caller checked its length
}

// giveBuffer returns what takeBuffer gave. The caller must not use b again.
func giveBuffer(b []byte) {
	for i := range bufferPools {
		if p := &bufferPools[i]; cap(b) == p.size {
			select {
			case p.free <- b:
			default:
			}
			return
		}
	}
}
