package intel

import (
	"encoding/json"
	"fmt"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

// Versions and identities of the signed documents.
const (
	TCBInfoVersion    = 3
	QEIdentityVersion = 2
)

// stateText is a status in the vendor's spelling.
type stateText evidence.Status

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *stateText) UnmarshalText(text []byte) error {
	v, ok := evidence.ParseStatus(string(text))
	if !ok {
		return fmt.Errorf("status %q is not known", text)
	}
	*s = stateText(v)
	return nil
}

// instant is a time in Unix seconds, written in RFC 3339.
type instant int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *instant) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	*i = instant(t.Unix())
	return err
}

// envelope is what both documents begin with.
type envelope struct {
	ID         string  `json:"id"`
	Version    int     `json:"version"`
	IssueDate  instant `json:"issueDate"`
	NextUpdate instant `json:"nextUpdate"`
	Number     uint64  `json:"tcbEvaluationDataNumber"`
}

func (e *envelope) freshness() evidence.Freshness {
	return evidence.Freshness{Issued: int64(e.IssueDate), Expires: int64(e.NextUpdate), Number: e.Number}
}

// judgement is the vendor's word about one level.
type judgement struct {
	Status     stateText `json:"tcbStatus"`
	Advisories []string  `json:"advisoryIDs"`
}

// platformLevel is a level of a whole platform.
type platformLevel struct {
	judgement
	TCB struct {
		SGX    []component `json:"sgxtcbcomponents"`
		TDX    []component `json:"tdxtcbcomponents"`
		PCESVN *uint16     `json:"pcesvn"`
	} `json:"tcb"`
}

type component struct {
	SVN *uint8 `json:"svn"`
}

// enclaveLevel is a level of a quoting enclave or a TDX module.
type enclaveLevel struct {
	judgement
	TCB struct {
		ISVSVN *uint16 `json:"isvsvn"`
	} `json:"tcb"`
}

// moduleIdentity says what a TDX module is made by; levels only in the list.
type moduleIdentity struct {
	ID         string         `json:"id"`
	MRSIGNER   wire.Hex       `json:"mrsigner"`
	Attributes wire.Hex       `json:"attributes"`
	Mask       wire.Hex       `json:"attributesMask"`
	Levels     []enclaveLevel `json:"tcbLevels"`
}

// tcbInfo is Intel's list of the security levels of one family of platforms.
type tcbInfo struct {
	envelope
	FMSPC   wire.Hex         `json:"fmspc"`
	PCEID   wire.Hex         `json:"pceId"`
	Type    *int             `json:"tcbType"`
	Module  *moduleIdentity  `json:"tdxModule"`
	Modules []moduleIdentity `json:"tdxModuleIdentities"`
	Levels  []platformLevel  `json:"tcbLevels"`
}

// qeIdentity is Intel's description of its quoting enclave.
type qeIdentity struct {
	envelope
	MiscSelect     wire.Hex       `json:"miscselect"`
	MiscSelectMask wire.Hex       `json:"miscselectMask"`
	Attributes     wire.Hex       `json:"attributes"`
	AttributesMask wire.Hex       `json:"attributesMask"`
	MRSIGNER       wire.Hex       `json:"mrsigner"`
	ISVProdID      *uint16        `json:"isvprodid"`
	Levels         []enclaveLevel `json:"tcbLevels"`
}

// tcbInfoIDs and qeIdentityIDs name the documents of each kind.
var (
	tcbInfoIDs    = map[evidence.Kind]string{evidence.SGX: "SGX", evidence.TDX: "TDX"}
	qeIdentityIDs = map[evidence.Kind]string{evidence.SGX: "QE", evidence.TDX: "TD_QE"}
)

func tcbInfoKey(kind evidence.Kind, fmspc []byte) evidence.Key {
	return evidence.Key{Type: evidence.TCBInfo, Name: fmt.Sprintf("%s/%x", tcbInfoIDs[kind], fmspc)}
}

func qeIdentityKey(kind evidence.Kind) evidence.Key {
	return evidence.Key{Type: evidence.QEIdentity, Name: qeIdentityIDs[kind]}
}

// kindOf is the kind a document of the given ID is for.
func kindOf(ids map[evidence.Kind]string, id string) (evidence.Kind, bool) {
	for _, k := range []evidence.Kind{evidence.SGX, evidence.TDX} {
		if ids[k] == id {
			return k, true
		}
	}
	return 0, false
}

// parseTCBInfo reads the signed text. Fields it does not know are Intel's to
// add; those it needs have to be there in full size.
func parseTCBInfo(body []byte) (*tcbInfo, error) {
	t := new(tcbInfo)
	if err := json.Unmarshal(body, t); err != nil {
		return nil, badItem("TCB info: %v", err)
	}
	kind, ok := kindOf(tcbInfoIDs, t.ID)
	switch {
	case !ok || t.Version != TCBInfoVersion || t.Type == nil || *t.Type != 0:
		return nil, badItem("TCB info: %q version %d is not of a known form", t.ID, t.Version)
	case len(t.FMSPC) != 6 || len(t.PCEID) != 2:
		return nil, badItem("TCB info: FMSPC or PCE id has a wrong length")
	}
	for i := range t.Levels {
		l := &t.Levels[i]
		if l.Status == 0 || l.TCB.PCESVN == nil || !sixteen(l.TCB.SGX) || (kind == evidence.TDX && !sixteen(l.TCB.TDX)) {
			return nil, badItem("TCB info: level %d is incomplete", i+1)
		}
	}
	if kind == evidence.SGX {
		return t, nil
	}
	if t.Module == nil || !t.Module.complete() {
		return nil, badItem("TCB info: the TDX module is not described")
	}
	for i := range t.Modules {
		if !t.Modules[i].complete() {
			return nil, badItem("TCB info: TDX module %d is incomplete", i+1)
		}
	}
	return t, nil
}

func sixteen(c []component) bool {
	for i := range c {
		if c[i].SVN == nil {
			return false
		}
	}
	return len(c) == 16
}

func (m *moduleIdentity) complete() bool {
	return len(m.MRSIGNER) == 48 && len(m.Attributes) == 8 && len(m.Mask) == 8 && levelsComplete(m.Levels)
}

func levelsComplete(levels []enclaveLevel) bool {
	for i := range levels {
		if levels[i].Status == 0 || levels[i].TCB.ISVSVN == nil {
			return false
		}
	}
	return true
}

// parseQEIdentity reads the signed text; see parseTCBInfo.
func parseQEIdentity(body []byte) (*qeIdentity, error) {
	q := new(qeIdentity)
	if err := json.Unmarshal(body, q); err != nil {
		return nil, badItem("QE identity: %v", err)
	}
	if _, ok := kindOf(qeIdentityIDs, q.ID); !ok || q.Version != QEIdentityVersion {
		return nil, badItem("QE identity: %q version %d is not of a known form", q.ID, q.Version)
	}
	if len(q.MiscSelect) != 4 || len(q.MiscSelectMask) != 4 || len(q.Attributes) != 16 || len(q.AttributesMask) != 16 ||
		len(q.MRSIGNER) != 32 || q.ISVProdID == nil || !levelsComplete(q.Levels) {
		return nil, badItem("QE identity: a field is missing or has a wrong length")
	}
	return q, nil
}
