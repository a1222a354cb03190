package telemetry

import (
	"sync"
)

// Health collects the conditions under which a program is ready for work.
type Health struct {
	mu     sync.Mutex
	checks map[string]func() error
}

// Require adds a condition; it is ready while check returns nil. check must not block.
func (h *Health) Require(name string, check func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]func() error{}
	}
	h.checks[name] = check
}

// Unmet returns the conditions that do not hold, with what is missing.
func (h *Health) Unmet() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	unmet := map[string]string{}
	for name, check := range h.checks {
		if err := check(); err != nil {
			unmet[name] = err.Error()
		}
	}
	return unmet
}
