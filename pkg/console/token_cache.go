package console

import (
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// tokenCache are the tokens that were made here lately, so that a test event can be sent though nobody can look a token up. They are in this
// process's memory only, and not for long.
type tokenCache struct {
	mu           sync.Mutex
	byConnection map[string]cachedToken // by connection
}

type cachedToken struct {
	token token.Secret
	until time.Time
}

const (
	cachedTokenLifetime = time.Hour
	maxCachedTokens     = 1000
)

func newTokenCache() *tokenCache { return &tokenCache{byConnection: map[string]cachedToken{}} }

func (f *tokenCache) put(connection string, t token.Secret) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for id, kept := range f.byConnection {
		if now.After(kept.until) || len(f.byConnection) >= maxCachedTokens {
			delete(f.byConnection, id)
		}
	}
	f.byConnection[connection] = cachedToken{t, now.Add(cachedTokenLifetime)}
}

func (f *tokenCache) remove(connection string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byConnection, connection)
}

// get is zero if there is none.
func (f *tokenCache) get(connection string) token.Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, ok := f.byConnection[connection]
	if !ok || time.Now().After(kept.until) {
		delete(f.byConnection, connection)
		return token.Secret{}
	}
	return kept.token
}
