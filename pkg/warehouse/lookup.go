package warehouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/millrace/millrace/pkg/identity"
)

// Lookup reads what attribution has to know, in bulk: what is asked for goes along as a table.
type Lookup struct {
	*cluster
	among func([]*pool) []*pool // of the shards, which are asked; nil is all
}

// lookupConnections bounds the questions asked at once: of lanes, and of the one that works news in, which asks
// while it reads.
const lookupConnections = 4

// NewLookup makes a Lookup; connections are opened when they are needed.
func NewLookup(config Config) (*Lookup, error) {
	s, err := newServers(config)
	if err != nil {
		return nil, err
	}
	return &Lookup{cluster: &cluster{servers: s, size: lookupConnections}}, nil
}

// Inserter is one that uses the same replicas of shards: what it has written, the Lookup finds.
func (l *Lookup) Inserter() *Inserter {
	return &Inserter{cluster{servers: l.servers, size: l.config.Inserts}}
}

// FindShards finds a cluster's shards. If they are not those that the rows were spread over, that is final: see ShardsChanged.
func (l *Lookup) FindShards(ctx context.Context) error { return l.find(ctx) }

// ShardsChanged tells whether err says that the cluster is another than it was.
func ShardsChanged(err error) bool { return errors.Is(err, errShardsChanged) }

// of asks only the shards that the keys are in, products or workspaces.
func (l *Lookup) of(keys *proto.ColStr) *Lookup {
	return &Lookup{l.cluster, func(pools []*pool) []*pool { return l.cluster.of(pools, keys) }}
}

