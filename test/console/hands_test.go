package console

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
type target struct{ role, name, selector, inside string }

// named is an element by its role and its accessible name, such as "button", "Pause".
func named(role, name string) target { return target{role: role, name: name} }

// css is an element by a CSS selector.
func css(selector string) target { return target{selector: selector} }

// within is the one of that name in an element by its selector: of many rows' buttons, that of one row.
func (g target) within(selector string) target { g.inside = selector; return g }

func (g target) String() string {
	if g.selector != "" {
		return g.selector
	}
	return strings.TrimSpace(fmt.Sprintf("the %s %q %s", g.role, g.name, g.inside))
}

// find returns the element, if there is exactly one: who clicks on one of several has not said which.
func (g target) find(ctx context.Context) (runtime.RemoteObjectID, error) {
	if g.selector != "" {
		return object(ctx, selected(g.selector))
	}
	where := "document"
	if g.inside != "" {
		where = selected(g.inside)
	}
	root, err := object(ctx, where)
	if err != nil {
		return "", err
	}
	tree, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root, Role: g.role, AccessibleName: g.name})
	if err != nil {
		return "", err
	}
	var found []*accessibility.Node
	for _, node := range tree.Nodes {
		if !node.Ignored { // it is there, and nobody is told of it
			found = append(found, node)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d elements", len(found))
	}
	resolved, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: found[0].BackendDOMNodeID})
	if err != nil {
		return "", err
	}
	return resolved.Object.ObjectID, nil
}

// selected is JavaScript for the one element that a selector selects.
func selected(selector string) string {
	return `(all => { if (all.length !== 1) throw all.length + " elements"; return all[0] })(document.querySelectorAll(` + string(inJSON(selector)) + `))`
}

// object evaluates an expression that is an object of the page's.
func object(ctx context.Context, expression string) (runtime.RemoteObjectID, error) {
	answer, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: expression})
	if err != nil {
		return "", err
	}
	if answer.ExceptionDetails != nil {
		return "", errors.New(thrown(answer.ExceptionDetails))
	}
	return answer.Result.ObjectID, nil
}

// inJSON is a text as JSON, which is also how JavaScript writes it. A text always has one.
func inJSON(text string) []byte {
	b, _ := json.Marshal(text)
	return b
}

// click waits until the element is there and clicks with the mouse where it is: what covers it gets the click, as with
// a person's.
func (p *page) click(g target) {
	p.t.Helper()
	p.until("click on "+g.String(), func(ctx context.Context) error {
		id, err := g.find(ctx)
		if err != nil {
			return err
		}
		if _, err := chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{ObjectID: id}); err != nil {
			return err
		}
		shape, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{ObjectID: id})
		if err != nil {
			return err
		}
		if len(shape.Quads) == 0 {
			return errors.New("it takes no room")
		}
		q := shape.Quads[0] // its corners, clockwise
		return chromedp.Do(ctx, chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2))
	})
}

// fill replaces what is in a field by typing.
func (p *page) fill(g target, text string) {
	p.t.Helper()
	p.click(g)
	p.on(g, `function() { this.select() }`)
	p.press(kb.Backspace)
	require.NoError(p.t, p.try(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
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
		call := runtime.CallFunctionOnParams{FunctionDeclaration: function, ObjectID: id}
		for _, arg := range args {
			call.Arguments = append(call.Arguments, &runtime.CallArgument{Value: inJSON(arg)})
		}
		answer, err := chromedp.Call(ctx, runtime.CallFunctionOn, call)
		if err == nil && answer.ExceptionDetails != nil {
			err = errors.New(thrown(answer.ExceptionDetails))
		}
		return err
	})
}

// press types keys into whatever has the focus: text, or constants of package kb.
func (p *page) press(keys string) {
	p.t.Helper()
	require.NoError(p.t, p.try(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.KeyEvent(keys)) }))
}

// text is all that can be read on the page now.
func (p *page) text() string {
	p.t.Helper()
	return evaluate[string](p, `document.body.innerText`)
}

// sees waits until the text can be read on the page.
func (p *page) sees(text string) { p.t.Helper(); p.looksFor(text, true) }

// seesNo waits until it cannot.
func (p *page) seesNo(text string) { p.t.Helper(); p.looksFor(text, false) }

func (p *page) looksFor(text string, there bool) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait until %q is there: %t", text, there), func(ctx context.Context) error {
		all, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
		if err != nil {
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

// clipboard is what was copied last. A page that reads it asks first, which is answered here.
func (p *page) clipboard() string {
	p.t.Helper()
	require.NoError(p.t, p.try(func(ctx context.Context) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission:       &browser.PermissionDescriptor{Name: "clipboard-read"},
			Setting:          browser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
		})
		return err
	}))
	return evaluate[string](p, `navigator.clipboard.readText()`)
}

// textOf is what can be read in an element, with one space between words.
func (p *page) textOf(g target) (text string) {
	p.t.Helper()
	p.until(g.String(), func(ctx context.Context) (err error) {
		text, err = g.text(ctx)
		return err
	})
	return text
}

func (g target) text(ctx context.Context) (string, error) {
	id, err := g.find(ctx)
	if err != nil {
		return "", err
	}
	byValue := true
	answer, err := chromedp.Call(ctx, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: `function() { return this.innerText }`, ObjectID: id, ReturnByValue: &byValue,
	})
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(answer.Result.Value, &text)
	return strings.Join(strings.Fields(text), " "), err
}

// seesIn waits until the text can be read in that element.
func (p *page) seesIn(g target, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait for %q in %s", want, g), func(ctx context.Context) error {
		text, err := g.text(ctx)
		if err == nil && !strings.Contains(text, want) {
			err = fmt.Errorf("there is %q", text)
		}
		return err
	})
}
