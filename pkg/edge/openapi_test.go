package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/api"
	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/segment"
)

const (
	webhookPath = "/v1/segment/{token}"
	docFile     = "openapi.yaml"
)

// document is the OpenAPI document, read once.
var document = sync.OnceValues(func() (*documented, error) {
	text, err := os.ReadFile(docFile)
	if err != nil {
		return nil, err
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return &documented{paths: model.Model.Paths, validator: v}, nil
})

type documented struct {
	paths     *v3.Paths
	mu        sync.Mutex
	validator validator.Validator
}

func documentOf(t testing.TB) *documented {
	t.Helper()
	d, err := document()
	require.NoError(t, err)
	return d
}

// requireDocumented holds an answer to the document. It is called for every answer of the package's tests.
func requireDocumented(t testing.TB, target string, response *http.Response, body []byte) {
	t.Helper()
	path := eventsPath // also for what is no path at all: the answer is the same
	switch {
	case strings.HasPrefix(target, "/v1/segment/"):
		path = "/v1/segment/token"
	case target == identifyPath, target == conversationsPath:
		path = target
	}
	if response.Request != nil && response.Request.Method == http.MethodHead {
		return // its answer has no body
	}
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+path, nil)
	require.NoError(t, err)
	copied := *response
	copied.Body = io.NopCloser(bytes.NewReader(body))
	d := documentOf(t)
	d.mu.Lock()
	defer d.mu.Unlock()
	valid, errs := d.validator.ValidateHttpResponse(request, &copied)
	require.True(t, valid, "%s: %d %s: %v", path, response.StatusCode, body, errs)
	operation := d.operation(t, path)
	for _, header := range []string{"Allow", "Retry-After", "WWW-Authenticate"} {
		if response.Header.Get(header) != "" {
			_, named := operation.Responses.Codes.GetOrZero(strconv.Itoa(response.StatusCode)).Headers.Get(header)
			require.True(t, named, "%s of %d is not documented", header, response.StatusCode)
		}
	}
}

func (d *documented) operation(t testing.TB, path string) *v3.Operation {
	t.Helper()
	if strings.HasPrefix(path, "/v1/segment/") {
		path = webhookPath
	}
	item, found := d.paths.PathItems.Get(path)
	require.True(t, found)
	return item.Post
}

func TestOpenAPI_IsValid(t *testing.T) {
	valid, errs := documentOf(t).validator.ValidateDocument()
	require.True(t, valid, "%v", errs)
}

func TestOpenAPI_RoutesMatch(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	var paths []string
	for path, item := range documentOf(t).paths.PathItems.FromOldest() {
		paths = append(paths, path)
		var methods []string
		for method := range item.GetOperations().FromOldest() {
			methods = append(methods, strings.ToUpper(method))
		}
		require.Equal(t, []string{"POST"}, methods)
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"} {
			got := r.do(method, strings.Replace(path, "{token}", s.token, 1), nil)
			require.Equal(t, method != "POST", got.status == 405)
			require.NotEqual(t, 404, got.status)
		}
	}
	require.ElementsMatch(t, []string{webhookPath, eventsPath, identifyPath, conversationsPath}, paths)
}

// answersOf are the documented answers of a path: "status code" for errors, "status" for the rest.
func (d *documented) answersOf(t *testing.T, path string) (all []string) {
	for status, response := range d.operation(t, path).Responses.Codes.FromOldest() {
		if status[0] == '2' {
			all = append(all, status)
			continue
		}
		media, found := response.Content.Get("application/json")
		require.True(t, found, status)
		parts := media.Schema.Schema().AllOf
		require.Len(t, parts, 2, status)
		code := parts[1].Schema().Properties.GetOrZero("error").Schema().Properties.GetOrZero("code").Schema()
		require.NotEmpty(t, code.Enum, status)
		for _, name := range code.Enum {
			all = append(all, status+" "+name.Value)
		}
	}
	return all
}

