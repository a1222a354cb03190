package loader

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/stream"
)

// pollPause keeps a broker that answers with errors from being asked in a tight loop.
const pollPause = 100 * time.Millisecond

// read polls until ctx ends.
func (s *Service) read(ctx context.Context) {
	for ctx.Err() == nil {
		s.memory.wait(ctx, s.flushFullest)
		if err := s.pollScheduled(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, stream.ErrNameTaken) {
				s.fail(err)
				return
			}
			s.metrics.fetchErrors.Inc()
			s.deps.Log.Warn("cannot fetch, trying again", "error", err)
			time.Sleep(pollPause)
		}
	}
}

func (s *Service) receive(b *stream.Batch) {
	s.mu.Lock()
	l := s.workers[b.Partition]
	if l != nil {
		l.schedule.recordFetch(b.Left(), b.Len(), b.Bytes, &s.config)
	}
	s.mu.Unlock()
	if l == nil {
		return // revoked meanwhile: it is the next owner's
	}
	s.memory.reserve(b.Bytes)
	l.enqueue(b)
}

// flushFullest has lanes hand over what they have, for there is no room to read more: the fullest first, and no more at once than
// are inserted at once. Whatever makes room again, the reader presses again if it was not enough.
func (s *Service) flushFullest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for busy := s.sending(); busy < s.config.Warehouse.Inserts; busy++ {
		fullest := s.fullest()
		if fullest == nil {
			return // they wait for room themselves, or their linger will have them handed over
		}
		fullest.flush()
	}
}

func (s *Service) sending() (n int) {
	for _, l := range s.workers {
		if l.sending.Load() {
			n++
		}
	}
	return n
}

// fullest is the lane that has most to hand over.
func (s *Service) fullest() (fullest *partitionWorker) {
	most := int64(0)
	for _, l := range s.workers {
		if n := l.flushableBytes.Load(); n > most && !l.sending.Load() {
			fullest, most = l, n
		}
	}
	return fullest
}

// cancelWorkers makes every lane give up what it has.
func (s *Service) cancelWorkers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.workers {
		l.cancel()
	}
}

// Assigned opens a lane for each partition.
func (s *Service) Assigned(partitions []stream.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attribution.PartitionsAssigned(partitions)
	for _, p := range partitions {
		s.workers[p] = newPartitionWorker(s, p)
	}
	s.joined.Store(true)
	s.deps.Log.Debug("partitions assigned", "partitions", partitions)
}

// Revoked closes the lanes, all at once: their time-outs must not add up. Who asks for what is being closed already
// waits for it.
func (s *Service) Revoked(partitions []stream.Partition, lost bool) {
	s.revoking.Lock()
	defer s.revoking.Unlock()
	timeout := s.config.StopTimeout
	if lost {
		timeout = 0 // another member may have them already
	}
	s.attribution.PartitionsRevoked(partitions)
	var wait sync.WaitGroup
	for _, p := range partitions {
		s.mu.Lock()
		l := s.workers[p]
		delete(s.workers, p)
		s.mu.Unlock()
		if l != nil {
			wait.Go(func() {
				l.stop(timeout)
				s.metrics.forget(p)
			})
		}
	}
	wait.Wait()
	s.deps.Log.Debug("partitions given up", "partitions", partitions, "lost", lost)
}
