package amd

import (
	"fmt"

	"cloister/wire"
)

// Product lines, as AMD and evidence.Anchor.Product name them.
const (
	Milan = "Milan"
	Genoa = "Genoa"
	Turin = "Turin"
)

// productOf finds the product line of a CPU. Bergamo and Siena (family 19h,
// model A0h) are endorsed under Genoa's root.
func productOf(family, model uint8) (string, bool) {
	switch {
	case family == 0x19 && model <= 0x0F:
		return Milan, true
	case family == 0x19 && (model <= 0x1F || model>>4 == 0xA):
		return Genoa, true
	case family == 0x1A && model <= 0x1F:
		return Turin, true
	}
	return "", false
}

// TCB is a security level: the version of each component. FMC exists from
// Turin on and is 0 before.
type TCB struct {
	_                                    struct{} `cbor:",toarray"`
	Bootloader, TEE, SNP, Microcode, FMC uint8
}

// ParseTCB reads the 8 bytes of a TCB version, whose layout is the product
// line's (bytes in ascending order):
//
//	Milan, Genoa: bootloader, tee, 4 reserved, snp, microcode
//	Turin:        fmc, bootloader, tee, snp, 3 reserved, microcode
//
// A reserved byte that is not zero is wire.ErrEvidenceMalformed.
func ParseTCB(product string, b [8]byte) (TCB, error) {
	t := TCB{Bootloader: b[0], TEE: b[1], SNP: b[6], Microcode: b[7]}
	rest := b[2:6]
	if product == Turin {
		t = TCB{FMC: b[0], Bootloader: b[1], TEE: b[2], SNP: b[3], Microcode: b[7]}
		rest = b[4:7]
	}
	for _, x := range rest {
		if x != 0 {
			return TCB{}, wire.Faultf(wire.ErrEvidenceMalformed, "reserved byte in TCB version %x of %s", b, product)
		}
	}
	return t, nil
}

// AtLeast reports whether no component is below that of low.
func (t TCB) AtLeast(low TCB) bool {
	return t.Bootloader >= low.Bootloader && t.TEE >= low.TEE && t.SNP >= low.SNP &&
		t.Microcode >= low.Microcode && t.FMC >= low.FMC
}

// String lists the components.
func (t TCB) String() string {
	return fmt.Sprintf("bootloader %d, tee %d, snp %d, microcode %d, fmc %d", t.Bootloader, t.TEE, t.SNP, t.Microcode, t.FMC)
}
