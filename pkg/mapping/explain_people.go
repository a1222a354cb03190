package mapping

import "github.com/millrace/millrace/pkg/rawjson"

// InTheBatch begins the path of a member of the context that stands beside the batch.
const InTheBatch = "the batch's "

// explainHints says where each hint was found.
func (m *Mapper) explainHints(batchContext []byte, r *rules) {
	type place struct {
		path string
		*hints
	}
	f := &m.fields
	contexts := []place{{"context.", &f.context}}
	if batchContext != nil {
		m.readBatch(batchContext)
		contexts = append(contexts, place{InTheBatch + "context.", &m.batch})
	}
	var emails, names, organizationIDs, organizationNames []member
	add := func(in *[]member, path string, raw []byte) { *in = append(*in, member{path, raw}) }
	for _, c := range contexts {
		add(&emails, c.path+"traits.email", c.email)
		add(&names, c.path+"traits.name", c.name)
		add(&organizationIDs, c.path+"groupId", c.organizationID)
	}
	for _, p := range []place{{"traits.", &f.traits}, {"properties.", &f.properties.hints}} {
		add(&emails, p.path+"email", p.email)
		add(&names, p.path+"name", p.name)
		add(&organizationIDs, p.path+"organization_id", p.organizationID)
		add(&organizationNames, p.path+"organization_name", p.organizationName)
		organizationNames = append(organizationNames, company(p.path, p.hints))
	}
	r.email, r.userName = m.first(addresses, emails...), m.first(texts, names...)
	r.organizationID, r.organizationName = m.first(ids, organizationIDs...), m.first(texts, organizationNames...)
}

// company is the one of the hints at path, or its name if it is an object.
func company(path string, h *hints) member {
	if rawjson.KindOf(h.company) != rawjson.Object {
		return member{path + "company", h.company}
	}
	var inside hints
	s := rawjson.NewScanner(h.company, maxDepth)
	inside.read(&s)
	return member{path + "company.name", inside.name}
}

// The three below say what will be looked for, as pkg/identity does it.

func userRule(e *Event) rule {
	switch {
	case e.ExternalUserID != nil && e.UserEmail != nil:
		return rule{later: true, says: "the user whom external_user_id names, if anybody is known by it; else the one whom user_email belongs to; else one is made of both"}
	case e.ExternalUserID != nil:
		return rule{later: true, says: "the user whom external_user_id names, as soon as an identify, a conversation or an e-mail address makes that one known; null until then"}
	case e.UserEmail != nil:
		return rule{later: true, says: "the user whom user_email belongs to; made if it is nobody's"}
	}
	return rule{says: "null: there is neither an external_user_id nor a user_email"}
}

func organizationRule(e *Event) rule {
	switch {
	case e.ExternalOrganizationID != nil:
		return rule{later: true, says: "the organization that external_organization_id names; made if it is a new one"}
	case e.OrganizationName != nil:
		return rule{says: "null: there is no external_organization_id, and a name alone does not say which organization it is"}
	}
	return rule{says: "null: there is no external_organization_id"}
}

func conversationRule(e *Event) rule {
	switch {
	case e.ExternalConversationID != nil:
		return rule{later: true, says: "the conversation that external_conversation_id names, as soon as that has had an activity; null until then"}
	case e.ExternalUserID != nil || e.UserEmail != nil:
		return rule{later: true, says: "the conversation in which the user was active last, in this product, in the 15 minutes up to event_at, both ends included; null if there is none"}
	}
	return rule{says: "null: the event names no conversation and no user who could have been in one"}
}