// literals finds what a package's sources say: the statuses and codes of its refusals, and its constants
// that are named Code….
func literals(t *testing.T, dir string) (refusals, codes []string) {
	t.Helper()
	files, err := fs.Glob(os.DirFS(dir), "*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if of, ok := n.Type.(*ast.Ident); ok && of.Name == "refusal" && len(n.Elts) > 1 {
					status, isStatus := n.Elts[0].(*ast.BasicLit)
					code, isCode := n.Elts[1].(*ast.BasicLit)
					if isStatus && isCode {
						refusals = append(refusals, status.Value+" "+strings.Trim(code.Value, `"`))
					}
				}
			case *ast.ValueSpec:
				if strings.HasPrefix(n.Names[0].Name, "Code") && len(n.Values) == 1 {
					codes = append(codes, strings.Trim(n.Values[0].(*ast.BasicLit).Value, `"`))
				}
			}
			return true
		})
	}
	return refusals, codes
}

// All that the code can answer is in the document, and all that is in the document the code can answer.
func TestOpenAPI_AnswersMatch(t *testing.T) {
	common, _ := literals(t, ".")
	_, codes := literals(t, "../payload")
	require.Greater(t, len(common), 10, "the control: they were found")
	require.Greater(t, len(codes), 4, "the control")
	common = append(common, "200", "204")
	for path, format := range map[string]*payload.Format{
		webhookPath: &segment.Format, eventsPath: &api.EventFormat, identifyPath: &api.IdentifyFormat, conversationsPath: &api.ActivityFormat,
	} {
		want := slices.Clone(common)
		for _, code := range append(slices.Clone(codes), format.RefusalCode) {
			if code != payload.CodeContextTooLarge || format.Context {
				want = append(want, fmt.Sprint(payloadRefusal(&payload.Refusal{Code: code}).status, " ", code))
			}
		}
		require.ElementsMatch(t, want, documentOf(t).answersOf(t, path), path)
	}
}

func TestOpenAPI_ExamplesAreAccepted(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	for path, item := range documentOf(t).paths.PathItems.FromOldest() {
		var example any
		require.NoError(t, item.Post.RequestBody.Content.GetOrZero("application/json").Example.Decode(&example))
		body, err := json.Marshal(example)
		require.NoError(t, err)
		requireAnswer(t, r.postAs(s, strings.Replace(path, "{token}", s.token, 1), string(body)), 200, accepted(1, 1, 0))
	}
}