// each runs something for each of the shards that are asked, one after the other.
func (l *Lookup) each(ctx context.Context, do func(*pool) error) error {
	pools, err := l.open(ctx)
	if err != nil {
		return err
	}
	if l.among != nil {
		pools = l.among(pools)
	}
	for _, p := range pools {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

// apart is each for questions whose answers have to be told apart by shards.
func (l *Lookup) apart(ctx context.Context, do func(*Lookup) error) error {
	return l.each(ctx, func(p *pool) error {
		return do(&Lookup{l.cluster, func([]*pool) []*pool { return []*pool{p} }})
	})
}

// Insert writes down what was learnt. Writing it again changes nothing, so it needs no token. What takes long to
// write is written again, so that nobody who looks for what is new can have looked past it: see Settling.
func (l *Lookup) Insert(ctx context.Context, b IdempotentBlock) error {
	for {
		if took, err := l.insert(ctx, b.self(), ""); err != nil || took < l.VisibilityDelay()/2 {
			return err
		}
	}
}

// names is a table of names in scopes.
type names struct{ scopes, names proto.ColStr }

func namesOf(list []identity.Name) *names {
	n := &names{}
	for i := range list {
		n.add(list[i].Workspace, list[i].Name)
	}
	return n
}

func (n *names) add(scope, name []byte) {
	n.scopes.AppendBytes(scope)
	n.names.AppendBytes(name)
}

func (n *names) table(name string) ch.ExternalTable {
	return ch.ExternalTable{Name: name, Data: []proto.InputColumn{{Name: "scope", Data: &n.scopes}, {Name: "name", Data: &n.names}}}
}

// read runs a query whose result is taken block by block: the result of each shard, so that rows which belong together must
// be of one key.
func (l *Lookup) read(ctx context.Context, what, query string, tables []ch.ExternalTable, result proto.Results, take func(rows int) error) error {
	err := l.each(ctx, func(p *pool) error {
		_, err := p.do(ctx, ch.Query{
			Body: query, ExternalTables: tables, Result: result,
			Settings: []ch.Setting{
				{Key: "low_cardinality_allow_in_native_format", Value: "0"},
				{Key: "max_block_size", Value: "16384"}, // what is taken at once is held at once
			},
			OnResult: func(_ context.Context, b proto.Block) error { return take(b.Rows) },
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("look up %s: %w", what, err)
	}
	return nil
}

// Identities finds the claims of external ids, as many of each as attribution keeps, and the state of addresses:
// of those asked for and of those in the claims.
func (l *Lookup) Identities(ctx context.Context, persons, addresses []identity.Name) ([]identity.Claim, []identity.AddressState, error) {
	var claims []identity.Claim
	wanted := namesOf(addresses)
	if len(persons) > 0 {
		var err error
		if claims, err = l.claims(ctx, persons); err != nil {
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
	holdings, err := l.holdings(ctx, wanted)
	return claims, holdings, err
}

// claimColumns are of rows of user_claims that are summed up. The texts beside the times are not read.
const claimColumns = `workspace_id AS workspace, external_user_id, email, any(user_id) AS user, min(explicit_first.1) AS explicit, min(event_first.1) AS event, min(name_first.1) AS named`

func (l *Lookup) claims(ctx context.Context, persons []identity.Name) (claims []identity.Claim, err error) {
	query := fmt.Sprintf(`SELECT %s FROM user_claims WHERE (workspace_id, external_user_id) IN (SELECT scope, name FROM wanted)
		GROUP BY workspace_id, external_user_id, email ORDER BY explicit, event, email LIMIT %d BY workspace_id, external_user_id`, claimColumns, identity.MaxPairs)
	var r claimResult
	wanted := namesOf(persons)
	err = l.of(&wanted.scopes).read(ctx, "external ids", query, []ch.ExternalTable{wanted.table("wanted")}, r.columns(), func(rows int) error {
		for row := range rows {
			claims = append(claims, r.claim(row))
		}
		return nil
	})
	return claims, err
}

type claimResult struct {
	workspace, externalID, email proto.ColStr
	user                         proto.ColUUID
	explicit, event, named       proto.ColInt64
}

func (r *claimResult) columns() proto.Results {
	return proto.Results{
		{Name: "workspace", Data: &r.workspace}, {Name: "external_user_id", Data: &r.externalID}, {Name: "email", Data: &r.email},
		{Name: "user", Data: &r.user}, {Name: "explicit", Data: &r.explicit}, {Name: "event", Data: &r.event}, {Name: "named", Data: &r.named},
	}
}

// claim copies a row's.
func (r *claimResult) claim(row int) identity.Claim {
	c := r.view(row)
	c.Workspace, c.ExternalID, c.Email = bytes.Clone(c.Workspace), bytes.Clone(c.ExternalID), bytes.Clone(c.Email)
	return c
}

// view is good until the next rows come.
func (r *claimResult) view(row int) identity.Claim {
	c := identity.EmptyClaim
	c.Workspace = r.workspace.RowBytes(row)
	c.ExternalID, c.Email = orNil(r.externalID.RowBytes(row)), orNil(r.email.RowBytes(row))
	c.UserID = r.user.Row(row)
	c.Explicit.At, c.Event.At = r.explicit.Row(row), r.event.Row(row)
	if c.FirstName.At = r.named.Row(row); c.FirstName.At != identity.Never {
		c.FirstName.Text = []byte{} // what it is does not matter here
	}
	return c
}

func orNil(s []byte) []byte {
	if len(s) == 0 {
		return nil
	}
	return s
}

// holdingsQuery reckons as attribution.Hold does.
const holdingsQuery = `SELECT workspace_id, email,
		min(tuple(multiIf(external_user_id = '', 2, explicit = 9223372036854775807, 1, 0),
			multiIf(external_user_id = '', 0, explicit = 9223372036854775807, event, explicit), toString(user))) AS hold,
		toUInt8(hold.1) AS strength, toInt64(hold.2) AS since, toUUID(hold.3) AS holder,
		minIf(explicit, external_user_id = '') AS alone_explicit, minIf(event, external_user_id = '') AS alone_event, minIf(named, external_user_id = '') AS alone_named,
		countIf(external_user_id = '') AS alone
	FROM (SELECT workspace_id, email, external_user_id, any(user_id) AS user, min(explicit_first.1) AS explicit, min(event_first.1) AS event, min(name_first.1) AS named
		FROM user_claims_by_email WHERE (workspace_id, email) IN (SELECT scope, name FROM wanted) GROUP BY workspace_id, email, external_user_id)
	GROUP BY workspace_id, email`

func (l *Lookup) holdings(ctx context.Context, wanted *names) (holdings []identity.AddressState, err error) {
	var workspace, email proto.ColStr
	var strength proto.ColUInt8
	var since, explicit, event, named proto.ColInt64
	var holder proto.ColUUID
	var alone proto.ColUInt64
	columns := proto.Results{
		{Name: "workspace", Data: &workspace}, {Name: "email", Data: &email}, {Name: "strength", Data: &strength}, {Name: "since", Data: &since}, {Name: "holder", Data: &holder},
		{Name: "alone_explicit", Data: &explicit}, {Name: "alone_event", Data: &event}, {Name: "alone_named", Data: &named}, {Name: "alone", Data: &alone},
	}
	query := "SELECT workspace_id AS workspace, email, strength, since, holder, alone_explicit, alone_event, alone_named, alone FROM (" + holdingsQuery + ")"
	err = l.of(&wanted.scopes).read(ctx, "addresses", query, []ch.ExternalTable{wanted.table("wanted")}, columns, func(rows int) error {
		for row := range rows {
			h := identity.AddressState{
				Workspace: []byte(workspace.Row(row)), Email: []byte(email.Row(row)),
				Hold:       identity.Hold{Strength: identity.Strength(strength.Row(row)), At: since.Row(row), UserID: holder.Row(row)},
				ExplicitAt: identity.Never, EventAt: identity.Never, NameAt: identity.Never,
			}
			if alone.Row(row) > 0 {
				h.ExplicitAt, h.EventAt, h.NameAt = explicit.Row(row), event.Row(row), named.Row(row)
			}
			holdings = append(holdings, h)
		}
		return nil
	})
	return holdings, err
}
