package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// shownDevice is a device of the registry.
type shownDevice struct {
	Device       wire.Hash      `json:"device"`
	Ordinal      uint32         `json:"ordinal"` // 0 while it is pending
	Status       string         `json:"status"`
	Kind         string         `json:"kind"`
	Class        string         `json:"class"`
	Root         wire.Hash      `json:"root"`
	Owner        string         `json:"owner"`
	Credit       uint64         `json:"credit"`
	Tickets      uint64         `json:"tickets"` // in the snapshot of this epoch
	NodeKey      wire.PublicKey `json:"node_key"`
	VRFKey       wire.PublicKey `json:"vrf_key"`
	VRFActive    uint64         `json:"vrf_active"` // height
	Joined       uint64         `json:"joined"`     // height
	LastPass     uint64         `json:"last_pass"`  // height; 0: none yet
	OpenTask     *wire.Hash     `json:"open_task,omitempty"`
	LastTask     *wire.Hash     `json:"last_task,omitempty"`
	Fails        uint16         `json:"fails"`
	Cooldown     uint64         `json:"cooldown"` // height before which it cannot be reinstated
	Measurements []wire.Hash    `json:"measurements"`
	Results      uint32         `json:"results"` // tasks that ended
	Height       uint64         `json:"height"`
}

func (s *shownDevice) text(w io.Writer) {
	pass, task := "never", ""
	if s.LastPass != 0 {
		pass = fmt.Sprintf("block %d", s.LastPass)
	}
	if s.OpenTask != nil {
		task = s.OpenTask.String()
	}
	last, cooldown := "", ""
	if s.LastTask != nil {
		last = s.LastTask.String()
	}
	if s.Cooldown > s.Height {
		cooldown = fmt.Sprintf("it cannot be reinstated before block %d", s.Cooldown)
	}
	fields(w, "device", s.Device.String(), "number", marked(s.Ordinal > 0, decimal(s.Ordinal)), "status", s.Status, "kind", s.Kind, "class", s.Class,
		"root", s.Root.String(), "owner", s.Owner, "credit", credits(s.Credit), "tickets", decimal(s.Tickets), "node key", s.NodeKey.String(),
		"VRF key", fmt.Sprintf("%s, %s", s.VRFKey, since(s.VRFActive)), "joined", fmt.Sprintf("block %d", s.Joined), "last pass", pass, "open task", task,
		"last task", last, "tasks ended", decimal(s.Results), "failures", marked(s.Fails > 0, decimal(uint64(s.Fails))), "cooldown", cooldown,
		"measurements", joined(s.Measurements), "as of", fmt.Sprintf("block %d, proved", s.Height))
}

// credits shows hardware credit, which has the decimals of factoids.
func credits(n uint64) string { return amount(n) }

// shownDevices lists them.
type shownDevices struct {
	Devices []*shownDevice `json:"devices"`
	All     uint32         `json:"all"` // devices there are
	Active  uint32         `json:"active"`
	Credit  uint64         `json:"credit"` // of all devices
	Epoch   uint64         `json:"epoch"`
	Height  uint64         `json:"height"`
}

func (s *shownDevices) text(w io.Writer) {
	rows := make([][]string, len(s.Devices))
	for i, d := range s.Devices {
		pass := "never"
		if d.LastPass != 0 {
			pass = decimal(d.LastPass)
		}
		rows[i] = []string{d.Device.String(), d.Status, d.Kind, credits(d.Credit), pass, d.Owner}
	}
	table(w, []string{"DEVICE", "STATUS", "KIND", "CREDIT", "LAST PASS", "OWNER"}, rows)
	fmt.Fprintf(w, "%d of %d devices, %d active, epoch %d; as of block %d, proved\n", len(s.Devices), s.All, s.Active, s.Epoch, s.Height)
}

// pages reads pages of the registry and keeps them: many devices share one.
type pages struct {
	registry
	all  *hardware.Totals
	kept map[string][]byte
}

func (r registry) pages() (*pages, error) {
	t, err := r.totals()
	return &pages{r, t, map[string][]byte{}}, err
}

// at reads a number of a device in pages of PageDevices.
func (p *pages) at(key func(uint32) []byte, ordinal, size uint32) (uint64, error) {
	b, err := p.page(key(ordinal / hardware.PageDevices))
	return number(b, ordinal%hardware.PageDevices, size), err
}

func (p *pages) page(key []byte) ([]byte, error) {
	if b, ok := p.kept[string(key)]; ok {
		return b, nil
	}
	b, err := p.get(key)
	if err == nil {
		p.kept[string(key)] = b
	}
	return b, err
}