// The document's idea of a valid body is the edge's. What a value has to be by its type is beyond a schema.
func TestOpenAPI_BodiesMatch(t *testing.T) {
	r, _ := start(t)
	s := r.create(connection.CreateParams{})
	post := func(path, body string) answer {
		return r.postAs(s, strings.Replace(path, "/token", "/"+s.token, 1), body)
	}
	field := func(name, value string) string { return `{"eventType":"E","` + name + `":` + value + `}` }
	ofUser := func(name, value string) string { return `{"externalUserId":"u","` + name + `":` + value + `}` }
	ofConversation := func(name, value string) string { return `{"externalConversationId":"c","` + name + `":` + value + `}` }
	for path, bodies := range map[string]map[string]bool{
		"/v1/events": {
			event: true, "[" + event + "]": true, `{"batch":[` + event + `]}`: true, `[]`: true, `{"eventType":null}`: false, `{"eventType":" "}`: false, `{"eventType":5}`: false, `{}`: false, `5`: false,
			field("insertId", `""`): true, field("insertId", `null`): true, field("insertId", `5`): false, field("eventAt", `"2026-05-18"`): true, field("eventAt", `1779105600`): true,
			field("eventAt", `null`): true, field("eventAt", `""`): false, field("eventAt", `[]`): false, field("externalUserId", `5`): false, field("externalOrganizationId", `{}`): false,
			field("externalConversationId", `true`): false, field("userHints", `{"email":"a@b.c","name":""}`): true, field("userHints", `{"email":"","name":null}`): true, field("userHints", `null`): true,
			field("userHints", `{"email":"nobody"}`): false, field("userHints", `{"name":5}`): false, field("userHints", `[]`): false, field("organizationHints", `{"name":"O"}`): true,
			field("organizationHints", `{"name":[]}`): false, field("organizationHints", `"O"`): false, field("value", `5`): true, field("value", `"x"`): true, field("value", `true`): true, field("value", `null`): true,
			field("value", `" "`): false, field("value", `{}`): false, field("valueType", `"text"`): true, field("valueType", `null`): true, field("valueType", `"Text"`): false, field("valueType", `""`): false,
			field("currency", `"eur"`): true, field("currency", `""`): true, field("currency", `"euro"`): false, field("currency", `5`): false, field("influence", `"neutral"`): true, field("influence", `"good"`): false,
			field("qualityImpactScore", `-1`): true, field("qualityImpactScore", `1.5`): false, field("qualityImpactScore", `"1"`): false, field("properties", `{}`): true, field("properties", `null`): true, field("properties", `[]`): false,
			field("anything", `[{}]`): true,
		},
		"/v1/identify": {
			identify: true, "[" + identify + "]": true, `{"batch":[` + identify + `]}`: true, `[]`: true, `{}`: false, `5`: false, `{"name":"n"}`: false,
			`{"externalUserId":"u"}`: true, `{"email":"a@b.c"}`: true, `{"externalUserId":"u","email":""}`: true, `{"externalUserId":"","email":"a@b.c"}`: true, `{"externalUserId":null,"email":"a@b.c"}`: true,
			`{"externalUserId":"","email":""}`: false, `{"externalUserId":null,"email":null}`: false, `{"externalUserId":5}`: false, `{"externalUserId":5,"email":"a@b.c"}`: false, `{"email":"nobody"}`: false,
			ofUser("email", `"nobody"`): false, ofUser("email", `5`): false, ofUser("name", `""`): true, ofUser("name", `5`): false, ofUser("externalOrganizationId", `"o"`): true, ofUser("externalOrganizationId", `5`): false,
			ofUser("organizationName", `null`): true, ofUser("organizationName", `{}`): false, ofUser("properties", `{"a":1}`): true, ofUser("properties", `null`): true, ofUser("properties", `"x"`): false,
			ofUser("timestamp", `"2026-05-18"`): true, ofUser("timestamp", `1779105600`): true, ofUser("timestamp", `null`): true, ofUser("timestamp", `""`): false, ofUser("timestamp", `true`): false,
			ofUser("eventAt", `[]`): true, ofUser("externalConversationId", `5`): true,
		},
		"/v1/conversations": {
			activity: true, "[" + activity + "]": true, `{"batch":[` + activity + `]}`: true, `[]`: true, `{}`: false, `5`: false, `{"externalUserId":"u"}`: false,
			`{"externalConversationId":"c"}`: true, `{"externalConversationId":""}`: false, `{"externalConversationId":null}`: false, `{"externalConversationId":5}`: false,
			ofConversation("externalUserId", `null`): true, ofConversation("externalUserId", `""`): true, ofConversation("externalUserId", `5`): false, ofConversation("email", `"a@b.c"`): true,
			ofConversation("email", `""`): true, ofConversation("email", `"nobody"`): false, ofConversation("properties", `{"a":1}`): true, ofConversation("properties", `[]`): false,
			ofConversation("timestamp", `"2026-05-18T12:00:00Z"`): true, ofConversation("timestamp", `""`): false, ofConversation("timestamp", `{}`): false, ofConversation("name", `5`): true,
		},
		"/v1/segment/token": {
			track: true, "[" + track + "]": true, `{"batch":[` + track + `],"context":{"ip":1}}`: true, `{"type":"page"}`: true, `{"type":"alias"}`: true, `[]`: true,
			`{}`: false, `{"type":5}`: false, `{"type":"track"}`: false, `{"type":"track","event":" "}`: false, `{"type":"track","properties":{"gf_event_type":"E"}}`: true,
			`{"type":"track","event":"E","properties":null}`: true, `{"type":"track","event":"E","properties":[]}`: false, `{"type":"page","properties":5}`: false, `"track"`: false,
		},
	} {
		for body, valid := range bodies {
			request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+path, strings.NewReader(body))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer x")
			documented, errs := documentOf(t).validator.ValidateHttpRequestSync(request)
			require.Equal(t, valid, documented, "%s: %v", body, errs)
			require.Equal(t, valid, post(path, body).status == 200, body)
		}
	}
}
