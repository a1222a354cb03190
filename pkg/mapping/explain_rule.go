package mapping

import (
	"strings"

	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

// rule is why a field is what it is.
type rule struct {
	says  string   // what decided, or why nothing did
	from  []string // the members that decided; none if nothing did, or if it was not a member
	notes []string // what was there as well, and why it did not count
	later bool     // see Explained
}

// by is the rule that a member decides.
func by(path string) rule { return rule{says: path, from: []string{path}} }

func (r *rule) ignore(path, fault string) { r.notes = append(r.notes, path+" "+fault+": ignored") }

func (r *rule) sentence() string {
	return strings.Join(append([]string{r.says}, r.notes...), "; ")
}

// member is a value of a message, and where it stands there.
type member struct {
	path string
	raw  []byte // nil if it is absent
}

// reading is how a member becomes what is stored, and why one cannot.
type reading struct {
	read  func(*Mapper, []byte) []byte
	fault func(raw []byte) string
}

var (
	ids = reading{(*Mapper).id, func(raw []byte) string {
		if rawjson.KindOf(raw) == rawjson.String {
			return "is blank"
		}
		return "is neither text nor a number"
	}}
	texts = reading{(*Mapper).trimmed, func(raw []byte) string {
		if rawjson.KindOf(raw) == rawjson.String {
			return "is blank"
		}
		return "is not text"
	}}
	addresses = reading{(*Mapper).email, func([]byte) string { return "does not look like an address" }}
	codes     = reading{(*Mapper).currency, func([]byte) string { return "is not a code of three letters" }}
	times     = reading{readableTime, func([]byte) string { return "cannot be read as a time" }}
)

func readableTime(m *Mapper, raw []byte) []byte {
	if text, ok := m.scalar(raw); ok {
		if _, ok := scalar.ReadTime(text, rawjson.KindOf(raw) == rawjson.String); ok {
			return raw
		}
	}
	return nil
}

// first is the rule that the first member that can be read decides.
func (m *Mapper) first(how reading, tried ...member) (r rule) {
	var paths []string
	for _, t := range tried {
		if how.read(m, t.raw) != nil {
			r.says, r.from = t.path, []string{t.path}
			return r
		}
		if given(t.raw) {
			r.ignore(t.path, how.fault(t.raw))
		}
		paths = append(paths, t.path)
	}
	last := len(paths) - 1
	r.says = "there is no " + paths[last]
	if last > 0 {
		r.says = "there is no " + strings.Join(paths[:last], ", ") + " or " + paths[last]
	}
	if r.notes != nil {
		r.says = strings.Replace(r.says, "there is no ", "there is no usable ", 1)
	}
	return r
}
