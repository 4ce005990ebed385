package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version of this program. Releases set it with -ldflags "-X main.version=…".
var version = "0.1.0"

// shownVersion is the outcome of version.
type shownVersion struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Module   string `json:"module"`
}

func (v *shownVersion) text(w io.Writer) {
	fields(w, "cloister", v.Version, "built with", v.Go, "platform", v.Platform)
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show this program's version",
		Example: "  cloister version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := &shownVersion{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				v.Module = info.Main.Path
			}
			return a.print(v)
		},
	}
}
