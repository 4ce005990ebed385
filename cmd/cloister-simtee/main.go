package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"

	"cloister/evidence"
	"cloister/gate"
	"cloister/simtee"
)

// Exit codes of this program itself; apart from these it exits with the code of
// the program it runs.
const (
	exitFailed = 70 // the machine could not be set up
	exitUsage  = 64
)

const usage = `cloister-simtee plays trusted hardware for test networks. It protects nothing.

  cloister-simtee --platform DIR [flags] -- PROGRAM [ARGS]   run a trusted program
  cloister-simtee new-vendor sgx|snp|tpm VENDORDIR           make a maker of hardware
  cloister-simtee new-platform VENDORDIR DIR                 make one machine's hardware
  cloister-simtee measure PROGRAM [CONFIG]                   print the code ids

Flags:
`

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloister-simtee:", err)
	}
	os.Exit(code)
}

var errUsage = errors.New("see 'cloister-simtee --help'")

func run(args []string, out io.Writer) (code int, err error) {
	if len(args) > 0 {
		if sub := subcommands[args[0]]; sub != nil {
			err = sub(args[1:], out)
			switch {
			case errors.Is(err, errUsage):
				return exitUsage, err
			case err != nil:
				return exitFailed, err
			}
			return 0, nil
		}
	}
	return start(args)
}

var subcommands = map[string]func(args []string, out io.Writer) error{
	"new-vendor":   newVendor,
	"new-platform": newPlatform,
	"measure":      measure,
}

func newVendor(args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("new-vendor takes a kind and a folder; %w", errUsage)
	}
	for _, k := range simtee.Kinds() {
		if k.String() == args[0] {
			v, err := simtee.NewVendor(k, args[1])
			if err != nil {
				return err
			}
			anchors, err := v.Anchors()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "vendor of simulated %s hardware, root %s\n", k, anchors[0].ID())
			return err
		}
	}
	return fmt.Errorf("%w; %w", simtee.ErrKind, errUsage)
}

func newPlatform(args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("new-platform takes a vendor's folder and one for the platform; %w", errUsage)
	}
	v, err := simtee.OpenVendor(args[0])
	if err != nil {
		return err
	}
	p, err := v.NewPlatform(args[1])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "simulated %s hardware, device %s\n", p.Kind(), p.Device())
	return err
}

func measure(args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("measure takes a program and its measured configuration; %w", errUsage)
	}
	bin, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	cfg, err := optional(append(args, "")[1])
	if err != nil {
		return err
	}
	m := simtee.Measure(bin, cfg)
	for _, k := range []evidence.Kind{evidence.SGX, evidence.SNP, evidence.TPM} {
		if _, err := fmt.Fprintf(out, "%s %s\n", k, m.CodeID(k)); err != nil {
			return err
		}
	}
	return nil
}

// start runs a trusted program and returns its exit code.
func start(args []string) (int, error) {
	flags := flag.NewFlagSet("cloister-simtee", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	platform := flags.String("platform", "", "folder of the platform")
	config := flags.String("config", "", "file that is measured together with the program")
	release := flags.String("release-key", "", "file of the key the program is released under; a development key if empty")
	prod := flags.Uint("prod-id", 0, "product id, 0 to 65535")
	version := flags.Uint("svn", 0, "security version of the program, 0 to 65535")
	control := flags.String("control", "", "socket that takes faults; for tests only")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0, nil
	case err != nil:
		return exitUsage, nil // the flag package has said it
	case *platform == "" || flags.NArg() == 0 || *prod > 0xffff || *version > 0xffff:
		return exitUsage, fmt.Errorf("a platform and a program are needed; %w", errUsage)
	}
	m, err := machine(*platform, *config, *release, *control, uint16(*prod), uint16(*version), flags.Args())
	if err != nil {
		return exitFailed, err
	}
	return m.Wait()
}

func machine(platform, config, release, control string, prod, version uint16, program []string) (*simtee.Machine, error) {
	p, err := simtee.OpenPlatform(platform)
	if err != nil {
		return nil, err
	}
	cfg, err := optional(config)
	if err != nil {
		return nil, err
	}
	key, err := optional(release)
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return nil, err
	}
	variable := os.Getenv(gate.Variable)
	files, err := inherited(variable)
	if err != nil {
		return nil, err
	}
	return simtee.Start(simtee.Config{
		Platform: p, Program: path, Args: program[1:], Env: []string{gate.Variable + "=" + variable},
		Measured: cfg, ReleaseKey: key, ProdID: prod, SVN: version,
		Files: files, Stdout: os.Stdout, Stderr: os.Stderr, Control: control,
	})
}

// optional reads a file if one is named.
func optional(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}

// inherited are the lanes of the gate that came with this process. They keep
// their numbers in the program, around the place of its hardware.
func inherited(variable string) ([]*os.File, error) {
	if variable != "fd:3,5,6" {
		return nil, nil // a gate that the program dials itself, or none
	}
	var files []*os.File
	for _, fd := range []uintptr{3, 5, 6} {
		f := os.NewFile(fd, "gate")
		if _, err := f.Stat(); err != nil {
			return nil, fmt.Errorf("descriptor %d of the gate: %w", fd, err)
		}
		files = append(files, f)
	}
	return files, nil
}
