package warehouse

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// placeholder matches a parameter in a query. Queries of ours have no text that only looks like one.
	placeholder = regexp.MustCompile(`\{(\w+):([^{}]+)\}`)
	number      = regexp.MustCompile(`^-?[0-9]{1,20}$`)
)

// encoded returns the values of parameters as ClickHouse parses them.
func encoded(query string, parameters map[string]string) map[string]string {
	coded := make(map[string]string, len(parameters))
	for _, p := range placeholder.FindAllStringSubmatch(query, -1) {
		value, given := parameters[p[1]]
		switch {
		case !given: // ClickHouse returns an error
		case p[2] == "String":
			coded[p[1]] = escaped(value)
		default:
			coded[p[1]] = value
		}
	}
	return coded
}

// InlineParameters writes the values of parameters into a query, for people to copy. A value cannot end its literal,
// also inside a shell's double quotes.
func InlineParameters(query string, parameters map[string]string) string {
	return placeholder.ReplaceAllStringFunc(query, func(p string) string {
		parts := placeholder.FindStringSubmatch(p)
		value, given := parameters[parts[1]]
		if !given {
			return p
		}
		return literal(parts[2], value)
	})
}

func literal(kind, value string) string {
	name, of, _ := strings.Cut(strings.TrimSuffix(kind, ")"), "(")
	switch {
	case kind == "String":
		return Quote(value)
	case name == "DateTime64":
		return "toDateTime64(" + Quote(value) + ", " + of + ")"
	case strings.HasPrefix(strings.TrimPrefix(kind, "U"), "Int") && number.MatchString(value):
		return value
	}
	return "CAST(" + Quote(value) + ", " + Quote(kind) + ")"
}

// Quote returns a string literal for a query, or for the text form of an array or a tuple.
func Quote(s string) string { return "'" + escaped(s) + "'" }

// escaped escapes bytes that are special to ClickHouse or a shell, and those that are not printable.
func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError && unicode.IsPrint(r) && !strings.ContainsRune("\\'\"`$!", r) {
			b.WriteString(s[i : i+size])
		} else {
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		i += size
	}
	return b.String()
}
