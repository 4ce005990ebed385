package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"cloister/evidence/anchors"
	"cloister/host/collateral"
	"cloister/wire"
)

// fetchTimeout bounds one request to a maker's service.
const fetchTimeout = 30 * time.Second

// shownFetched is the outcome of evidence fetch.
type shownFetched struct {
	Folder string   `json:"folder"`
	Items  []string `json:"items"` // what was fetched, or was kept and is in force
}

func (s *shownFetched) text(w io.Writer) {
	for _, i := range s.Items {
		fmt.Fprintln(w, i)
	}
	fields(w, "folder", s.Folder)
	fmt.Fprintln(w, "Use the files with 'cloister evidence verify --collateral' and 'cloister hardware collateral put'.")
}

func evidenceFetch(a *app) *cobra.Command {
	files := new(evidenceFiles)
	var folder string
	c := &cobra.Command{
		Use:   "fetch FILE",
		Short: "Fetch the makers' statements that evidence is judged by",
		Long: `Fetch the makers' statements that evidence is judged by, from Intel's or AMD's public
services: TCB info, identities, revocation lists, intermediate certificates. Each is
verified before it is kept, and what is kept is asked for again only when it has
become old. Nothing else of this program needs the makers' services.`,
		Example: `  cloister evidence example ./fetch-example
  cloister evidence fetch ./fetch-example/snp.report --cert ./fetch-example/snp.vcek --to ./collateral`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := fetchFor(cmd.Context(), files, args[0], folder)
			if err != nil {
				return err
			}
			return a.print(s)
		},
	}
	files.flags(c.Flags())
	c.Flags().StringVar(&folder, "to", "collateral", "folder for the files")
	return c
}

func fetchFor(ctx context.Context, files *evidenceFiles, file, folder string) (*shownFetched, error) {
	given, err := files.read(file)
	if err != nil {
		return nil, err
	}
	if given.Evidence == nil {
		return nil, bad("%s is no quote or report of Intel or AMD", shown(file))
	}
	f, err := collateral.New(collateral.Config{Client: &http.Client{Timeout: fetchTimeout}, Trusted: anchors.Real(), Dir: folder})
	if err != nil {
		return nil, bad("%v", err)
	}
	items, err := f.For(ctx, given.Evidence)
	switch {
	case errors.Is(err, collateral.ErrUnreachable):
		return nil, wire.Faultf(wire.ErrUnavailable, "%v", err)
	case errors.Is(err, collateral.ErrUnknown):
		return nil, wire.Faultf(wire.ErrCollateralMissing, "%v", err)
	case err != nil:
		return nil, err
	}
	s := &shownFetched{Folder: folder}
	for i := range items {
		s.Items = append(s.Items, items[i].Type.String())
	}
	return s, nil
}