// id is the device with an ordinal; zero if there is none.
func (p *pages) id(ordinal uint32) (id wire.Hash, err error) {
	b, err := p.page(hardware.IDKey(ordinal / hardware.PageDevices))
	if from := ordinal % hardware.PageDevices * 32; int(from)+32 <= len(b) {
		id = wire.Hash(b[from : from+32])
	}
	return id, err
}

// statusBits are those of a status byte that hold the status.
const statusBits = 0x07

// device reads one device, nil if the registry does not know it.
func (p *pages) device(id wire.Hash) (*shownDevice, error) {
	d, err := row[hardware.Device](p.proved, hardware.DeviceKey(id), 16<<10)
	if err != nil || d == nil {
		return nil, err
	}
	s := &shownDevice{
		Device: id, Ordinal: d.Ordinal, Status: hardware.Pending.String(), Kind: evidence.Kind(d.Kind).String(), Class: trust.Class(d.Class).String(),
		Root: d.Root, Owner: wire.FactoidAddress(d.Owner), NodeKey: d.NodeKey, VRFKey: d.VRFKey, VRFActive: d.VRFActive,
		Joined: d.Joined, LastPass: d.LastPass, Fails: d.Fails, Cooldown: d.Cooldown, Measurements: d.Measurements, Results: d.Results,
	}
	if !d.LastTask.IsZero() {
		s.LastTask = &d.LastTask
	}
	o, err := row[hardware.OpenTask](p.proved, hardware.OpenKey(id), 128)
	if err != nil {
		return nil, err
	}
	if o != nil {
		s.OpenTask = &o.Task
	}
	s.Height = p.height
	if d.Ordinal == 0 {
		return s, nil
	}
	status, err := p.at(hardware.StatusKey, d.Ordinal, 1)
	if err != nil {
		return nil, err
	}
	s.Status = hardware.Status(status & statusBits).String()
	if s.Credit, err = p.at(hardware.CreditKey, d.Ordinal, 8); err != nil {
		return nil, err
	}
	s.Tickets, err = p.at(func(page uint32) []byte { return hardware.TicketKey(p.all.Epoch, page) }, d.Ordinal, 2)
	return s, err
}

// known reads a device by its id. It carries ErrDeviceUnknown.
func (r registry) known(text string) (*shownDevice, error) {
	id, err := parseID("a device's id", text)
	if err != nil {
		return nil, err
	}
	p, err := r.pages()
	if err != nil {
		return nil, err
	}
	d, err := p.device(id)
	if err == nil && d == nil {
		err = wire.Faultf(wire.ErrDeviceUnknown, "%s", id)
	}
	return d, err
}

// ordinals lists the devices to show: an owner's, or all from one on.
func (p *pages) ordinals(owner *wire.Account, from, limit uint32) (list []uint32, err error) {
	if owner == nil {
		for n := max(from, 1); n <= p.all.Devices && uint32(len(list)) < limit; n++ {
			list = append(list, n)
		}
		return list, nil
	}
	b, err := p.get(hardware.OwnerKey(*owner))
	for i := 0; i+4 <= len(b); i += 4 {
		list = append(list, binary.BigEndian.Uint32(b[i:]))
	}
	slices.Sort(list)
	list = slices.DeleteFunc(list, func(n uint32) bool { return n < from })
	return list[:min(uint32(len(list)), limit)], err
}

// deviceSelection are the flags that choose among devices.
type deviceSelection struct {
	owner       string
	from, limit uint32
	quiet       bool
}

func (d *deviceSelection) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&d.owner, "owner", "", "only those of an account: an address, or the name of a key in the home")
	f.Uint32Var(&d.from, "from", 1, "number of the first device to show, in the order they joined")
	f.Uint32Var(&d.limit, "limit", 100, "how many to show at most")
	f.BoolVarP(&d.quiet, "quiet", "q", false, "print the devices' ids and nothing else")
}

// devices reads the chosen ones.
func (a *app) devices(ctx context.Context, c *client.Client, sel *deviceSelection) (*shownDevices, []wire.Hash, error) {
	p, err := readRegistry(ctx, c).pages()
	if err != nil {
		return nil, nil, err
	}
	var owner *wire.Account
	if sel.owner != "" {
		account, err := a.account(sel.owner)
		if err != nil {
			return nil, nil, err
		}
		owner = &account
	}
	list, err := p.ordinals(owner, sel.from, sel.limit)
	if err != nil {
		return nil, nil, err
	}
	s := &shownDevices{Devices: []*shownDevice{}, All: p.all.Devices, Active: p.all.Active, Credit: p.all.Credit, Epoch: p.all.Epoch}
	var ids []wire.Hash
	for _, n := range list {
		id, err := p.id(n)
		if err != nil {
			return nil, nil, err
		}
		if ids = append(ids, id); sel.quiet {
			continue
		}
		d, err := p.device(id)
		if err != nil {
			return nil, nil, err
		}
		if d != nil {
			s.Devices = append(s.Devices, d)
		}
	}
	s.Height = p.height
	return s, ids, nil
}

