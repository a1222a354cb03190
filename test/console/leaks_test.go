package console

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// listened is how long a stream is read: the first things it says are all there is.
const listened = 1500 * time.Millisecond

var addresses = regexp.MustCompile(`(?:href|action|src|hx-get|sse-connect)="(/console[^"#]*)"`)

// leaksNothing reads all that the console has, whoever wants to know: pages, parts of them, streams. None has a secret.
func leaksNothing(p *page, m *millrace, secrets []string) {
	p.t.Helper()
	known, found := map[string]bool{"/console": true}, []string{"/console"}
	for len(found) > 0 {
		texts := readAll(p, m, found)
		found = nil
		for address, text := range texts {
			for _, secret := range secrets {
				require.NotContains(p.t, text, secret, address)
			}
			for _, match := range addresses.FindAllStringSubmatch(text, -1) {
				address := strings.ReplaceAll(match[1], "&amp;", "&")
				if !known[address] && !strings.Contains(address, "/assets/") && len(known) < mostRead {
					known[address] = true
					found = append(found, address)
				}
			}
		}
	}
	require.Greater(p.t, len(known), 20)
}

// mostRead bounds how many addresses are read: lists lead to lists.
const mostRead = 150

// readAll reads several at once, for streams take their time.
func readAll(p *page, m *millrace, found []string) map[string]string {
	p.t.Helper()
	texts := make(map[string]string, len(found))
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, address := range found {
		group.Go(func() {
			text, err := read(p.t.Context(), m.Admin+address)
			mu.Lock()
			defer mu.Unlock()
			if texts[address] = text; err != nil {
				p.t.Errorf("%s: %v", address, err)
			}
		})
	}
	group.Wait()
	return texts
}

func read(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Type") == "text/event-stream" {
		time.AfterFunc(listened, cancel)
		text, _ := io.ReadAll(response.Body) // it ends with our patience
		return string(text), nil
	}
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
