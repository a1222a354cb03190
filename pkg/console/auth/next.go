package auth

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxNextBytes limits the length of the path that follows a login.
const maxNextBytes = 2048

// localPath returns text if it is a path of the console, and Path otherwise. The result never leads to another host.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxNextBytes || strings.Contains(text, `\`) || u.Scheme != "" || u.Host != "" ||
		u.Opaque != "" {
		return Path
	}
	inside := strings.HasPrefix(u.Path+"/", Path+"/") && path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/")
	if !inside || u.Path == LoginPath || u.Path == LogoutPath {
		return Path
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// loginURL returns the login page that leads back to the requested page, or to the page htmx is on. A change is not
// repeated after the login.
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
