package console

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

const (
	urlPageLifetime = 5 * time.Minute
	maxURLPages     = 1000
)

// urlPages keeps the pages of new URLs until a browser has followed the redirect from its form. A reference shows its
// page once, so a reload repeats neither the form nor the secret.
type urlPages struct {
	mu    sync.Mutex
	byRef map[string]urlPage
}

type urlPage struct {
	body    urlBody
	expires time.Time
}

func newURLPages() *urlPages { return &urlPages{byRef: map[string]urlPage{}} }

func (u *urlPages) add(body urlBody) (ref string) {
	ref, now := rand.Text(), time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	for old, page := range u.byRef {
		if now.After(page.expires) || len(u.byRef) >= maxURLPages {
			delete(u.byRef, old)
		}
	}
	u.byRef[ref] = urlPage{body, now.Add(urlPageLifetime)}
	return ref
}

// take removes a page. ok is false if it was taken before or has expired.
func (u *urlPages) take(ref string) (body urlBody, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	page, ok := u.byRef[ref]
	delete(u.byRef, ref)
	return page.body, ok && time.Now().Before(page.expires)
}

// connectionURL shows the URL of a connection that was created or rotated, once.
func (c *Console) connectionURL(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	body, ok := urlBody{}, false
	if r.Method == http.MethodGet { // not for HEAD
		body, ok = c.urls.take(r.URL.Query().Get("ref"))
	}
	if !ok || body.Connection.ID != id {
		c.show(w, r, http.StatusGone, "error", "connections", "URL already shown",
			errorBody{"A URL is shown only once.", "If you have not copied it, rotate the connection's URL."})
		return
	}
	c.show(w, r, http.StatusOK, "created", "connections", "Copy the URL now", body)
}
