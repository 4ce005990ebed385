package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"cloister/host/node"
	"cloister/host/objects"
	"cloister/wire"
)

func startCommand(a *app) *cobra.Command {
	var untilEnd, debug bool
	c := &cobra.Command{
		Use:   "start",
		Short: "Run a validator until it is interrupted",
		Long: `Run the validator of a home until it is interrupted: its host in this process, its
core in one of its own. The home holds node.toml, made by 'cloister init', and
genesis.json. The log goes to standard error, with --json as JSON.`,
		Example: "  cloister start --home ./solo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := a.homeFolder()
			if err != nil {
				return err
			}
			cfg, err := node.Load(home)
			if err != nil {
				return hostError(home, err)
			}
			cfg.Version = version
			cfg.Log = a.logger(debug)
			cfg.Listening = func(api, peer net.Addr) { cfg.Log.Info("host.listening", "api", api, "peer", peer, "home", home) }
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			if untilEnd {
				go func() { // ends with standard input, which this process holds
					_, _ = io.Copy(io.Discard, a.in) // whatever ends it, it has ended
					cancel()
				}()
			}
			return hostError(home, node.Run(ctx, cfg))
		},
	}
	c.Flags().BoolVar(&untilEnd, "until-stdin-ends", false, "stop too when standard input ends: a program that starts this one through a pipe leaves nothing behind")
	c.Flags().BoolVar(&debug, "debug", false, "log more")
	return c
}

func (a *app) logger(debug bool) *slog.Logger {
	opts := &slog.HandlerOptions{}
	if debug {
		opts.Level = slog.LevelDebug
	}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.errs, opts))
	}
	return slog.New(slog.NewTextHandler(a.errs, opts))
}

// hostError adds to a host's error what a user can do about it.
func hostError(home string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, objects.ErrInUse):
		return bad("another process runs in %s", home)
	case errors.Is(err, syscall.EADDRINUSE):
		return bad("%v: stop what listens there, or change %s", err, filepath.Join(home, node.FileName))
	case errors.Is(err, fs.ErrNotExist) && wire.CodeOf(err) == wire.ErrInternal:
		return bad("%v: a validator's home is made by 'cloister init', and needs the network's %s; those of a development network are %s/validator-1 and so on", err, node.GenesisName, devHome)
	}
	return fmt.Errorf("validator in %s: %w", home, err)
}
