package btcdlab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloister/host/anchor/rpc"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Times of a start.
const (
	startTime = 30 * time.Second
	askTime   = 50 * time.Millisecond // between two tries
	stopTime  = 10 * time.Second
)

// Mature is how many blocks make a new chain useful: segwit is active from 300
// on, and what the first 300 paid can be spent.
const Mature = 401

// Lab is a running node.
type Lab struct {
	Node rpc.Node

	program string
	args    []string
	dir     string
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// Start begins a chain in a folder, or goes on with the one there. Blocks pay to
// the mining address. Errors carry ErrNotFound if there is no btcd, and
// ErrUnavailable if it does not answer; its log is then in the folder.
func Start(ctx context.Context, dir, miningAddress string, more ...string) (*Lab, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("btcdlab: %w", err)
	}
	var secret [16]byte
	rand.Read(secret[:])
	password := hex.EncodeToString(secret[:])
	client, err := rpc.New(rpc.Config{URL: "http://" + ports[0], User: "lab", Password: password})
	if err != nil {
		return nil, err
	}
	l := &Lab{Node: rpc.Node{Client: client}, program: path, dir: dir, args: append([]string{
		"--simnet", "--datadir=" + filepath.Join(dir, "data"), "--logdir=" + filepath.Join(dir, "logs"),
		"--configfile=" + filepath.Join(dir, "none.conf"), "--rpcuser=lab", "--rpcpass=" + password, "--notls",
		"--nodnsseed", "--nobanning", "--rpclisten=" + ports[0], "--listen=" + ports[1], "--miningaddr=" + miningAddress,
	}, more...)}
	return l, l.Restart(ctx)
}

// freePorts finds addresses of the loopback that nobody listens on.
func freePorts(n int) (addresses []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("btcdlab: %w", err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// URL is where another program finds the node's RPC.
func (l *Lab) URL() string { return l.Node.URL() }

// Login is the user and password of the node's RPC.
func (l *Lab) Login() (user, password string) { return l.Node.Login() }

// Restart starts the node after Stop or Kill, on the same folder and ports, and waits
// until it answers.
func (l *Lab) Restart(ctx context.Context) error {
	out, err := os.OpenFile(filepath.Join(l.dir, "btcd.out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("btcdlab: %w", err)
	}
	defer out.Close()
	l.process = exec.Command(l.program, l.args...)
	l.process.Stdout, l.process.Stderr = out, out
	l.process.SysProcAttr = withParent()
	if err := l.process.Start(); err != nil {
		return fmt.Errorf("btcdlab: %w", err)
	}
	l.ended = make(chan struct{})
	go func(p *exec.Cmd, ended chan struct{}) {
		p.Wait()
		close(ended)
	}(l.process, l.ended)
	if err := l.answers(ctx); err != nil {
		l.Kill()
		return err
	}
	return nil
}

func (l *Lab) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		_, err := l.Node.Height(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return wire.Faultf(wire.ErrUnavailable, "btcdlab: btcd does not answer; see %s", l.dir)
		case <-l.ended:
			return wire.Faultf(wire.ErrUnavailable, "btcdlab: btcd ended; see %s", l.dir)
		case <-time.After(askTime):
		}
	}
}

// Kill ends the node as a power cut would. Blocks since the last Stop are likely
// gone: btcd writes only every few minutes.
func (l *Lab) Kill() {
	l.process.Process.Kill()
	<-l.ended
	l.Node.Close()
}

// Close ends the node; the folder stays.
func (l *Lab) Close() { l.Stop() }

// Stop ends the node in order, so that Restart finds every block again, or by
// force if that takes too long.
func (l *Lab) Stop() {
	l.process.Process.Signal(os.Interrupt)
	select {
	case <-l.ended:
	case <-time.After(stopTime):
	}
	l.Kill()
}

// Generate mines n blocks on the tip.
func (l *Lab) Generate(ctx context.Context, n uint32) ([]bitcoin.Hash, error) {
	var hashes []bitcoin.Hash
	if err := l.Node.Call(ctx, &hashes, "generate", n); err != nil {
		return nil, fmt.Errorf("btcdlab: generate: %w", err)
	}
	return hashes, nil
}

// Invalidate takes a block and all after it out of the best chain.
func (l *Lab) Invalidate(ctx context.Context, block bitcoin.Hash) error {
	if err := l.Node.Call(ctx, nil, "invalidateblock", block); err != nil {
		return fmt.Errorf("btcdlab: invalidate: %w", err)
	}
	return nil
}

// Reorg replaces the last n blocks by n+1 others. What was in them goes back to
// the node's pool only if it still has it; the new blocks hold whatever is in the
// pool.
func (l *Lab) Reorg(ctx context.Context, n uint32) ([]bitcoin.Hash, error) {
	height, err := l.Node.Height(ctx)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > height {
		return nil, wire.Faultf(wire.ErrBadRequest, "btcdlab: cannot replace %d of %d blocks", n, height)
	}
	first, err := l.Node.BlockHash(ctx, height-n+1)
	if err != nil {
		return nil, err
	}
	if err := l.Invalidate(ctx, first); err != nil {
		return nil, err
	}
	return l.Generate(ctx, n+1)
}

// MineTo has blocks pay to these addresses, one of them at random each, from the
// next Restart on.
func (l *Lab) MineTo(addresses ...string) {
	l.args = slices.DeleteFunc(l.args, func(arg string) bool { return strings.HasPrefix(arg, "--miningaddr=") })
	for _, a := range addresses {
		l.args = append(l.args, "--miningaddr="+a)
	}
}
