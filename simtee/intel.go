package simtee

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cloister/evidence"
)

// What simulated SGX platforms have in common. A level n platform has SVN n in
// every component and PCE SVN 10+n (TEE specification §2.5).
const (
	pceSVN    = 10
	qeSVN     = 8
	qeProdID  = 1
	timestamp = "2006-01-02T15:04:05Z"
)

// foundIntel makes root, Platform CA and TCB signing certificate.
func foundIntel(s *vendorState) (err error) {
	keys, err := threeKeys()
	if err != nil {
		return err
	}
	if s.Root, err = issue(keys[0], nil, cert{name: "SGX Root CA", ca: true, pathLen: 1, usage: caUsage}); err != nil {
		return err
	}
	if s.Intermediate, err = issue(keys[1], &s.Root, cert{name: "SGX PCK Platform CA", ca: true, usage: caUsage}); err != nil {
		return err
	}
	if s.Signer, err = issue(keys[2], &s.Root, cert{name: "SGX TCB Signing", usage: signUsage}); err != nil {
		return err
	}
	// C1 marks a simulated family; the rest keeps two vendors' collateral apart.
	id := sha256.Sum256(s.Root.Cert)
	s.FMSPC = append([]byte{0xc1}, id[:5]...)
	s.QEKey = make([]byte, 32)
	_, err = rand.Read(s.QEKey)
	return err
}

const (
	caUsage   = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	signUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
)

// intelDocuments are TCB info and QE identity, signed.
func (s *vendorState) intelDocuments(now time.Time) ([]namedItem, error) {
	tcb, err := s.signed(s.tcbInfo(now))
	if err != nil {
		return nil, err
	}
	qe, err := s.signed(s.qeIdentity(now))
	if err != nil {
		return nil, err
	}
	tcb.Type, qe.Type = evidence.TCBInfo, evidence.QEIdentity
	return []namedItem{
		{evidence.Key{Type: evidence.TCBInfo, Name: "SGX/" + hex.EncodeToString(s.FMSPC)}, tcb},
		{evidence.Key{Type: evidence.QEIdentity, Name: "QE"}, qe},
	}, nil
}

func (s *vendorState) signed(document any) (i evidence.Item, err error) {
	if i.Body, err = json.Marshal(document); err != nil {
		return i, fmt.Errorf("simtee: %w", err)
	}
	key, err := s.Signer.ecdsa()
	if err != nil {
		return i, err
	}
	digest := sha256.Sum256(i.Body)
	i.Signature, err = rawSignature(key, digest[:], 32)
	i.Chain = [][]byte{s.Signer.Cert, s.Root.Cert}
	return i, err
}

type svn struct {
	SVN int `json:"svn"`
}

type tcbLevel struct {
	TCB struct {
		SGX    [16]svn `json:"sgxtcbcomponents"`
		PCESVN int     `json:"pcesvn"`
	} `json:"tcb"`
	judgement
}

type judgement struct {
	Date       string   `json:"tcbDate"`
	Status     string   `json:"tcbStatus"`
	Advisories []string `json:"advisoryIDs,omitempty"`
}

type tcbInfo struct {
	ID         string     `json:"id"`
	Version    int        `json:"version"`
	IssueDate  string     `json:"issueDate"`
	NextUpdate string     `json:"nextUpdate"`
	FMSPC      string     `json:"fmspc"`
	PCEID      string     `json:"pceId"`
	Type       int        `json:"tcbType"`
	Number     uint64     `json:"tcbEvaluationDataNumber"`
	Levels     []tcbLevel `json:"tcbLevels"`
}

func (s *vendorState) tcbInfo(now time.Time) tcbInfo {
	t := tcbInfo{
		ID: "SGX", Version: 3, IssueDate: now.Format(timestamp), NextUpdate: now.Add(fresh).Format(timestamp),
		FMSPC: upper(s.FMSPC), PCEID: "0000", Number: s.Number,
	}
	for n := MaxTCB; n >= 1; n-- { // descending, as verifiers need it
		l := tcbLevel{judgement: judgement{notBefore.Format(timestamp), s.Levels[n-1].Status.String(), s.Levels[n-1].Advisories}}
		for i := range l.TCB.SGX {
			l.TCB.SGX[i].SVN = n
		}
		l.TCB.PCESVN = pceSVN + n
		t.Levels = append(t.Levels, l)
	}
	return t
}

