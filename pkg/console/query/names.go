package query

import (
	"cmp"
	"context"
	"time"

	"github.com/millrace/millrace/pkg/warehouse"
)

// Names of conversations are searched in the activities of the day before the newest event, extended by the attribution
// window. Activities are sorted by time; a longer search would be too expensive here.
const (
	nameLookback        = day
	attributionLookback = 15 * time.Minute
)

// Each part uses the prefix of its table's sorting key. The views users and organizations would read all rows.
const namesQuery = `SELECT toString(conversation_id) AS id, any(external_conversation_id) AS name FROM conversation_activity
WHERE product_id IN {products:Array(String)} AND activity_at >= {from:` + dateTime + `} AND activity_at <= {until:` + dateTime + `} AND conversation_id IN {conversations:Array(UUID)}
GROUP BY conversation_id
UNION ALL
SELECT toString(user_id) AS id, if(max(name_last).2 != '', max(name_last).2, min(name_first).2) AS name FROM user_claims
WHERE (workspace_id, external_user_id) IN {users:Array(Tuple(String, String))} AND user_id IN {user_ids:Array(UUID)}
GROUP BY user_id
UNION ALL
SELECT toString(organization_id) AS id, if(max(name_last).2 != '', max(name_last).2, min(name_first).2) AS name FROM organization_claims
WHERE (workspace_id, external_organization_id) IN {organizations:Array(Tuple(String, String))}
GROUP BY organization_id`

// arraySet is a set of array elements.
type arraySet map[string]struct{}

func (s arraySet) add(element string) { s[element] = struct{}{} }

func (s arraySet) text() string {
	elements := make([]string, 0, len(s))
	for element := range s {
		elements = append(elements, element)
	}
	return array(elements)
}

// addNames fills in names that are known and cheap to find.
func (c *Client) addNames(ctx context.Context, rows []storedRow) error {
	products, conversations, users, userIDs, organizations := arraySet{}, arraySet{}, arraySet{}, arraySet{}, arraySet{}
	newest := time.Unix(0, 0)
	for _, r := range rows {
		if r.ConversationID != "" && r.ExternalConversationID == "" {
			products.add(warehouse.Quote(r.Product))
			conversations.add(warehouse.Quote(r.ConversationID))
			if r.EventAt.After(newest) {
				newest = r.EventAt
			}
		}
		if r.UserID != "" && r.ExternalUserID != "" {
			users.add(tuple(r.Workspace, r.ExternalUserID))
			userIDs.add(warehouse.Quote(r.UserID))
		}
		if r.OrganizationID != "" {
			organizations.add(tuple(r.Workspace, r.ExternalOrganizationID))
		}
	}
	if len(conversations)+len(users)+len(organizations) == 0 {
		return nil
	}
	found, _, err := run[struct {
		ID   string `ch:"id"`
		Name string `ch:"name"`
	}](ctx, c, namesQuery, parameters{
		"products":      products.text(),
		"conversations": conversations.text(),
		"from":          formatTime(newest.Add(-nameLookback - attributionLookback)),
		"until":         formatTime(newest),
		"users":         users.text(),
		"user_ids":      userIDs.text(),
		"organizations": organizations.text(),
	})
	names := make(map[string]string, len(found))
	for _, n := range found {
		names[n.ID] = n.Name
	}
	for n := range rows {
		r := &rows[n]
		r.UserName = cmp.Or(names[r.UserID], r.UserName)
		r.OrganizationName = cmp.Or(names[r.OrganizationID], r.OrganizationName)
		r.ExternalConversationID = cmp.Or(r.ExternalConversationID, names[r.ConversationID])
	}
	return err
}
