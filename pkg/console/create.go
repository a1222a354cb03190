package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/token"
)

// newBody is the content of the form for a new connection.
type newBody struct {
	Product, Workspace, Name, Note string
	Problem                        string
	Products                       []string // suggestions: products that have connections
}

func (c *Console) newConnection(w http.ResponseWriter, r *http.Request) {
	c.form(w, r, http.StatusOK, newBody{Workspace: connection.DefaultWorkspace})
}

func (c *Console) form(w http.ResponseWriter, r *http.Request, status int, body newBody) {
	ctx, cancel := pageContext(r)
	defer cancel()
	if all, err := c.deps.Connections.List(ctx); err == nil {
		body.Products = productsOf(all)
	}
	c.show(w, r, status, "new", "connections", "Connect a source", body)
}

// productsOf returns the products of the connections, sorted, maxConnections at most.
func productsOf(all []connection.Listed) (products []string) {
	for i := range all {
		products = append(products, all[i].ProductID)
	}
	slices.Sort(products)
	products = slices.Compact(products)
	return products[:min(len(products), maxConnections)]
}

// urlBody is the content of the only page that shows a URL.
type urlBody struct {
	Connection connection.Connection
	URL        string
	Curl       string
	Rotated    bool
	HasSecret  bool
}

func (c *Console) createConnection(w http.ResponseWriter, r *http.Request) {
	field := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	params := connection.CreateParams{
		ProductID:   field("product"),
		WorkspaceID: field("workspace"),
		Name:        field("name"),
		Note:        field("note"),
	}
	if secret := r.PostForm.Get("secret"); secret != "" {
		params.Secret = token.NewSecret(secret)
	}
	ctx, cancel := pageContext(r)
	defer cancel()
	made, err := c.deps.Connections.Create(ctx, params)
	if err != nil {
		if problem, is := inputProblem(err); is {
			c.form(
				w,
				r,
				http.StatusBadRequest,
				newBody{
					Product:   params.ProductID,
					Workspace: params.WorkspaceID,
					Name:      params.Name,
					Note:      params.Note,
					Problem:   problem,
				},
			)
			return
		}
		c.fail(w, r, err)
		return
	}
	c.redirectToURL(w, r, made, false)
}

// redirectToURL redirects to the page that shows the connection's URL once.
func (c *Console) redirectToURL(w http.ResponseWriter, r *http.Request, made connection.Created, rotated bool) {
	id, secret := made.Connection.ID, !made.Connection.SecretHash.IsZero()
	c.tokens.put(id, made.Token)
	url := c.deps.EdgeURL + "/v1/segment/" + made.Token.Reveal()
	ref := c.urls.add(
		urlBody{Connection: made.Connection, URL: url, Curl: curl(url, secret), Rotated: rotated, HasSecret: secret},
	)
	http.Redirect(w, r, Base+"/connections/"+id+"/url?ref="+ref, http.StatusSeeOther)
}

// curl returns a command that sends the example event of Segment's webhook documentation.
func curl(url string, secret bool) string {
	header := ""
	if secret {
		header = "  -H \"x-greenflash-secret: YOUR SHARED SECRET\" \\\n"
	}
	return fmt.Sprintf(
		"curl -X POST \"%s\" \\\n  -H \"Content-Type: application/json\" \\\n%s  -d '%s'",
		url,
		header,
		exampleMessage,
	)
}

const exampleMessage = `{"type":"track","event":"Order Completed","userId":"user_test_123","messageId":"msg_test_001","timestamp":"2026-05-18T12:00:00Z","properties":{"revenue":49.0,"plan":"pro"}}`
