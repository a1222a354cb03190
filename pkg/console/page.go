package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/assets"
	"github.com/millrace/millrace/pkg/console/auth"
)

//go:embed templates/*.html
var templates embed.FS

// pages are the parsed templates: each page with the frame and the common parts.
type pages struct{ byName map[string]*template.Template }

var pageNames = []string{
	"connections",
	"new",
	"created",
	"connection",
	"confirm",
	"message",
	"dead-letters",
	"replay",
	"outcomes",
	"whatif",
	"login",
	"error",
}

func newPages() *pages {
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range pageNames {
		t := template.New(name).Funcs(functions)
		p.byName[name] = template.Must(
			t.ParseFS(templates, "templates/frame.html", "templates/parts.html", "templates/"+name+".html"),
		)
	}
	return p
}

var functions = template.FuncMap{
	"asset":      func(name string) string { return assets.Path(assetsBase, name) },
	"item":       menuItem,
	"influences": func() []string { return []string{"positive", "neutral", "negative"} },
	"entity":     func(what string, s entity) labelledEntity { return labelledEntity{s, what} },
	"sql":        func(id, text string) sqlView { return sqlView{id, text} },
	"base":       func() string { return Base },
	"count":      count,
	"short":      short,
	"ago":        ago,
	"timestamp":  timestamp,
	"timeOfDay":  timeOfDay,
	"seconds":    func(s *float64) string { return time.Duration(*s * float64(time.Second)).Round(time.Second).String() },
}

// view is the data of the frame.
type view struct {
	Title   string
	Section string // selected entry of the menu
	Visitor auth.Visitor
	Body    any
}

// show renders a page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, page, section, title string, body any) {
	v := view{Title: title, Section: section, Body: body, Visitor: auth.VisitorOf(r.Context())}
	var b bytes.Buffer
	if err := c.pages.byName[page].ExecuteTemplate(&b, "frame", v); err != nil {
		c.deps.Log.Error("BUG: a page of the console could not be rendered", "page", page, "error", err)
		http.Error(w, "internal error: see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may have disconnected
}

// fragment renders a named template of a page.
func (c *Console) fragment(page, part string, body any) (string, error) {
	var b bytes.Buffer
	if err := c.pages.byName[page].ExecuteTemplate(&b, part, body); err != nil {
		c.deps.Log.Error(
			"BUG: a part of a page of the console could not be rendered",
			"page",
			page,
			"part",
			part,
			"error",
			err,
		)
		return "", fmt.Errorf("BUG: render %s of %s: %w", part, page, err)
	}
	return b.String(), nil
}

// errorBody is the content of the error page.
type errorBody struct{ Problem, Advice string }

// fail shows the error page for err.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, t := http.StatusBadGateway, errorBody{err.Error(), "Run \"millrace doctor\" to check Kafka and ClickHouse."}
	var input *connection.InputError
	switch {
	case errors.Is(err, connection.ErrNotFound):
		status, t = http.StatusNotFound, errorBody{"This connection does not exist.", "It may have been deleted."}
	case errors.As(err, &input):
		status, t = http.StatusBadRequest, errorBody{err.Error(), "Go back and correct it."}
	case errors.Is(err, errInput):
		status, t = http.StatusBadRequest, errorBody{err.Error(), "Go back and correct it."}
	case errors.Is(err, context.Canceled):
		return // the browser has disconnected
	}
	if status == http.StatusBadGateway {
		c.metrics.failed.Inc()
		c.deps.Log.Warn("a page of the console failed", "error", err)
	}
	c.show(w, r, status, "error", "", "Error", t)
}

// errInput marks invalid input.
var errInput = errors.New("invalid input")

func inputError(problem string) error { return fmt.Errorf("%w: %s", errInput, problem) }

// item is an entry of the menu.
type item struct {
	Section, Text string
	Here          bool
}

func menuItem(v view, section, text string) item { return item{section, text, v.Section == section} }

// labelledEntity is an entity with its kind.
type labelledEntity struct {
	entity
	What string
}

// sqlView is a query shown in the element ID.
type sqlView struct{ ID, Text string }

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.show(
		w,
		r,
		http.StatusNotFound,
		"error",
		"",
		"Not found",
		errorBody{"This page does not exist.", "Use the menu above."},
	)
}

// loginBody is the content of the login page.
type loginBody struct {
	auth.LoginView
	Sentence string
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request, v auth.LoginView) {
	body := loginBody{LoginView: v}
	switch v.Problem {
	case auth.WrongPassword:
		body.Sentence = "Wrong password."
	case auth.TooManyFailures:
		body.Sentence = "Too many wrong passwords. Try again in " + v.Wait.String() + "."
	case auth.CannotCheck:
		body.Sentence = "Passwords cannot be checked: see the console's log."
	}
	c.show(w, r, v.Status, "login", "", "Sign in", body)
}
