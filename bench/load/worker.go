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

// worker is one connection with its own requests.
type worker struct {
	*run
	connection net.Conn
	reader     *bufio.Reader
	response   fasthttp.Response
	requests   []*Request

	latency  *hdrhistogram.Histogram // microseconds
	answered int                     // requests, with 200
	messages int                     // in these requests
	refused  map[int]int             // by status; 0 without an answer
	unsent   int                     // due requests that were not sent in time
}

// Range and precision of latencies: a microsecond to ten minutes, two significant digits.
const (
	minMicros = 1
	maxMicros = 600_000_000
	digits    = 2
)

// answerTimeout is the maximum time to wait for an answer.
const answerTimeout = time.Minute

func newWorker(r *run, connection net.Conn, i int) *worker {
	w := &worker{
		run:        r,
		connection: connection,
		reader:     bufio.NewReader(connection),
		refused:    map[int]int{},
		latency:    hdrhistogram.New(minMicros, maxMicros, digits),
	}
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

// sleepUntil returns at the time due, and reports whether ctx is not done.
func sleepUntil(ctx context.Context, due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		time.Sleep(wait) // due is before the end of ctx
	}
	return ctx.Err() == nil
}

// send sends a request and counts its answer. It reports whether the connection can be reused.
func (w *worker) send(r *Request, due time.Time) bool {
	if w.NewIDs != 0 {
		n := uint64(r.body.Messages)
		r.body.Stamp(w.NewIDs, w.ids.Add(n)-n, time.Now())
	}
	status := 0
	_ = w.connection.SetDeadline(time.Now().Add(answerTimeout)) // for a closed connection the write fails
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

// count counts a request that was due and answered in the measured time. In a closed loop a request is due when it is
// sent.
func (w *worker) count(r *Request, status int, due, now time.Time) {
	switch {
	case status != fasthttp.StatusOK:
		w.refused[status]++
	case w.Rate == 0 && (now.Before(w.measured) || now.After(w.end)), due.Before(w.measured):
	default:
		w.answered++
		w.messages += r.body.Messages
		_ = w.latency.RecordValue(min(max(now.Sub(due).Microseconds(), minMicros), maxMicros)) // it is within the range
	}
}
