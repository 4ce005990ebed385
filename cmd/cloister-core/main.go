package main

import (
	"fmt"
	"os"

	"cloister/core/drive"
	"cloister/gate"
)

func main() {
	c, err := gate.Open(os.Getenv(gate.Variable))
	if err != nil {
		fmt.Fprintf(os.Stderr, "cloister-core: %v\nThis program is started by 'cloister start' or 'cloister dev'.\n", err)
		os.Exit(gate.ExitCode(err))
	}
	os.Exit(drive.Run(c))
}
