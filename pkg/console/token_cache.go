package console

import (
	"sync"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// tokenCache keeps the tokens of connections created by this process, so that a test message needs no pasted URL.
// Tokens stay in memory and expire.
type tokenCache struct {
	mu           sync.Mutex
	byConnection map[string]cachedToken
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

// get returns the token, or the zero Secret if there is none.
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
