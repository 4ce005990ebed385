package wire

import "testing"

func benchTx() *Tx {
	tx := &Tx{ChainID: Hash{9}, Family: "record", Payload: make([]byte, 256), NotAfterMs: 5, Nonce: [12]byte{3}}
	tx.Sign(zeroSeed)
	return tx
}

func BenchmarkEncodeTx(b *testing.B) {
	tx := benchTx()
	b.ReportAllocs()
	for b.Loop() {
		tx.Bytes()
	}
}

func BenchmarkDecodeTx(b *testing.B) {
	raw := benchTx().Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeTx(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeTxGeneral(b *testing.B) {
	raw := benchTx().Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := generalTx(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTxID(b *testing.B) {
	tx := benchTx()
	b.ReportAllocs()
	for b.Loop() {
		tx.ID()
	}
}

func BenchmarkEncodeResult(b *testing.B) {
	r := &Result{Credits: 1, Output: make([]byte, 32)}
	b.ReportAllocs()
	for b.Loop() {
		r.Bytes()
	}
}

func BenchmarkDecodeResult(b *testing.B) {
	raw := (&Result{Credits: 1, Output: make([]byte, 32)}).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeResult(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatchVerify is the cost per signature in a batch of 512.
func BenchmarkBatchVerify(b *testing.B) {
	const n = 512
	digests, sigs := make([]Hash, n), make([]Signature, n)
	for i := range n {
		digests[i] = TH("cloister/bench/v1", U64(uint64(i)))
		sigs[i] = zeroSeed.Sign(digests[i])
	}
	for b.Loop() {
		batch := NewBatch(n)
		for i := range n {
			batch.Add(zeroSeed.Public(), digests[i], sigs[i])
		}
		if all, _ := batch.Verify(); !all {
			b.Fatal("a good signature was refused")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/signature")
}

func BenchmarkVerify(b *testing.B) {
	digest := TH("cloister/bench/v1")
	sig := zeroSeed.Sign(digest)
	for b.Loop() {
		if !zeroSeed.Public().Verify(digest, sig) {
			b.Fatal("a good signature was refused")
		}
	}
}

func BenchmarkSign(b *testing.B) {
	digest := TH("cloister/bench/v1")
	for b.Loop() {
		zeroSeed.Sign(digest)
	}
}
