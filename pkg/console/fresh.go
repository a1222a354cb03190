package console

import (
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// fresh are the tokens that were made here lately, so that a test event can be sent though nobody can look a token up. They are in this
// process's memory only, and not for long.
type fresh struct {
	mu  sync.Mutex
	all map[string]freshToken // by connection
}

type freshToken struct {
	token token.Secret
	until time.Time
}

const (
	freshFor  = time.Hour
	freshMost = 1000
)

func newFresh() *fresh { return &fresh{all: map[string]freshToken{}} }

func (f *fresh) remember(connection string, t token.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for id, kept := range f.all {
		if now.After(kept.until) || len(f.all) >= freshMost {
			delete(f.all, id)
		}
	}
	f.all[connection] = freshToken{t, now.Add(freshFor)}
}

func (f *fresh) forget(connection string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, connection)
}

// get is zero if there is none.
func (f *fresh) get(connection string) token.Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, ok := f.all[connection]
	if !ok || time.Now().After(kept.until) {
		delete(f.all, connection)
		return token.Secret{}
	}
	return kept.token
}
