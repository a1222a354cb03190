package auth

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxNextBytes is the longest address that a login leads back to.
const maxNextBytes = 2048

// localPath is the page of the console that text names, or its first page. It never leads to another host, nor out of the console.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxNextBytes || strings.Contains(text, `\`) || u.Scheme != "" || u.Host != "" || u.Opaque != "" {
		return Path
	}
	inside := strings.HasPrefix(u.Path+"/", Path+"/") && path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/")
	if !inside || u.Path == LoginPath || u.Path == LogoutPath {
		return Path
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// loginURL is the login page that leads back to where a request was made: the page that was asked for, or the one that htmx is
// on. What would have been changed is not asked for again.
func loginURL(r *http.Request) string {
	back := Path
	if isHTMX(r) {
		if u, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && u.Host == r.Host {
			back = localPath(u.RequestURI())
		}
	} else if r.Method == http.MethodGet {
		back = localPath(r.URL.RequestURI())
	}
	if back == Path {
		return LoginPath
	}
	return LoginPath + "?" + url.Values{nextField: {back}}.Encode()
}

func isHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }
