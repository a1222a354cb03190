package identity

// organization is what was observed of one.
type organization struct {
	id ID
	times
}

// ObserveOrganization adds a claim and fills in its id. It returns whether the claim is new since the organization came
// into the cache. A claim of an evicted organization counts as new; to write it twice is harmless. The caller holds the
// lock.
func (i *Identities) ObserveOrganization(c *OrganizationClaim) (isNew bool) {
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

// ObserveRemoteConversation is ObserveConversation for a conversation that another loader wrote. It takes the lock.
func (i *Identities) ObserveRemoteConversation(product, externalID string) (first bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ObserveConversation([]byte(product), []byte(externalID))
}

// ForgetConversations makes all conversations new again. It takes the lock.
func (i *Identities) ForgetConversations() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conversations = newCache[struct{}]()
}

// ObserveConversation adds a conversation, and returns whether it was not in the cache. The caller holds the lock.
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
