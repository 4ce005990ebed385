package anchors

import (
	"embed"
	"encoding/pem"
	"fmt"

	"cloister/evidence"
	"cloister/evidence/amd"
)

//go:embed certificates/*.pem example/*
var files embed.FS

// lines are AMD's product lines and the names of their files.
var lines = []struct{ product, name string }{
	{amd.Milan, "amd-milan"}, {amd.Genoa, "amd-genoa"}, {amd.Turin, "amd-turin"},
}

// roles are the kinds of key AMD's intermediates endorse.
var roles = []string{"vcek", "vlek"}

// Real lists the roots of real hardware: Intel's, then AMD's by product line.
func Real() []evidence.Anchor {
	all := []evidence.Anchor{{Vendor: evidence.Intel, DER: certificates("intel")[0]}}
	for _, l := range lines {
		ark := certificates(l.name + "-" + roles[0])[1]
		all = append(all, evidence.Anchor{Vendor: evidence.AMD, DER: ark, Product: l.product})
	}
	return all
}

// AMDChains are AMD's intermediate certificates as collateral, under their
// keys. They change only when AMD makes new ones, which has not happened yet.
func AMDChains() map[evidence.Key]evidence.Item {
	all := map[evidence.Key]evidence.Item{}
	for _, l := range lines {
		for _, role := range roles {
			key := evidence.Key{Type: evidence.AMDChain, Name: l.product + "/" + role}
			all[key] = evidence.Item{Type: evidence.AMDChain, Body: certificates(l.name + "-" + role)[0]}
		}
	}
	return all
}

// Example is a real SNP report of a Milan machine and its leaf certificate
// (DER), which is valid from 2023-04-03 to 2030-04-03.
func Example() (report, vcek []byte) { return read("example/snp.report"), read("example/snp.vcek") }

// certificates are those of an embedded file, in its order.
func certificates(name string) (ders [][]byte) {
	block, rest := pem.Decode(read("certificates/" + name + ".pem"))
	for ; block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	return ders
}

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("anchors: %v", err)) // the file is part of the program
	}
	return b
}
