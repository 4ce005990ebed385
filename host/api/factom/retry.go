package factom

import (
	"context"

	"cloister/wire"
)

// retry submits what is due until the server is closed, in rounds with a pause
// between them, so that what waits cannot take the core from new messages.
func (s *Server) retry() {
	for {
		select {
		case <-s.held.woken:
		case <-s.ctx.Done():
			return
		}
		s.retryDue(s.ctx)
		if s.pause(s.ctx, retryPause) != nil {
			return
		}
	}
}

// retryDue submits, each once, what is due, in the order it came.
func (s *Server) retryDue(ctx context.Context) {
	due := s.held.take()
	for i, x := range due {
		seen := s.held.events()
		err := s.state.Submit(ctx, x.family(), x.payload)
		code := wire.CodeOf(err)
		w := waitsFor(x.message, code)
		switch {
		case ctx.Err() != nil:
			return
		case code == wire.OK, code == wire.ErrReplayed:
			s.held.remove(x)
		case w != wait{}:
			s.held.keep(x, w, seen)
		case refusedByRules(code):
			s.fates.refused(x.message)
			s.held.remove(x)
		case passing(code):
			s.held.again(due[i:])
			return
		default: // a message that breaks the core must not keep others waiting
			s.log.Error("the core cannot take a held message", "id", x.id, "err", err)
			s.held.remove(x)
		}
	}
}

// passing reports whether a code is about the node and not about the message.
func passing(code wire.Code) bool {
	return busy(code) || code == wire.ErrStopping || code == wire.ErrDeadline
}
