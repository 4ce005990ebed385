package intel

import (
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Field is one line of an explanation.
type Field struct{ Name, Value string }

// Explain lists what a quote says, field by field in the order it stands
// there, for people to read. Byte strings are lower-case hex. Nothing is
// verified; certificates that cannot be read are said to be so.
func Explain(q *Quote) []Field {
	x := new(explanation)
	h := &q.Header
	x.add("version", "%d", h.Version)
	x.add("attestation key type", "%d (ECDSA P-256)", h.KeyType)
	x.add("tee type", "%#x (%s)", h.TEEType, q.Kind)
	if h.Version == Version3 {
		x.add("qe svn", "%d", h.QESVN)
		x.add("pce svn", "%d", h.PCESVN)
	}
	x.add("qe vendor", "%x", h.VendorID)
	x.add("user data", "%x", h.UserData)
	if h.Version == Version5 {
		x.add("body type", "%d", q.BodyType)
	}
	if q.TD != nil {
		x.td(q.TD)
	} else {
		x.enclave("", q.SGX)
	}
	x.add("code id", "%s", q.CodeID())
	x.add("signature", "%x", q.Signature)
	x.add("attestation key", "%x", q.AttestationKey)
	x.enclave("qe ", &q.QEReport)
	x.add("qe report signature", "%x", q.QESignature)
	x.add("qe authentication data", "%x", q.AuthData)
	x.add("certification data", "type %d, %d bytes", q.Type, len(q.Data))
	x.certificates(&q.Certification)
	return x.fields
}

type explanation struct{ fields []Field }

func (x *explanation) add(name, format string, args ...any) {
	x.fields = append(x.fields, Field{name, fmt.Sprintf(format, args...)})
}

func (x *explanation) enclave(of string, r *EnclaveReport) {
	x.add(of+"cpusvn", "%x", r.CPUSVN)
	x.add(of+"miscselect", "%#x", binary.LittleEndian.Uint32(r.MiscSelect[:]))
	x.add(of+"isvextprodid", "%x", r.ISVExtProdID)
	x.add(of+"attributes.flags", "%s", flags(r.Flags(), enclaveFlags))
	x.add(of+"attributes.xfrm", "%#x", r.XFRM())
	x.add(of+"mrenclave", "%s", r.MRENCLAVE)
	x.add(of+"mrsigner", "%s", r.MRSIGNER)
	x.add(of+"configid", "%x", r.ConfigID)
	x.add(of+"isvprodid", "%d", r.ISVProdID)
	x.add(of+"isvsvn", "%d", r.ISVSVN)
	x.add(of+"configsvn", "%d", r.ConfigSVN)
	x.add(of+"isvfamilyid", "%x", r.ISVFamilyID)
	x.add(of+"reportdata", "%x", r.ReportData)
}

func (x *explanation) td(r *TDReport) {
	x.add("tee_tcb_svn", "%x", r.TEETCBSVN)
	x.add("mrseam", "%x", r.MRSEAM)
	x.add("mrsignerseam", "%x", r.MRSIGNERSEAM)
	x.add("seamattributes", "%x", r.SEAMAttributes)
	x.add("tdattributes", "%s", flags(binary.LittleEndian.Uint64(r.TDAttributes[:]), tdFlags))
	x.add("xfam", "%#x", binary.LittleEndian.Uint64(r.XFAM[:]))
	x.add("mrtd", "%x", r.MRTD)
	x.add("mrconfigid", "%x", r.MRConfigID)
	x.add("mrowner", "%x", r.MROwner)
	x.add("mrownerconfig", "%x", r.MROwnerConfig)
	for i, v := range r.RTMR {
		x.add(fmt.Sprintf("rtmr%d", i), "%x", v)
	}
	x.add("reportdata", "%x", r.ReportData)
	if r.V15 {
		x.add("tee_tcb_svn_2", "%x", r.TEETCBSVN2)
		x.add("mrservicetd", "%x", r.MRServiceTD)
	}
}

// flags is an attribute word and the names of its bits, lowest first.
func flags(v uint64, names map[int]string) string {
	var set []string
	for bit := range 64 {
		if v>>bit&1 == 0 {
			continue
		}
		name, known := names[bit]
		if !known {
			name = fmt.Sprintf("bit %d", bit)
		}
		set = append(set, name)
	}
	if set == nil {
		return "0x0"
	}
	return fmt.Sprintf("%#x (%s)", v, strings.Join(set, ", "))
}

func (x *explanation) certificates(c *Certification) {
	der, err := c.chain()
	if err != nil {
		x.add("certificates", "not readable: %v", err)
		return
	}
	for i, d := range der {
		name := fmt.Sprintf("certificate %d", i+1)
		cert, err := x509.ParseCertificate(d)
		if err != nil {
			x.add(name, "not readable: %v", err)
			continue
		}
		x.add(name, "%s, serial %x, %s to %s", cert.Subject.CommonName, cert.SerialNumber,
			cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		if i == 0 {
			x.pck(cert)
		}
	}
}

func (x *explanation) pck(cert *x509.Certificate) {
	p, err := ParsePCK(cert)
	if err != nil {
		x.add("pck", "not readable: %v", err)
		return
	}
	x.add("pck issuer", "%s", cert.Issuer.CommonName)
	x.add("pck ppid", "%x", p.PPID)
	x.add("pck fmspc", "%x", p.FMSPC)
	x.add("pck pceid", "%x", p.PCEID)
	x.add("pck component svns", "%x", p.Components)
	x.add("pck pcesvn", "%d", p.PCESVN)
	x.add("pck cpusvn", "%x", p.CPUSVN)
	x.add("pck type", "%d", p.Type)
	if p.Instance != nil {
		x.add("pck platform instance", "%x", p.Instance)
	}
	if f := p.Configuration; f != nil {
		x.add("pck configuration", "dynamic platform %t, cached keys %t, SMT %t", f.Dynamic, f.CachedKeys, f.SMT)
	}
}
