package mapping

import (
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

func (m *Mapper) user(e *Event) {
	if e.ExternalUserID = m.id(m.fields.userID); e.ExternalUserID == nil {
		e.ExternalUserID = m.id(m.fields.anonymousID)
	}
}

// hints reads who it was: of each hint, the first place that has a usable one counts. The context beside
// the batch is read only for what the message's own lacks.
func (m *Mapper) hints(batchContext []byte, e *Event) {
	f := &m.fields
	e.UserEmail = m.email(f.context.email)
	e.UserName = m.trimmed(f.context.name)
	e.ExternalOrganizationID = m.id(f.context.organizationID)
	if batchContext != nil && (e.UserEmail == nil || e.UserName == nil || e.ExternalOrganizationID == nil) {
		m.readBatch(batchContext)
		m.fill(&m.batch, e)
	}
	m.fill(&f.traits, e)
	m.fill(&f.properties.hints, e)
	if e.OrganizationName = m.organizationName(&f.traits); e.OrganizationName == nil {
		e.OrganizationName = m.organizationName(&f.properties.hints)
	}
}

// fill takes from h what e still lacks.
func (m *Mapper) fill(h *hints, e *Event) {
	if e.UserEmail == nil {
		e.UserEmail = m.email(h.email)
	}
	if e.UserName == nil {
		e.UserName = m.trimmed(h.name)
	}
	if e.ExternalOrganizationID == nil {
		e.ExternalOrganizationID = m.id(h.organizationID)
	}
}

// readBatch reads the context beside the batch. It is help, not the message: a broken one is no error.
func (m *Mapper) readBatch(context []byte) {
	if utf8.Valid(context) {
		s := rawjson.NewScanner(context, maxDepth)
		m.batch.readContext(&s)
		if s.End(); s.Err() == nil {
			return
		}
	}
	m.batch = hints{}
}

func (m *Mapper) email(value []byte) []byte {
	if text := m.trimmed(value); scalar.LooksLikeAddress(text) {
		return text
	}
	return nil
}

func (m *Mapper) organizationName(h *hints) []byte {
	if name := m.trimmed(h.organizationName); name != nil {
		return name
	}
	if rawjson.KindOf(h.company) != rawjson.Object {
		return m.trimmed(h.company)
	}
	var company hints
	s := rawjson.NewScanner(h.company, maxDepth)
	company.read(&s)
	return m.trimmed(company.name)
}
