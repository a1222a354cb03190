package warehouse

import (
	"context"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// AllClaims passes all claims that have been written down on, first as they are by address and then those of external ids,
// some at a time, if neither are more than most. They are views, and one may come in several parts.
func (l *Lookup) AllClaims(ctx context.Context, most int, addresses, persons func([]identity.Claim)) (fit bool, err error) {
	rows, err := l.number(ctx, "SELECT assumeNotNull(greatest((SELECT count() FROM user_claims_by_email), (SELECT count() FROM user_claims)))")
	if err != nil || rows > uint64(most) {
		return false, err
	}
	if err := l.known(ctx, "FROM user_claims_by_email", addresses); err != nil {
		return false, err
	}
	return true, l.known(ctx, "FROM user_claims WHERE external_user_id != ''", persons)
}

func (l *Lookup) known(ctx context.Context, from string, take func([]identity.Claim)) error {
	const columns = "SELECT workspace_id AS workspace, external_user_id, email, user_id AS user, explicit_first.1 AS explicit, event_first.1 AS event, name_first.1 AS named "
	var r claimResult
	var claims []identity.Claim
	return l.read(ctx, "what is known of users", columns+from, nil, r.columns(), func(rows int) error {
		claims = claims[:0]
		for row := range rows {
			claims = append(claims, r.view(row))
		}
		take(claims)
		return nil
	})
}

func (l *Lookup) number(ctx context.Context, query string) (n uint64, err error) {
	var column proto.ColUInt64
	err = l.read(ctx, "how much is known", query+" AS n", nil, proto.Results{{Name: "n", Data: &column}}, func(rows int) error {
		for row := range rows { // one of each shard
			n += column.Row(row)
		}
		return nil
	})
	return n, err
}