type qeLevel struct {
	TCB struct {
		ISVSVN int `json:"isvsvn"`
	} `json:"tcb"`
	judgement
}

type qeIdentity struct {
	ID             string    `json:"id"`
	Version        int       `json:"version"`
	IssueDate      string    `json:"issueDate"`
	NextUpdate     string    `json:"nextUpdate"`
	Number         uint64    `json:"tcbEvaluationDataNumber"`
	MiscSelect     string    `json:"miscselect"`
	MiscSelectMask string    `json:"miscselectMask"`
	Attributes     string    `json:"attributes"`
	AttributesMask string    `json:"attributesMask"`
	MRSIGNER       string    `json:"mrsigner"`
	ISVProdID      int       `json:"isvprodid"`
	Levels         []qeLevel `json:"tcbLevels"`
}

func (s *vendorState) qeIdentity(now time.Time) qeIdentity {
	signer := sha256.Sum256(s.QEKey)
	l := qeLevel{judgement: judgement{Date: notBefore.Format(timestamp), Status: evidence.UpToDate.String()}}
	l.TCB.ISVSVN = qeSVN
	return qeIdentity{
		ID: "QE", Version: 2, IssueDate: now.Format(timestamp), NextUpdate: now.Add(fresh).Format(timestamp), Number: s.Number,
		MiscSelect: "00000000", MiscSelectMask: "FFFFFFFF",
		Attributes: "11000000000000000000000000000000", AttributesMask: "FBFFFFFFFFFFFFFF0000000000000000",
		MRSIGNER: upper(signer[:]), ISVProdID: qeProdID, Levels: []qeLevel{l},
	}
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// sgxOID is the PCK certificate's extension; its parts are numbered below it.
var sgxOID = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

type attribute struct {
	ID    asn1.ObjectIdentifier
	Value any
}

func below(parent asn1.ObjectIdentifier, n int, value any) attribute {
	return attribute{append(parent[:len(parent):len(parent)], n), value}
}

// pckExtension says which platform it is and at which level.
func pckExtension(ppid, fmspc []byte, level int) (pkix.Extension, error) {
	tcb, configuration := below(sgxOID, 2, nil).ID, below(sgxOID, 7, nil).ID
	var svns []attribute
	cpu := make([]byte, 16)
	for i := range cpu {
		cpu[i] = byte(level)
		svns = append(svns, below(tcb, i+1, level))
	}
	svns = append(svns, below(tcb, 17, pceSVN+level), below(tcb, 18, cpu))
	instance := sha256.Sum256(ppid)
	der, err := asn1.Marshal([]attribute{
		below(sgxOID, 1, ppid),
		below(sgxOID, 2, svns),
		below(sgxOID, 3, []byte{0, 0}),
		below(sgxOID, 4, fmspc),
		below(sgxOID, 5, asn1.Enumerated(1)),
		below(sgxOID, 6, instance[:16]),
		below(sgxOID, 7, []attribute{below(configuration, 1, true), below(configuration, 2, true), below(configuration, 3, true)}),
	})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("simtee: PCK extension: %w", err)
	}
	return pkix.Extension{Id: sgxOID, Value: der}, nil
}

// newSGX makes a platform's keys and its PCK certificate for each level.
func (s *vendorState) newSGX() (*platformState, error) {
	p := &platformState{ID: make([]byte, 16), QESigner: s.QEKey, Chain: [][]byte{s.Intermediate.Cert, s.Root.Cert}}
	if _, err := rand.Read(p.ID); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	attestation, err := newECDSA(elliptic.P256())
	if err != nil {
		return nil, err
	}
	if p.AttestationKey, err = x509.MarshalPKCS8PrivateKey(attestation); err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	for level := 1; level <= MaxTCB; level++ {
		key, err := newECDSA(elliptic.P256())
		if err != nil {
			return nil, err
		}
		ext, err := pckExtension(p.ID, s.FMSPC, level)
		if err != nil {
			return nil, err
		}
		leaf, err := issue(key, &s.Intermediate, cert{name: "SGX PCK Certificate", usage: signUsage, extensions: []pkix.Extension{ext}})
		if err != nil {
			return nil, err
		}
		p.Leaves = append(p.Leaves, leaf)
	}
	return p, nil
}
