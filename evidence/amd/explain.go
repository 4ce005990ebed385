package amd

import (
	"encoding/hex"
	"fmt"
)

// Field is one field of a report for people to read.
type Field struct{ Name, Value string }

// Explain lists the fields of a report in its order; hex is lower case.
func Explain(r *Report) []Field {
	h := hex.EncodeToString
	fields := []Field{
		{"version", fmt.Sprint(r.Version)},
		{"guest_svn", fmt.Sprint(r.GuestSVN)},
		{"policy", fmt.Sprintf("%#x", r.Policy)},
		{"debug", fmt.Sprint(r.Debug())},
		{"family_id", h(r.FamilyID[:])},
		{"image_id", h(r.ImageID[:])},
		{"vmpl", fmt.Sprint(r.VMPL)},
		{"current_tcb", explainTCB(r, r.CurrentTCB)},
		{"platform_info", fmt.Sprintf("%#x", r.PlatformInfo)},
		{"signer_info", fmt.Sprintf("%#x", r.SignerInfo)},
		{"signing_key", map[bool]string{false: "VCEK", true: "VLEK"}[r.VLEK()]},
		{"report_data", h(r.ReportData[:])},
		{"measurement", h(r.Measurement[:])},
		{"host_data", h(r.HostData[:])},
		{"id_key_digest", h(r.IDKeyDigest[:])},
		{"author_key_digest", h(r.AuthorKeyDigest[:])},
		{"report_id", h(r.ReportID[:])},
		{"report_id_ma", h(r.ReportIDMA[:])},
		{"reported_tcb", explainTCB(r, r.ReportedTCB)},
	}
	if product, known := productOf(r.Family, r.Model); r.Version >= 3 && known {
		fields = append(fields, Field{"product", product})
	}
	return append(fields,
		Field{"chip_id", h(r.ChipID[:])},
		Field{"committed_tcb", explainTCB(r, r.CommittedTCB)},
		Field{"current_firmware", r.Current.String()},
		Field{"committed_firmware", r.Committed.String()},
		Field{"launch_tcb", explainTCB(r, r.LaunchTCB)},
	)
}

// String is major.minor.build.
func (f Firmware) String() string { return fmt.Sprintf("%d.%d.%d", f.Major, f.Minor, f.Build) }

// explainTCB shows the bytes as hex, and the components if the report says
// which layout they have.
func explainTCB(r *Report, b [8]byte) string {
	text := hex.EncodeToString(b[:])
	product, known := productOf(r.Family, r.Model)
	if r.Version < 3 || !known {
		return text
	}
	t, err := ParseTCB(product, b)
	if err != nil {
		return text
	}
	return text + " (" + t.String() + ")"
}
