//go:build linux

package load

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/valyala/fasthttp"
)

// worker is one connection with the requests that are its own.
type worker struct {
	*run
	connection net.Conn
	reader     *bufio.Reader
	response   fasthttp.Response
	requests   []*Request

	latency  *hdrhistogram.Histogram // microseconds
	answered int                     // requests, with 200
	messages int                     // of those
	refused  map[int]int             // by status; 0 where no answer came
	unsent   int                     // requests that were due and not sent in time
}

// What latencies are told apart: from a microsecond to ten minutes, to a hundredth.
const (
	leastMicros = 1
	mostMicros  = 600_000_000
	digits      = 2
)

// answerPatience is how long an answer is waited for.
const answerPatience = time.Minute

func newWorker(r *run, connection net.Conn, i int) *worker {
	w := &worker{run: r, connection: connection, reader: bufio.NewReader(connection), refused: map[int]int{}, latency: hdrhistogram.New(leastMicros, mostMicros, digits)}
	for ; i < len(r.Requests); i += r.Connections {
		w.requests = append(w.requests, r.Requests[i])
	}
	return w
}

func (w *worker) loop(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		due := time.Now()
		if w.Rate > 0 {
			due = w.due()
			if !due.Before(w.end) {
				return
			}
			if !sleepUntil(ctx, due) {
				w.unsent++
				continue
			}
		}
		if !w.send(w.requests[i%len(w.requests)], due) {
			return
		}
	}
}

// sleepUntil tells whether the time has come before ctx ended.
func sleepUntil(ctx context.Context, due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		time.Sleep(wait) // due is before the end of ctx
	}
	return ctx.Err() == nil
}

// send sends a request and counts its answer. It tells whether the connection can be used again.
func (w *worker) send(r *Request, due time.Time) bool {
	if w.Fresh != 0 {
		n := uint64(r.body.Messages)
		r.body.Stamp(w.Fresh, w.ids.Add(n)-n, time.Now())
	}
	status := 0
	_ = w.connection.SetDeadline(time.Now().Add(answerPatience)) // of a closed connection the write tells
	_, err := w.connection.Write(r.text)
	if err == nil {
		err = w.response.Read(w.reader)
	}
	if err == nil {
		status = w.response.StatusCode()
	}
	w.count(r, status, due, time.Now())
	return err == nil && !w.response.ConnectionClose()
}

// count counts what was due and answered in the time that counts: in a closed loop the two are one, for nothing is due
// before it is sent.
func (w *worker) count(r *Request, status int, due, now time.Time) {
	switch {
	case status != fasthttp.StatusOK:
		w.refused[status]++
	case w.Rate == 0 && (now.Before(w.counts) || now.After(w.end)), due.Before(w.counts):
	default:
		w.answered++
		w.messages += r.body.Messages
		_ = w.latency.RecordValue(min(max(now.Sub(due).Microseconds(), leastMicros), mostMicros)) // within its range
	}
}
