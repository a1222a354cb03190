package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// change is an action on a connection: its confirmation page and its effect.
type change struct {
	Title   string
	Effects []string // shown before the confirmation, as sentences
	Button  string
	Danger  bool
	Secret  bool // the form has a field for a shared secret
	apply   func(c *Console, w http.ResponseWriter, r *http.Request, ctx context.Context, id string) error
}

// changes has all actions by the last part of their path.
var changes = map[string]change{
	"pause": {
		Title: "Pause this connection?", Button: "Pause",
		Effects: []string{
			"Every request is answered with 204 and its messages are dropped. Segment does not send them again: dropped messages are lost.",
			"The URL stays the same. Resume ends the pause.",
		},
		apply: applyAndShow((*connection.Store).Pause),
	},
	"resume": {
		Title: "Resume this connection?", Button: "Resume",
		Effects: []string{"Its URL accepts events again. Messages sent during the pause are lost."},
		apply:   applyAndShow((*connection.Store).Resume),
	},
	"disconnect": {
		Title: "Disconnect this source?", Button: "Disconnect", Danger: true,
		Effects: []string{
			"Every request is answered with 204 and its messages are dropped, as in a pause.",
			"The list shows that the source is disconnected.",
			"Its events stay. Resume connects it again with the same URL.",
		},
		apply: applyAndShow((*connection.Store).Disconnect),
	},
	"rotate": {
		Title: "Replace the URL?", Button: "Rotate the URL", Danger: true,
		Effects: []string{
			"A new URL is created and shown once. The old URL is answered with 401 immediately.",
			"Open Segment's settings first: messages to the old URL are refused until you paste the new one.",
		},
		apply: func(c *Console, w http.ResponseWriter, r *http.Request, ctx context.Context, id string) error {
			made, err := c.deps.Connections.Rotate(ctx, id)
			if err == nil {
				c.redirectToURL(w, r, made, true)
			}
			return err
		},
	},
	"delete": {
		Title: "Delete this connection permanently?", Button: "Delete permanently", Danger: true,
		Effects: []string{
			"Its URL is answered with 401 immediately. This cannot be undone.",
			"Its events stay in ClickHouse.",
		},
		apply: func(c *Console, w http.ResponseWriter, r *http.Request, ctx context.Context, id string) error {
			err := c.deps.Connections.Delete(ctx, id)
			if err == nil {
				c.tokens.remove(id)
				http.Redirect(w, r, Base+"/connections", http.StatusSeeOther)
			}
			return err
		},
	},
	"secret": {
		Title: "Require a shared secret?", Button: "Require this secret", Secret: true,
		Effects: []string{
			"Every request must carry the secret in the header x-greenflash-secret. Other requests are answered with 401.",
			"An existing secret is replaced.",
			"In Segment, set the header at the same time: Webhook destination, Headers.",
		},
		apply: func(c *Console, w http.ResponseWriter, r *http.Request, ctx context.Context, id string) error {
			secret := r.PostForm.Get("secret")
			return redirectAfter(w, r, id, func() (*connection.Connection, error) {
				return c.deps.Connections.SetSecret(ctx, id, token.NewSecret(secret))
			})
		},
	},
	"no-secret": {
		Title:  "Stop requiring a shared secret?",
		Button: "Stop requiring it",
		Danger: true,
		Effects: []string{
			"Anyone with the URL can write events into the product, without the header x-greenflash-secret.",
		},
		apply: applyAndShow((*connection.Store).ClearSecret),
	},
}

// applyAndShow returns a change that calls do and redirects to the connection's page.
func applyAndShow(
	do func(*connection.Store, context.Context, string) (*connection.Connection, error),
) func(*Console, http.ResponseWriter, *http.Request, context.Context, string) error {
	return func(c *Console, w http.ResponseWriter, r *http.Request, ctx context.Context, id string) error {
		return redirectAfter(
			w,
			r,
			id,
			func() (*connection.Connection, error) { return do(c.deps.Connections, ctx, id) },
		)
	}
}

func redirectAfter(w http.ResponseWriter, r *http.Request, id string, do func() (*connection.Connection, error)) error {
	_, err := do()
	if err == nil {
		http.Redirect(w, r, Base+"/connections/"+id, http.StatusSeeOther)
	}
	return err
}

// confirmBody is the content of the confirmation page.
type confirmBody struct {
	change
	Connection connectionView
	Action     string
	Problem    string
}

func (c *Console) confirmChange(w http.ResponseWriter, r *http.Request) {
	c.confirm(w, r, http.StatusOK, "")
}

func (c *Console) confirm(w http.ResponseWriter, r *http.Request, status int, problem string) {
	action := r.PathValue("action")
	change, known := changes[action]
	if !known {
		c.notFound(w, r)
		return
	}
	ctx, cancel := pageContext(r)
	defer cancel()
	found, err := c.find(ctx, r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, status, "confirm", "connections", change.Title, confirmBody{change, found, action, problem})
}

func (c *Console) applyChange(w http.ResponseWriter, r *http.Request) {
	change, known := changes[r.PathValue("action")]
	if !known {
		c.notFound(w, r)
		return
	}
	ctx, cancel := pageContext(r)
	defer cancel()
	err := change.apply(c, w, r, ctx, r.PathValue("id"))
	if problem, is := inputProblem(err); is {
		c.confirm(w, r, http.StatusBadRequest, problem)
		return
	}
	if err != nil {
		c.fail(w, r, err)
	}
}

// inputProblem returns an input error as a sentence; ok is false for other errors.
func inputProblem(err error) (string, bool) {
	var input *connection.InputError
	if errors.As(err, &input) {
		return "T" + input.Error()[1:] + ".", true
	}
	return "", false
}
