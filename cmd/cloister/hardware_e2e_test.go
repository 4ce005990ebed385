package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloister/device/lab"
	"cloister/wire"
)

// TestTrustIsGovernedFromTheCommandLine follows an operator's days on a real
// network: founders that register, code that is approved and forbidden, two
// authorities, a maker that loses trust, and devices.
func TestTrustIsGovernedFromTheCommandLine(t *testing.T) {
	s := newShell(t)
	s.dev("")
	refused := func(line string, code wire.Code) {
		t.Helper()
		if o := s.run(line); o.code != code.Info().Exit || !strings.Contains(o.errs, fmt.Sprintf("%s (%d)", code, code)) {
			t.Errorf("%s: exit %d, want %s\n%s%s", line, o.code, code, o.out, o.errs)
		}
	}

	// Founders register by themselves.
	var nodes shownNodeList
	for registered := 0; registered < 3; {
		time.Sleep(50 * time.Millisecond)
		registered, nodes = 0, shownNodeList{}
		decode(t, s.ok("cloister node list --json"), &nodes)
		for _, n := range nodes.Nodes {
			if n.Status == "active" && n.Standing == wire.OK && n.Platform != nil && n.Platform.Simulated && n.Member == "voter" {
				registered++
			}
		}
	}
	var members shownMembers
	decode(t, s.ok("cloister node members --json"), &members)
	if len(members.Members) != 3 || members.Quorum != 2 || members.Epoch != 1 || members.Members[2].Role != "voter" || members.Members[2].Boots == 0 {
		t.Errorf("members %+v", members)
	}
	var one shownNodeState
	decode(t, s.ok("cloister node show --json "+nodes.Nodes[0].Node.String()), &one)
	if len(one.Judged) != 1 || len(one.Judged[0].Broken) != 0 || one.Judged[0].Status != "UpToDate" {
		t.Errorf("judged %+v", one.Judged)
	}
	refused("cloister node show "+wire.Hash{1}.String(), wire.ErrNotRegistered)
	refused("cloister node register --name again --role voter", wire.ErrNodeExists)
	refused("cloister node retire "+one.Node.String(), wire.ErrNotOperator)
	refused("cloister node admit "+one.Node.String(), wire.ErrAlreadyMember)

	// Code is approved and forbidden.
	var code shownMeasurements
	decode(t, s.ok("cloister hardware measurements --json"), &code)
	if len(code.Measurements) != 2 || code.Measurements[0].State != "in force" {
		t.Fatalf("measurements %+v", code)
	}
	var done shownDecision
	decode(t, s.ok("cloister hardware measurements approve --json --version next --code "+wire.Hash{5}.String()), &done)
	if !done.Executed {
		t.Errorf("one authority decides at once: %+v", done)
	}
	refused("cloister hardware measurements approve --version soon --activation 1 --code "+wire.Hash{6}.String(), wire.ErrActivationTooSoon)
	decode(t, s.ok("cloister hardware measurements --json"), &code)
	var next *shownMeasurement
	for _, m := range code.Measurements {
		if m.Version == "next" {
			next = m
		}
	}
	if next == nil || !strings.HasPrefix(next.State, "from block") {
		t.Fatalf("measurements %+v", code)
	}
	s.ok("cloister hardware measurements deprecate --reason old " + next.ID.String())
	s.ok("cloister hardware measurements revoke --reason leaks " + next.ID.String())
	refused("cloister hardware measurements revoke --reason leaks --height 99999999 "+next.ID.String(), wire.ErrMeasurementRevoked)
	refused("cloister hardware measurements revoke --reason leaks "+wire.Hash{9}.String(), wire.ErrMeasurementUnknown)

	// Policies go out to files and back.
	s.ok("cloister hardware policy show audit --file audit.json && sed -i 's/\"max_per_operator\": 0/\"max_per_operator\": 3/' audit.json && cloister hardware policy set audit.json")
	var policy shownPolicyState
	decode(t, s.ok("cloister hardware policy show audit --json"), &policy)
	if policy.Policy.MaxPerOperator != 3 {
		t.Errorf("policy %+v", policy.Policy)
	}

	// A core's CPU is a device, which joins once.
	var joined, again shownJoin
	decode(t, s.ok("cloister hardware join --json"), &joined)
	decode(t, s.ok("cloister hardware join --json"), &again)
	if !again.Known || joined.Device != again.Device || joined.Device != one.Platform.Device {
		t.Errorf("joined %+v, then %+v", joined, again)
	}

	// Two authorities have to agree.
	s.ok("cloister credits buy 20 $(cloister keys show sandbox --json | grep -o 'EC[1-9A-Za-z]\\{50\\}') && cloister governance set-authorities dev sandbox")
	var roots shownRoots
	decode(t, s.ok("cloister hardware roots --json"), &roots)
	if len(roots.Roots) != 2 || !roots.Testnet || roots.Roots[1].Vendor != "AMD" {
		t.Fatalf("roots %+v", roots)
	}
	amd := roots.Roots[1].ID.String()
	var waits shownDecision
	decode(t, s.ok("cloister hardware roots revoke --json --mode 1 "+amd), &waits)
	if waits.Executed || waits.Waits == nil || waits.Waits.Missing != 1 {
		t.Fatalf("proposed %+v", waits)
	}
	id := waits.Proposal.String()
	var open shownProposals
	decode(t, s.ok("cloister governance proposals --json"), &open)
	if len(open.Proposals) != 1 || open.Proposals[0].ID != waits.Proposal || !strings.Contains(open.Proposals[0].Does, amd) {
		t.Errorf("open %+v", open)
	}
	s.ok("cloister credits buy 5 $(cloister keys new stranger --plain --json | grep -o 'EC[1-9A-Za-z]\\{50\\}')")
	refused("cloister --key stranger governance approve "+id, wire.ErrNotAuthority)
	refused("cloister governance approve "+id, wire.ErrAlreadyApproved)
	decode(t, s.ok("cloister --key sandbox governance approve --json "+id), &done)
	if !done.Executed || done.Proposal != waits.Proposal {
		t.Errorf("approved %+v", done)
	}
	refused("cloister --key sandbox governance approve "+id, wire.ErrProposalUnknown)
	var past shownProposal
	decode(t, s.ok("cloister governance proposals --json "+id), &past)
	if past.Ending != "carried out with 2 of 2 approvals" {
		t.Errorf("past %+v", past)
	}
	s.ok("cloister --key sandbox governance approve $(cloister governance set-authorities dev -q)")

	// The maker lost trust for newcomers; whoever is registered stays.
	refused("cloister hardware roots revoke --mode 1 "+amd, wire.ErrRootRevoked)
	refused("cloister hardware roots revoke --mode 1 "+wire.Hash{1}.String(), wire.ErrRootUnknown)
	decode(t, s.ok("cloister hardware roots --json"), &roots)
	if roots.Roots[0].Revoked != 0 || roots.Roots[1].Revoked == 0 || roots.Roots[1].Mode != 1 {
		t.Errorf("roots %+v", roots)
	}
	decode(t, s.ok("cloister node members --json"), &members)
	if len(members.Members) != 3 || members.Members[1].Barred != wire.OK {
		t.Errorf("members %+v", members)
	}

	// A challenge is a task that everybody can follow.
	var devices shownDevices
	decode(t, s.ok("cloister hardware devices --json"), &devices)
	var device *shownDevice
	for _, d := range devices.Devices {
		if d.Device == joined.Device {
			device = d
		}
	}
	if device == nil || device.Status != "active" || device.Credit == 0 || device.Kind != "sgx" || int(devices.All) != len(devices.Devices) {
		t.Fatalf("devices %+v", devices)
	}
	var owned shownDevices
	decode(t, s.ok("cloister hardware devices --json --owner "+device.Owner), &owned)
	if len(owned.Devices) != 1 || owned.Devices[0].Device != joined.Device {
		t.Errorf("owned by %s: %+v", device.Owner, owned)
	}
	var opened shownOpened
	decode(t, s.ok("cloister hardware attest --json "+joined.Device.String()), &opened)
	var task shownTask
	decode(t, s.ok("cloister hardware tasks show --json "+opened.Task.String()), &task)
	if task.Device != joined.Device || task.Kind != "challenge" || task.Price == 0 {
		t.Errorf("task %+v", task)
	}
	refused("cloister hardware attest --kind reinstate "+wire.Hash{1}.String(), wire.ErrDeviceUnknown)
	refused("cloister hardware withdraw 1", wire.ErrGas)
	s.ok("cloister hardware deposit 2 && cloister hardware withdraw 1.5")
	var credit shownCredits
	decode(t, s.ok("cloister hardware credit --json"), &credit)
	if credit.Prepaid != oneFactoid/2 || len(credit.Devices) != int(devices.All) {
		t.Errorf("credit %+v", credit)
	}
	t.Run("a TPM joins by its agent", func(t *testing.T) { aTPMJoinsByItsAgent(t, &shell{t, s.dir}) })
}

