package scan

import (
	"context"

	"cloister/client/factomd"
	"cloister/wire"
)

// Node is a Peer that speaks factomd's JSON-RPC.
type Node struct{ client *factomd.Client }

// NewNode makes a peer of a client, which stays the caller's to close.
func NewNode(c *factomd.Client) *Node { return &Node{c} }

// Name implements Peer: the endpoint.
func (n *Node) Name() string { return n.client.Endpoint() }

// Head implements Peer.
func (n *Node) Head(ctx context.Context) (wire.Hash, error) { return n.client.DirectoryBlockHead(ctx) }

// DirectoryAt implements Peer.
func (n *Node) DirectoryAt(ctx context.Context, height uint32) ([]byte, error) {
	b, err := n.client.DirectoryBlockByHeight(ctx, height)
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Object implements Peer. The node finds objects of all kinds by their keys.
func (n *Node) Object(ctx context.Context, _ Kind, key wire.Hash) ([]byte, error) {
	return n.client.Raw(ctx, key)
}
