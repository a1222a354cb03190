package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// tree is a JSON object whose values are raw, or trees themselves: it is written again byte for byte.
type tree map[string]any

func (o tree) String() string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		quoted, _ := json.Marshal(name)
		switch value := o[name].(type) {
		case tree:
			members = append(members, string(quoted)+":"+value.String())
		case json.RawMessage:
			members = append(members, string(quoted)+":"+string(value))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// whole is a message and the context beside it, as one object.
func whole(m *Message) tree {
	o := tree{"message": json.RawMessage(m.Raw)}
	if m.Context != nil {
		o["batch"] = tree{"context": json.RawMessage(m.Context)}
	}
	return o
}

func (o tree) message() *Message {
	m := &Message{ReceivedAt: receivedAt, Raw: []byte("{}")}
	switch inside := o["message"].(type) {
	case tree:
		m.Raw = []byte(inside.String())
	case json.RawMessage:
		m.Raw = inside
	}
	if batch, ok := o["batch"].(tree); ok {
		if context, ok := batch["context"].(tree); ok {
			m.Context = []byte(context.String())
		} else {
			m.Context = batch["context"].(json.RawMessage)
		}
	}
	return m
}

// steps is a path of From's in a whole.
func steps(path string) []string {
	if inBatch, ok := strings.CutPrefix(path, InTheBatch); ok {
		return strings.Split("batch."+inBatch, ".")
	}
	return strings.Split("message."+path, ".")
}

// inside makes a tree of the member, if it is none yet.
func (o tree) inside(name string) tree {
	switch value := o[name].(type) {
	case tree:
		return value
	case json.RawMessage:
		t := tree{}
		for name, raw := range objectOf(value) {
			t[name] = raw
		}
		o[name] = t
		return t
	}
	o[name] = tree{}
	return o[name].(tree)
}

func (o tree) at(path string) (tree, string) {
	names := steps(path)
	for _, name := range names[:len(names)-1] {
		o = o.inside(name)
	}
	return o, names[len(names)-1]
}

func (o tree) get(path string) json.RawMessage {
	o, name := o.at(path)
	raw, _ := o[name].(json.RawMessage)
	return raw
}

func (o tree) set(path string, raw json.RawMessage) {
	o, name := o.at(path)
	o[name] = raw
}

func (o tree) remove(path string) {
	o, name := o.at(path)
	delete(o, name)
}
