package console

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

const (
	testTimeout = 15 * time.Second
	// maxTestMessageBytes limits a test message.
	maxTestMessageBytes = 64 << 10
)

// testMessage returns Segment's example with the current time and a new message id.
func testMessage() string {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Sprintf(`{
  "type": "track",
  "event": "Order Completed",
  "userId": "user_test_123",
  "messageId": "console-test-%s",
  "timestamp": "%s",
  "properties": {"revenue": 49.0, "plan": "pro"}
}`, strings.ToLower(rand.Text()[:10]), now)
}

// testBody is the result of a test message.
type testBody struct {
	Problem string
	Status  int
	Text    string // the edge's answer
	Meaning string
	Took    string
}

// sendTest posts a message to the connection's URL. It always uses the configured edge: only the token of a pasted URL
// is used.
func (c *Console) sendTest(w http.ResponseWriter, r *http.Request) {
	result := c.test(r)
	html, err := c.fragment("connection", "test-result", result)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, html) // the browser may have disconnected
}

func (c *Console) test(r *http.Request) testBody {
	secret, message := r.PostForm.Get("secret"), r.PostForm.Get("message")
	secretURL := token.NewSecret(strings.TrimSpace(r.PostForm.Get("url")))
	used := c.tokens.get(r.PathValue("id"))
	if !secretURL.IsZero() {
		_, after, found := strings.Cut(secretURL.Reveal(), "/v1/segment/")
		if !found || after == "" || strings.ContainsAny(after, "/?# ") {
			return testBody{Problem: "This is not a connection's URL, which ends in /v1/segment/ and a token."}
		}
		if !strings.Contains(after, r.PathValue("id")) { // a token contains its connection's id
			return testBody{Problem: "This is the URL of another connection."}
		}
		used = token.NewSecret(after)
	}
	switch {
	case used.IsZero():
		return testBody{Problem: "Paste the connection's URL. Millrace does not store it."}
	case len(message) > maxTestMessageBytes:
		return testBody{Problem: fmt.Sprintf("The message is longer than %d bytes.", maxTestMessageBytes)}
	}
	return c.post(r, used, token.NewSecret(secret), message)
}

func (c *Console) post(r *http.Request, used, secret token.Secret, message string) testBody {
	request, err := http.NewRequestWithContext(
		r.Context(),
		http.MethodPost,
		c.deps.EdgeURL+"/v1/segment/"+used.Reveal(),
		strings.NewReader(message),
	)
	if err != nil {
		return testBody{Problem: "The URL cannot be used."} // the error would quote the URL
	}
	request.Header.Set("Content-Type", "application/json")
	if !secret.IsZero() {
		request.Header.Set("x-greenflash-secret", secret.Reveal())
	}
	began := time.Now()
	response, err := c.edgeClient.Do(request)
	if err != nil {
		return testBody{
			Problem: "The edge at " + c.deps.EdgeURL + " does not answer. Check that it runs and that --public-url is correct.",
		}
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // a partial answer is shown
	if indented := (&bytes.Buffer{}); json.Indent(indented, text, "", "  ") == nil {
		text = indented.Bytes()
	}
	return testBody{
		Status:  response.StatusCode,
		Text:    string(text),
		Meaning: statusMeanings[response.StatusCode],
		Took:    time.Since(began).Round(100 * time.Microsecond).String(),
	}
}

// statusMeanings explain the edge's answers.
var statusMeanings = map[int]string{
	http.StatusOK:                    "Kafka has stored it. It appears below, and a second later in ClickHouse.",
	http.StatusNoContent:             "The connection is paused or disconnected: the message was dropped.",
	http.StatusBadRequest:            "This is not JSON or not a Segment message. It was not accepted.",
	http.StatusUnauthorized:          "The URL is no longer valid, or the shared secret is missing or wrong.",
	http.StatusRequestEntityTooLarge: "It is too large.",
	http.StatusTooManyRequests:       "The edge is overloaded, or the rate limit is reached. Try again.",
	http.StatusInternalServerError:   "The edge cannot look up the connection. Try again.",
	http.StatusServiceUnavailable:    "The brokers did not acknowledge it in time. Try again.",
}
