package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// violated is the function by which a page tells us of violations of its policy.
const violated = "policyViolated"

// watch is what a tab does before its first page. Chromium also logs violations, but as prose; the event says them by
// their parts.
func watch(ctx context.Context) error {
	if _, err := chromedp.Call(ctx, runtime.AddBinding, runtime.AddBindingParams{Name: violated}); err != nil {
		return err
	}
	_, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `document.addEventListener("securitypolicyviolation", e => ` + violated +
			`(e.violatedDirective + " forbids " + e.blockedURI + " at " + e.sourceFile + ":" + e.lineNumber + " " + e.sample))`,
	})
	return err
}

// notice takes down what is wrong. It is called between events, and must not wait for the page.
func (p *page) notice(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// The icon is Chromium's own wish, of pages that name none; whether it asks in time is chance.
		if e.Entry.Level == log.EntryLevelError && !strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
			p.complain("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.complain("console.%s: %s", e.Type, arguments(e.Args))
		}
	case *runtime.EventExceptionThrown:
		p.complain("an exception: %s", thrown(e.ExceptionDetails))
	case *runtime.EventBindingCalled:
		if e.Name == violated {
			p.complain("a violated policy: %s", e.Payload)
		}
	case *cdppage.EventJavascriptDialogOpening:
		p.answer(e)
	}
}

// thrown is what an exception says of itself, and where it was thrown.
func thrown(e *runtime.ExceptionDetails) string {
	text := fmt.Sprintf("%s at %s:%d", e.Text, e.URL, e.LineNumber+1)
	if e.Exception != nil {
		text += ": " + e.Exception.Description + string(e.Exception.Value)
	}
	return text
}

// arguments are what console.error was given, as far as it can be shown.
func arguments(objects []*runtime.RemoteObject) string {
	var shown []string
	for _, o := range objects {
		var text string
		if json.Unmarshal(o.Value, &text) != nil {
			text = string(o.Value) + o.Description
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " ")
}

func (p *page) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, fmt.Sprintf(format, args...))
}

// take removes the complaints that contain the text, and returns them.
func (p *page) take(text string) (taken []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = slices.DeleteFunc(p.complaints, func(complaint string) bool {
		if !strings.Contains(complaint, text) {
			return false
		}
		taken = append(taken, complaint)
		return true
	})
	return taken
}

// complains waits for a complaint with that text, which then fails no test: it was to be.
func (p *page) complains(text string) {
	p.t.Helper()
	p.until("no complaint of "+text, func(context.Context) error {
		if len(p.take(text)) > 0 {
			return nil
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("there are only %q", p.complaints)
	})
}

// answer answers a dialog of the page, which stands still until then: with yes if the test has said so, and else with
// no and a complaint.
func (p *page) answer(e *cdppage.EventJavascriptDialogOpening) {
	p.mu.Lock()
	yes := p.accepts && e.Type == cdppage.DialogTypeConfirm
	p.accepts = p.accepts && !yes
	if yes {
		p.asked = append(p.asked, e.Message)
	}
	p.mu.Unlock()
	if !yes {
		p.complain("a dialog that nobody expected: %s: %s", e.Type, e.Message)
	}
	go func() {
		_, _ = chromedp.Call(p.ctx, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{Accept: yes})
	}()
}

// confirming does something upon which the page asks, says yes, and returns the question.
func (p *page) confirming(do func()) (question string) {
	p.t.Helper()
	p.mu.Lock()
	p.accepts = true
	p.mu.Unlock()
	do()
	p.until("nothing was asked", func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.asked) == 0 {
			return fmt.Errorf("no dialog")
		}
		question, p.asked = p.asked[0], p.asked[1:]
		return nil
	})
	require.NotEmpty(p.t, question)
	return question
}
