package stream

import (
	"context"
	"sync/atomic"
	"time"
)

// wait is how Send waits for acknowledgements, a time-out or the end of a context, whichever comes first. It
// can be used again and again: a context with a deadline and a select for each request took a tenth of the edge's
// processor time at single messages.
type wait struct {
	state atomic.Int32
	over  chan struct{} // one signal for each begin
	timer *time.Timer
	ctx   func() (stopped bool) // ends the watch over a context; nil if it cannot end
}

const (
	waiting int32 = iota
	acknowledged
	givenUp
)

func newWait() *wait {
	w := &wait{over: make(chan struct{}, 1)}
	w.timer = time.AfterFunc(time.Hour, w.giveUp)
	w.timer.Stop()
	return w
}

func (w *wait) begin(ctx context.Context, timeout time.Duration) {
	w.state.Store(waiting)
	w.timer.Reset(timeout)
	w.ctx = nil
	if ctx.Done() != nil {
		w.ctx = context.AfterFunc(ctx, w.giveUp)
	}
}

// acknowledge and giveUp end the wait; the first of them counts.
func (w *wait) acknowledge() { w.endAs(acknowledged) }
func (w *wait) giveUp()      { w.endAs(givenUp) }

func (w *wait) endAs(state int32) {
	if w.state.CompareAndSwap(waiting, state) {
		w.over <- struct{}{}
	}
}

// end returns when the wait is over. Where again is false, a call of giveUp may be under way that would end the next
// wait too soon: it must not be used again.
func (w *wait) end() (done, reusable bool) {
	<-w.over
	reusable = w.timer.Stop()
	if w.ctx != nil {
		reusable = w.ctx() && reusable
	}
	return w.state.Load() == acknowledged, reusable
}