func hardwareDevices(a *app) *cobra.Command {
	return listing("devices", func() *cobra.Command {
		var sel deviceSelection
		c := &cobra.Command{
			Short: "List the registered devices",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				s, ids, err := a.devices(ctx, c, &sel)
				switch {
				case err != nil:
					return err
				case sel.quiet:
					return a.idLines(ids)
				}
				return a.print(s)
			}),
		}
		sel.flags(c)
		return c
	}, devicesShow(a), devicesRevoke(a))
}

func devicesShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show DEVICE",
		Short:   "Show what the registry says of a device: status, owner, credit, last pass",
		Example: "  cloister hardware devices show $(cloister hardware join -q)",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			d, err := readRegistry(ctx, c).known(args[0])
			if err != nil {
				return err
			}
			return a.print(d)
		}),
	}
}

func devicesRevoke(a *app) *cobra.Command {
	var f orderFlags
	var reason string
	c := &cobra.Command{
		Use:     "revoke DEVICE",
		Short:   "Order that a device is ended for ever",
		Example: `  cloister hardware devices revoke $(cloister hardware join -q) --reason "it was stolen" --order-file revoke-device.order`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			d, err := readRegistry(ctx, c).known(args[0])
			if err != nil {
				return err
			}
			b := hardware.EncodeOrder(&hardware.DeviceRevoke{Device: d.Device, Reason: reason})
			if _, err := hardware.DecodeOrder(b); err != nil {
				return err
			}
			return a.decide(ctx, c, order{hardware.Name, b, explain(hardware.Name, b)}, &f)
		}),
	}
	f.flags(c)
	c.Flags().StringVar(&reason, "reason", "", "why, for everybody to read; at most 128 bytes")
	required(c, "reason")
	return c
}

// shownCredits is hardware credit.
type shownCredits struct {
	Devices []shownCredit `json:"devices"`
	All     uint64        `json:"all"`     // credit of all devices
	Tickets uint64        `json:"tickets"` // of all, in the snapshot of this epoch
	Epoch   uint64        `json:"epoch"`
	Prepaid uint64        `json:"prepaid"` // factoshis the signing key deposited for attestations
	Height  uint64        `json:"height"`
}

type shownCredit struct {
	Device  wire.Hash `json:"device"`
	Status  string    `json:"status"`
	Credit  uint64    `json:"credit"`
	Tickets uint64    `json:"tickets"`
}

func (s *shownCredits) text(w io.Writer) {
	rows := make([][]string, len(s.Devices))
	for i, d := range s.Devices {
		rows[i] = []string{d.Device.String(), d.Status, credits(d.Credit), decimal(d.Tickets)}
	}
	table(w, []string{"DEVICE", "STATUS", "CREDIT", "TICKETS"}, rows)
	fields(w, "all devices", fmt.Sprintf("%s, %d tickets in epoch %d", credits(s.All), s.Tickets, s.Epoch),
		"own deposit", amount(s.Prepaid)+" factoids", "as of", fmt.Sprintf("block %d, proved", s.Height))
}

func hardwareCredit(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "credit [DEVICE]",
		Short: "Show the devices' credit and tickets, and one's own deposit",
		Long: `Show the devices' credit and tickets, and one's own deposit. Credit is a device's
reputation: it buys tickets, and tickets are drawn for committees. It is not money.`,
		Example: "  cloister hardware credit",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			r := readRegistry(ctx, c)
			t, err := r.totals()
			if err != nil {
				return err
			}
			s := &shownCredits{Devices: []shownCredit{}, All: t.Credit, Tickets: t.Tickets, Epoch: t.Epoch}
			var list []*shownDevice
			if len(args) == 1 {
				d, err := r.known(args[0])
				if err != nil {
					return err
				}
				list = append(list, d)
			} else {
				all, _, err := a.devices(ctx, c, &deviceSelection{from: 1, limit: 1000})
				if err != nil {
					return err
				}
				list = all.Devices
			}
			for _, d := range list {
				s.Devices = append(s.Devices, shownCredit{d.Device, d.Status, d.Credit, d.Tickets})
			}
			own, err := a.ownAddress()
			if err != nil {
				return err
			}
			b, err := r.get(hardware.PrepaidKey(own))
			if err != nil {
				return err
			}
			s.Prepaid, s.Height = number(b, 0, 8), r.height
			return a.print(s)
		}),
	}
	return c
}
