package evidence

import "fmt"

// Status is the vendor's judgement of a platform's security level. The order
// is no ranking; wire values are never reused.
type Status uint8

// Statuses, as Intel names them. Verifiers of other vendors use UpToDate.
const (
	UpToDate                          Status = 1
	SWHardeningNeeded                 Status = 2
	ConfigurationNeeded               Status = 3
	ConfigurationAndSWHardeningNeeded Status = 4
	OutOfDate                         Status = 5
	OutOfDateConfigurationNeeded      Status = 6
	Revoked                           Status = 7
	NotSupported                      Status = 8
)

var statusNames = [...]string{
	UpToDate: "UpToDate", SWHardeningNeeded: "SWHardeningNeeded", ConfigurationNeeded: "ConfigurationNeeded",
	ConfigurationAndSWHardeningNeeded: "ConfigurationAndSWHardeningNeeded", OutOfDate: "OutOfDate",
	OutOfDateConfigurationNeeded: "OutOfDateConfigurationNeeded", Revoked: "Revoked", NotSupported: "NotSupported",
}

// String is the vendor's spelling.
func (s Status) String() string {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("status-%d", uint8(s))
}

// ParseStatus reads the vendor's spelling.
func ParseStatus(name string) (Status, bool) {
	for s, n := range statusNames {
		if n == name && n != "" {
			return Status(s), true
		}
	}
	return 0, false
}