// aTPMJoinsByItsAgent has an emulated TPM of a maker that the authorities came to
// trust register itself.
func aTPMJoinsByItsAgent(t *testing.T, s *shell) {
	maker, err := lab.NewManufacturer(filepath.Join(s.dir, "maker"), "Lab")
	if err != nil {
		t.Fatal(err)
	}
	m, err := maker.Make(filepath.Join(s.dir, "machine"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	software := lab.Software{Firmware: "Lab 1.0", Loader: []byte("shim"), Kernel: []byte("linux"), Command: "ro quiet"}
	if err := m.Boot(software.Events()...); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() ([]byte, error){"root.der": maker.Root, "issuing.der": maker.Issuing} {
		b, err := read()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.ok("cloister hardware roots add root.der --vendor tpm --class emulated --simulated")

	agent := s.command("exec cloister hardware agent --json --verify=false --tpm unix:" + m.Socket() + " --boot-log " + m.BootLogFile() + " --issuing issuing.der")
	var said bytes.Buffer
	agent.Stderr = &said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Wait() }()
	var joining *shownTask
	for joining == nil {
		select {
		case err := <-ended:
			t.Fatalf("the agent ended with %v\n%s", err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
		var tasks shownTasks
		decode(t, s.ok("cloister hardware tasks --json"), &tasks)
		for _, task := range tasks.Tasks {
			if task.Kind == "join" {
				joining = task
			}
		}
	}
	// How it goes on, other devices decide; what the TPM is stays.
	var d shownDevice
	decode(t, s.ok("cloister hardware devices show --json "+joining.Device.String()), &d)
	if d.Kind != "tpm" || d.Class != "emulated" || d.Joined == 0 {
		t.Errorf("device %+v", d)
	}
	if err := agent.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the agent, interrupted, ended with %v\n%s", err, said.String())
	}
}
