package warehouse

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// Identities returns the claims of external ids, at most identity.MaxPairs of each, and the states of addresses: those
// given and those in the claims.
func (l *Lookup) Identities(
	ctx context.Context, externalIDs, addresses []identity.Name,
) ([]identity.Claim, []identity.AddressState, error) {
	var claims []identity.Claim
	wanted := namesOf(addresses)
	if len(externalIDs) > 0 {
		var err error
		if claims, err = l.claims(ctx, externalIDs); err != nil {
			return nil, nil, err
		}
		for i := range claims {
			if claims[i].Email != nil {
				wanted.add(claims[i].Workspace, claims[i].Email)
			}
		}
	}
	if wanted.names.Rows() == 0 {
		return claims, nil, nil
	}
	states, err := l.addressStates(ctx, wanted)
	return claims, states, err
}

func namesOf(list []identity.Name) *nameTable {
	n := &nameTable{}
	for i := range list {
		n.add(list[i].Workspace, list[i].Name)
	}
	return n
}

// The columns of claims, of stored rows and of rows that are merged by GROUP BY. Only the times of the observations are
// read.
var (
	storedClaims = "SELECT " + fmt.Sprintf(claimColumns, "", "")
	mergedClaims = "SELECT " + fmt.Sprintf(claimColumns, "any", "min")
)

const claimColumns = `workspace_id AS workspace, external_user_id, email, %[1]s(user_id) AS user,
	%[2]s(explicit_first.1) AS explicit, %[2]s(event_first.1) AS event, %[2]s(name_first.1) AS named`

// claimQuery is a query that starts with storedClaims or mergedClaims.
type claimQuery struct {
	query
	workspace, externalID, email *proto.ColStr
	user                         *proto.ColUUID
	explicit, event, named       *proto.ColInt64
}

func newClaimQuery(what, sql string, tables ...ch.ExternalTable) *claimQuery {
	q := &claimQuery{query: query{what: what, sql: sql, tables: tables}}
	q.workspace = result[proto.ColStr](&q.query, "workspace")
	q.externalID = result[proto.ColStr](&q.query, "external_user_id")
	q.email = result[proto.ColStr](&q.query, "email")
	q.user = result[proto.ColUUID](&q.query, "user")
	q.explicit = result[proto.ColInt64](&q.query, "explicit")
	q.event = result[proto.ColInt64](&q.query, "event")
	q.named = result[proto.ColInt64](&q.query, "named")
	return q
}

// claim copies the claim of a row.
func (q *claimQuery) claim(row int) identity.Claim {
	c := q.view(row)
	c.Workspace, c.ExternalID, c.Email = bytes.Clone(c.Workspace), bytes.Clone(c.ExternalID), bytes.Clone(c.Email)
	return c
}

// view returns the claim of a row, which is valid until the next block of the result.
func (q *claimQuery) view(row int) identity.Claim {
	c := identity.EmptyClaim
	c.Workspace = q.workspace.RowBytes(row)
	c.ExternalID, c.Email = nilIfEmpty(q.externalID.RowBytes(row)), nilIfEmpty(q.email.RowBytes(row))
	c.UserID = q.user.Row(row)
	c.Explicit.At, c.Event.At = q.explicit.Row(row), q.event.Row(row)
	if c.FirstName.At = q.named.Row(row); c.FirstName.At != identity.Never {
		c.FirstName.Text = []byte{} // not read
	}
	return c
}

func nilIfEmpty(s []byte) []byte {
	if len(s) == 0 {
		return nil
	}
	return s
}

func (l *Lookup) claims(ctx context.Context, externalIDs []identity.Name) ([]identity.Claim, error) {
	wanted := namesOf(externalIDs)
	q := newClaimQuery("external ids", fmt.Sprintf(`%s FROM user_claims
		WHERE (workspace_id, external_user_id) IN (SELECT scope, name FROM wanted)
		GROUP BY workspace_id, external_user_id, email
		ORDER BY explicit, event, email LIMIT %d BY workspace_id, external_user_id`, mergedClaims, identity.MaxPairs),
		wanted.as("wanted"))
	return collect(ctx, l.on(&wanted.scopes), &q.query, q.claim)
}

