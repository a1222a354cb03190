package consoletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// target is the one element that is meant: by what a screen reader says of it, or by a selector where it says nothing.
type target struct{ role, name, selector string }

// named is an element by its role and its accessible name, such as "button", "Pause".
func named(role, name string) target { return target{role: role, name: name} }

// css is an element by a CSS selector.
func css(selector string) target { return target{selector: selector} }

func (g target) String() string {
	if g.selector != "" {
		return g.selector
	}
	return fmt.Sprintf("the %s %q", g.role, g.name)
}

// find returns the element, if there is exactly one: who clicks on one of several has not said which.
func (g target) find(ctx context.Context) (runtime.RemoteObjectID, error) {
	if g.selector != "" {
		return object(ctx, `(all => { if (all.length !== 1) throw all.length + " elements"; return all[0] })(document.querySelectorAll(`+
			string(inJSON(g.selector))+`))`)
	}
	document, err := object(ctx, "document")
	if err != nil {
		return "", err
	}
	nodes, err := accessibility.QueryAXTree().WithObjectID(document).WithRole(g.role).WithAccessibleName(g.name).Do(ctx)
	if err != nil {
		return "", err
	}
	var found []*accessibility.Node
	for _, node := range nodes {
		if !node.Ignored { // it is there, and nobody is told of it
			found = append(found, node)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d elements", len(found))
	}
	resolved, err := dom.ResolveNode().WithBackendNodeID(found[0].BackendDOMNodeID).Do(ctx)
	if err != nil {
		return "", err
	}
	return resolved.ObjectID, nil
}

// object evaluates an expression that is an object of the page's.
func object(ctx context.Context, expression string) (runtime.RemoteObjectID, error) {
	result, exception, err := runtime.Evaluate(expression).Do(ctx)
	if err != nil {
		return "", err
	}
	if exception != nil {
		return "", exception
	}
	return result.ObjectID, nil
}

// inJSON is a text as JSON, which is also how JavaScript writes it. A text always has one.
func inJSON(text string) []byte {
	b, _ := json.Marshal(text)
	return b
}

// click waits until the element is there and clicks with the mouse where it is: what covers it gets the click, as with a person's.
func (p *page) click(g target) {
	p.t.Helper()
	p.until("click on "+g.String(), func(ctx context.Context) error {
		id, err := g.find(ctx)
		if err != nil {
			return err
		}
		if err := dom.ScrollIntoViewIfNeeded().WithObjectID(id).Do(ctx); err != nil {
			return err
		}
		quads, err := dom.GetContentQuads().WithObjectID(id).Do(ctx)
		if err != nil {
			return err
		}
		if len(quads) == 0 {
			return errors.New("it takes no room")
		}
		q := quads[0]
		return chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2).Do(ctx)
	})
}

// fill replaces what is in a field by typing.
func (p *page) fill(g target, text string) {
	p.t.Helper()
	p.click(g)
	p.on(g, `function() { this.select() }`)
	require.NoError(p.t, p.try(chromedp.KeyEvent(kb.Backspace), input.InsertText(text)))
}

// choose takes an option of a select by what it says.
func (p *page) choose(g target, option string) {
	p.t.Helper()
	p.on(g, `function(option) {
		const found = [...this.options].filter(o => o.label.trim() === option)
		if (found.length !== 1) throw found.length + " options"
		this.value = found[0].value
		this.dispatchEvent(new Event("input", {bubbles: true}))
		this.dispatchEvent(new Event("change", {bubbles: true}))
	}`, option)
}

// on calls a JavaScript function on the element.
func (p *page) on(g target, function string, args ...string) {
	p.t.Helper()
	p.until(g.String(), func(ctx context.Context) error {
		id, err := g.find(ctx)
		if err != nil {
			return err
		}
		call := runtime.CallFunctionOn(function).WithObjectID(id)
		for _, arg := range args {
			call.Arguments = append(call.Arguments, &runtime.CallArgument{Value: inJSON(arg)})
		}
		_, exception, err := call.Do(ctx)
		if err == nil && exception != nil {
			err = exception
		}
		return err
	})
}

// press types keys into whatever has the focus: text, or constants of package kb.
func (p *page) press(keys string) {
	p.t.Helper()
	require.NoError(p.t, p.try(chromedp.KeyEvent(keys)))
}

// text is all that can be read on the page now.
func (p *page) text() (text string) {
	p.t.Helper()
	p.evaluate(`document.body.innerText`, &text)
	return text
}

// sees waits until the text can be read on the page.
func (p *page) sees(text string) { p.t.Helper(); p.looksFor(text, true) }

// seesNo waits until it cannot.
func (p *page) seesNo(text string) { p.t.Helper(); p.looksFor(text, false) }

func (p *page) looksFor(text string, there bool) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait until %q is there: %t", text, there), func(ctx context.Context) error {
		var all string
		if err := chromedp.Evaluate(`document.body?.innerText ?? ""`, &all).Do(ctx); err != nil {
			return err
		}
		if strings.Contains(all, text) != there {
			return errors.New("it is not so")
		}
		return nil
	})
}

// has waits until there is exactly one such element.
func (p *page) has(g target) { p.t.Helper(); p.on(g, `function() {}`) }

// clipboard is what was copied last.
func (p *page) clipboard() (text string) {
	p.t.Helper()
	grant := browser.GrantPermissions([]browser.PermissionType{browser.PermissionTypeClipboardReadWrite}).
		WithBrowserContextID(chromedp.FromContext(p.ctx).BrowserContextID)
	require.NoError(p.t, p.try(chromedp.ActionFunc(func(ctx context.Context) error {
		return grant.Do(ctx)
	})))
	p.evaluate(`navigator.clipboard.readText()`, &text)
	return text
}
