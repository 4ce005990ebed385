package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"cloister/core/attest"
	"cloister/core/drive"
	"cloister/gate"
)

func main() {
	takeNoSettings()
	channel := simulatedChannel() // before anything else opens a descriptor
	c, err := gate.Open(os.Getenv(gate.Variable))
	if err != nil {
		fmt.Fprintf(os.Stderr, "cloister-core: %v\nThis program is started by 'cloister start' or 'cloister dev'.\n", err)
		os.Exit(gate.ExitCode(err))
	}
	platform, err := attest.Select(attest.Options{Files: deviceFiles{}, Random: rand.Reader, Channel: channel})
	switch {
	case errors.Is(err, attest.ErrNoBackend) && channel == nil:
		platform = nil // the host must give a seal key; the core says that it has no hardware
	case err != nil:
		fmt.Fprintf(os.Stderr, "cloister-core: %v\n", err)
		os.Exit(gate.ExitQuarantine)
	}
	if p, ok := platform.(interface{ Gone() <-chan struct{} }); ok {
		go func() { // ends with the process
			<-p.Gone()
			os.Exit(gate.ExitClosed) // hardware that is gone takes the core with it
		}()
	}
	os.Exit(drive.Run(c, platform))
}

// takeNoSettings drops what the host says about how the standard library has to
// behave. Some of it changes which certificates are accepted, and two cores that
// differ in that would execute a block differently.
func takeNoSettings() { _ = os.Unsetenv("GODEBUG") }
