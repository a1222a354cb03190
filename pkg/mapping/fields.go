package mapping

import "github.com/millrace/millrace/pkg/rawjson"

// fields are the values that mapping needs, as raw JSON: nil where the message has no such member.
// Names are compared exactly, and the last of duplicate names counts, with all that is in it.
type fields struct {
	kind, event, name   []byte
	userID, anonymousID []byte
	messageID           []byte
	times               [FromEdge][]byte // by TimeSource
	context, traits     hints
	properties          properties
}

// hints are the members of an object about the user and the organization.
type hints struct{ email, name, organizationID, organizationName, company []byte }

type properties struct {
	raw                                []byte
	revenue, price, quantity, currency []byte
	gfEventType, gfInfluence, gfScore  []byte
	gfValue, gfValueType               []byte
	gfConversationID                   []byte
	hasSegmentEvent                    bool
	hints                              hints
}

func (f *fields) read(s *rawjson.Scanner) {
	for s.Enter('{'); s.More('}'); {
		switch string(s.Member()) {
		case "type":
			f.kind = s.Skip()
		case "event":
			f.event = s.Skip()
		case "name":
			f.name = s.Skip()
		case "userId":
			f.userID = s.Skip()
		case "anonymousId":
			f.anonymousID = s.Skip()
		case "messageId":
			f.messageID = s.Skip()
		case "timestamp":
			f.times[FromTimestamp] = s.Skip()
		case "originalTimestamp":
			f.times[FromOriginalTimestamp] = s.Skip()
		case "sentAt":
			f.times[FromSentAt] = s.Skip()
		case "receivedAt":
			f.times[FromReceivedAt] = s.Skip()
		case "context":
			f.context.readContext(s)
		case "traits":
			f.traits = hints{}
			f.traits.read(s)
		case "properties":
			f.properties.read(s)
		default:
			s.Skip()
		}
	}
}

// atObject reports whether an object comes next, and skips any other value.
func atObject(s *rawjson.Scanner) bool {
	if s.Peek() != '{' {
		s.Skip()
		return false
	}
	return true
}

// readContext reads a context, which has the user under traits.
func (h *hints) readContext(s *rawjson.Scanner) {
	*h = hints{}
	if !atObject(s) {
		return
	}
	for s.Enter('{'); s.More('}'); {
		switch string(s.Member()) {
		case "groupId":
			h.organizationID = s.Skip()
		case "traits":
			var traits hints
			traits.read(s)
			h.email, h.name = traits.email, traits.name
		default:
			s.Skip()
		}
	}
}

// read reads traits into h.
func (h *hints) read(s *rawjson.Scanner) {
	if !atObject(s) {
		return
	}
	for s.Enter('{'); s.More('}'); {
		h.take(s.Member(), s)
	}
}

// take reads the value of one member.
func (h *hints) take(name []byte, s *rawjson.Scanner) {
	value := s.Skip()
	switch string(name) {
	case "email":
		h.email = value
	case "name":
		h.name = value
	case "organization_id":
		h.organizationID = value
	case "organization_name":
		h.organizationName = value
	case "company":
		h.company = value
	}
}

func (p *properties) read(s *rawjson.Scanner) {
	*p = properties{}
	if s.Peek() != '{' {
		p.raw = s.Skip()
		return
	}
	start := s.Offset()
	for s.Enter('{'); s.More('}'); {
		p.take(s.Member(), s)
	}
	p.raw = s.Since(start)
}

func (p *properties) take(name []byte, s *rawjson.Scanner) {
	switch string(name) {
	case "revenue":
		p.revenue = s.Skip()
	case "price":
		p.price = s.Skip()
	case "quantity":
		p.quantity = s.Skip()
	case "currency":
		p.currency = s.Skip()
	case "gf_event_type":
		p.gfEventType = s.Skip()
	case "gf_influence":
		p.gfInfluence = s.Skip()
	case "gf_quality_impact_score":
		p.gfScore = s.Skip()
	case "gf_value":
		p.gfValue = s.Skip()
	case "gf_value_type":
		p.gfValueType = s.Skip()
	case "gf_conversation_id":
		p.gfConversationID = s.Skip()
	case "segment_event":
		p.hasSegmentEvent = true
		s.Skip()
	default:
		p.hints.take(name, s)
	}
}
