package identity

// organization is what has been said of one.
type organization struct {
	id ID
	times
}

// ObserveOrganization adds a claim, fills in its id and tells whether it says anything that has not been written
// down since the organization came into the cache. One that has left it is written down again, which changes
// nothing. The caller holds the lock.
func (i *Identities) ObserveOrganization(c *OrganizationClaim) (news bool) {
	k := hash(c.ExternalID).in(hash(c.Workspace))
	o := i.organizations.get(k)
	if o == nil {
		if i.organizations.recent >= i.generationSize {
			i.organizations.nextGeneration(nil)
		}
		o = i.organizations.put(k)
		*o = organization{OrganizationID(c.Workspace, c.ExternalID), noTimes}
	}
	c.OrganizationID = o.id
	return o.observe(c.Explicit, c.Event, c.FirstName)
}

// ObserveRemoteConversation is MeetConversation for one that another loader has written down, and takes the lock.
func (i *Identities) ObserveRemoteConversation(product, externalID string) (first bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ObserveConversation([]byte(product), []byte(externalID))
}

// ObserveConversation tells whether a conversation is met for the first time since it came into the cache. The caller
// holds the lock.
func (i *Identities) ObserveConversation(product, externalID []byte) (first bool) {
	k := hash(externalID).in(hash(product))
	if i.conversations.get(k) != nil {
		return false
	}
	if i.conversations.recent >= i.generationSize {
		i.conversations.nextGeneration(nil)
	}
	i.conversations.put(k)
	return true
}