// addressesQuery ranks the claims of each address as identity.Hold does: the least (strength, time, user) holds it.
var addressesQuery = `SELECT workspace, email,
		min(tuple(multiIf(external_user_id = '', 2, explicit = 9223372036854775807, 1, 0),
			multiIf(external_user_id = '', 0, explicit = 9223372036854775807, event, explicit),
			toString(user))) AS hold,
		toUInt8(hold.1) AS strength, toInt64(hold.2) AS since, toUUID(hold.3) AS holder,
		minIf(explicit, external_user_id = '') AS alone_explicit, minIf(event, external_user_id = '') AS alone_event,
		minIf(named, external_user_id = '') AS alone_named, countIf(external_user_id = '') AS alone
	FROM (` + mergedClaims + ` FROM user_claims_by_email
		WHERE (workspace_id, email) IN (SELECT scope, name FROM wanted)
		GROUP BY workspace_id, email, external_user_id)
	GROUP BY workspace, email`

func (l *Lookup) addressStates(ctx context.Context, wanted *nameTable) ([]identity.AddressState, error) {
	q := &query{what: "addresses", tables: []ch.ExternalTable{wanted.as("wanted")}}
	q.sql = `SELECT workspace, email, strength, since, holder, alone_explicit, alone_event, alone_named, alone
		FROM (` + addressesQuery + ")"
	workspace, email := result[proto.ColStr](q, "workspace"), result[proto.ColStr](q, "email")
	strength, since := result[proto.ColUInt8](q, "strength"), result[proto.ColInt64](q, "since")
	holder := result[proto.ColUUID](q, "holder")
	explicit, event := result[proto.ColInt64](q, "alone_explicit"), result[proto.ColInt64](q, "alone_event")
	named, alone := result[proto.ColInt64](q, "alone_named"), result[proto.ColUInt64](q, "alone")
	return collect(ctx, l.on(&wanted.scopes), q, func(row int) identity.AddressState {
		s := identity.AddressState{
			Workspace: []byte(workspace.Row(row)), Email: []byte(email.Row(row)),
			Hold: identity.Hold{
				Strength: identity.Strength(strength.Row(row)), At: since.Row(row), UserID: holder.Row(row),
			},
			ExplicitAt: identity.Never, EventAt: identity.Never, NameAt: identity.Never,
		}
		if alone.Row(row) > 0 {
			s.ExplicitAt, s.EventAt, s.NameAt = explicit.Row(row), event.Row(row), named.Row(row)
		}
		return s
	})
}

// UsersOfAddresses returns, by workspace, the users that have a claim on the addresses. One of them may have held the
// address before the latest claim.
func (l *Lookup) UsersOfAddresses(
	ctx context.Context, addresses []identity.Name,
) (users map[string][]identity.ID, err error) {
	wanted := namesOf(addresses)
	q := &query{what: "users of addresses", tables: []ch.ExternalTable{wanted.as("wanted")}}
	q.sql = `SELECT DISTINCT workspace_id AS workspace, user_id AS user FROM user_claims_by_email
		WHERE (workspace_id, email) IN (SELECT scope, name FROM wanted)`
	workspace, user := result[proto.ColStr](q, "workspace"), result[proto.ColUUID](q, "user")
	users = map[string][]identity.ID{}
	err = l.on(&wanted.scopes).read(ctx, q, func(rows int) error {
		for row := range rows {
			users[workspace.Row(row)] = append(users[workspace.Row(row)], user.Row(row))
		}
		return nil
	})
	return users, err
}

// AllClaims passes all stored claims, first ordered by address and then those of external ids, in parts. The claims
// are views, valid during the call, and rows of one claim may come apart. If there are more than limit, it passes none
// and returns false.
func (l *Lookup) AllClaims(
	ctx context.Context, limit int, byAddress, byExternalID func([]identity.Claim),
) (complete bool, err error) {
	count := &query{what: "the number of claims", sql: `SELECT assumeNotNull(greatest(
		(SELECT count() FROM user_claims_by_email), (SELECT count() FROM user_claims))) AS n`}
	n := result[proto.ColUInt64](count, "n")
	shards, err := collect(ctx, l, count, func(row int) uint64 { return n.Row(row) })
	total := uint64(0)
	for _, n := range shards {
		total += n
	}
	if err != nil || total > uint64(limit) {
		return false, err
	}
	if err := l.passClaims(ctx, " FROM user_claims_by_email", byAddress); err != nil {
		return false, err
	}
	return true, l.passClaims(ctx, " FROM user_claims WHERE external_user_id != ''", byExternalID)
}

func (l *Lookup) passClaims(ctx context.Context, from string, take func([]identity.Claim)) error {
	q := newClaimQuery("all claims", storedClaims+from)
	var claims []identity.Claim
	return l.read(ctx, &q.query, func(rows int) error {
		claims = claims[:0]
		for row := range rows {
			claims = append(claims, q.view(row))
		}
		take(claims)
		return nil
	})
}
