package mapping

import (
	"unicode/utf8"

	"github.com/millrace/millrace/pkg/rawjson"
	"github.com/millrace/millrace/pkg/scalar"
)

func (m *Mapper) user(e *Event) {
	f := &m.fields
	e.ExternalUserID = m.id(f.userID)
	m.trace.tried(colExternalUserID, "userId", f.userID, e.ExternalUserID != nil, idFault)
	if e.ExternalUserID == nil {
		e.ExternalUserID = m.id(f.anonymousID)
		m.trace.tried(colExternalUserID, "anonymousId", f.anonymousID, e.ExternalUserID != nil, idFault)
	}
}

// hintPaths are the paths of hints in a message.
type hintPaths struct{ email, name, organizationID, organizationName, company string }

var (
	inContext = hintPaths{
		email:          "context.traits.email",
		name:           "context.traits.name",
		organizationID: "context.groupId",
	}
	inBatchContext = hintPaths{
		email: InTheBatch + inContext.email, name: InTheBatch + inContext.name,
		organizationID: InTheBatch + inContext.organizationID,
	}
	inTraits = hintPaths{
		"traits.email", "traits.name", "traits.organization_id", "traits.organization_name", "traits.company",
	}
	// The name in the properties of a page or screen is the page's.
	inPageProperties = hintPaths{
		email: "properties.email", organizationID: "properties.organization_id",
		organizationName: "properties.organization_name", company: "properties.company",
	}
	inProperties = hintPaths{
		"properties.email", "properties.name", "properties.organization_id", "properties.organization_name",
		"properties.company",
	}
)

// hints reads the user and the organization: of each hint, the first usable one counts. The context beside the batch is
// read only for what the message's own context lacks.
func (m *Mapper) hints(batchContext []byte, e *Event) {
	f := &m.fields
	m.fill(&inContext, &f.context, e)
	if batchContext != nil && (e.UserEmail == nil || e.UserName == nil || e.ExternalOrganizationID == nil) {
		m.readBatch(batchContext)
		m.fill(&inBatchContext, &m.batch, e)
	}
	m.fill(&inTraits, &f.traits, e)
	if e.UserName != nil {
		e.UserNameSource = NameFromTraits
	}
	properties := &inProperties
	if e.MessageType != Track {
		properties = &inPageProperties
	}
	m.fill(properties, &f.properties.hints, e)
	if e.UserName != nil && e.UserNameSource == NoName {
		e.UserNameSource = NameFromProperties
	}
	if e.OrganizationName = m.organizationName(&inTraits, &f.traits); e.OrganizationName == nil {
		e.OrganizationName = m.organizationName(&inProperties, &f.properties.hints)
	}
}

// fill takes from h what e still lacks. A hint without a path does not count.
func (m *Mapper) fill(paths *hintPaths, h *hints, e *Event) {
	if e.UserEmail == nil {
		e.UserEmail = m.email(h.email)
		m.trace.tried(colUserEmail, paths.email, h.email, e.UserEmail != nil, addressFault)
	}
	if e.UserName == nil && paths.name != "" {
		e.UserName = m.trimmed(h.name)
		m.trace.tried(colUserName, paths.name, h.name, e.UserName != nil, textFault)
	}
	if e.ExternalOrganizationID == nil {
		e.ExternalOrganizationID = m.id(h.organizationID)
		m.trace.tried(
			colExternalOrganizationID,
			paths.organizationID,
			h.organizationID,
			e.ExternalOrganizationID != nil,
			idFault,
		)
	}
}

// readBatch reads the context beside the batch. A broken one counts as absent.
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
	if text := m.trimmed(value); text != nil && scalar.LooksLikeAddress(text) {
		return text
	}
	return nil
}

func (m *Mapper) organizationName(paths *hintPaths, h *hints) []byte {
	if h.organizationName == nil && h.company == nil && m.trace == nil {
		return nil
	}
	name := m.trimmed(h.organizationName)
	m.trace.tried(colOrganizationName, paths.organizationName, h.organizationName, name != nil, textFault)
	if name != nil {
		return name
	}
	if rawjson.KindOf(h.company) != rawjson.Object {
		name = m.trimmed(h.company)
		m.trace.tried(colOrganizationName, paths.company, h.company, name != nil, textFault)
		return name
	}
	var company hints
	s := rawjson.NewScanner(h.company, maxDepth)
	company.read(&s)
	name = m.trimmed(company.name)
	if m.trace != nil {
		m.trace.tried(colOrganizationName, paths.company+".name", company.name, name != nil, textFault)
	}
	return name
}
