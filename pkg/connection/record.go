package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// Connection is one secret URL feeding one product. One that came from a Registry is shared: it must
// not be changed.
type Connection struct {
	ID          string `json:"id"`
	WorkspaceID string `json:"workspace_id"`
	ProductID   string `json:"product_id"`
	Name        string `json:"name"`
	Note        string `json:"note"`
	State       State  `json:"state"`
	Salts       int    `json:"salts"` // partitions for the messages of the product; 1 is its own

	// Only the record in the log holds the hashes; any other JSON of a connection leaves them out.
	TokenHash  token.Secret `json:"-"`
	SecretHash token.Secret `json:"-"` // zero if there is no shared secret

	// Generation goes up by one with each change of token or secret, Revision with every change. Of two
	// changes of one revision the first in the log counts.
	Generation uint64 `json:"generation"`
	Revision   uint64 `json:"revision"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	// changes names the last changes that led here, the newest last: how a writer knows its own among
	// those that others have made since.
	changes []string
}

// State is what the operator wants of a connection.
type State string

// States of a connection. A deleted one has no record.
const (
	Enabled      State = "enabled"
	Paused       State = "paused"
	Disconnected State = "disconnected"
)

// Status is a State, told apart by whether an event was ever accepted.
type Status string

// Statuses of a connection.
const (
	StatusWaiting      Status = "waiting"
	StatusActive       Status = "active"
	StatusPaused       Status = "paused"
	StatusDisconnected Status = "disconnected"
)

// Status of the connection, given its activity.
func (c *Connection) Status(a Activity) Status {
	switch {
	case c.State != Enabled:
		return Status(c.State)
	case a.IsZero():
		return StatusWaiting
	}
	return StatusActive
}

const (
	connectionPrefix = "connection/"
	activityPrefix   = "activity/"
)

func connectionKey(id string) string { return connectionPrefix + id }
func activityKey(id string) string   { return activityPrefix + id }

// record is a connection as the log holds it.
type record struct {
	Connection
	TokenHash  string   `json:"token_hash"`
	SecretHash string   `json:"secret_hash,omitempty"`
	Changes    []string `json:"changes,omitempty"`
}

func encodeConnection(c *Connection) ([]byte, error) {
	b, err := json.Marshal(record{*c, c.TokenHash.Reveal(), c.SecretHash.Reveal(), c.changes})
	if err != nil {
		return nil, fmt.Errorf("encoding connection %s: %w", c.ID, err)
	}
	return b, nil
}

// decodeConnection reads the record of the connection id. Fields it does not know are left to newer
// versions. Its errors quote nothing of the record.
func decodeConnection(id string, b []byte) (*Connection, error) {
	var r record
	if json.Unmarshal(b, &r) != nil {
		return nil, errors.New("the record is not the JSON of a connection")
	}
	c := r.Connection
	c.Salts = min(max(c.Salts, 1), MaxSalts) // records from before there was one have none
	c.TokenHash, c.SecretHash, c.changes = token.NewSecret(r.TokenHash), token.NewSecret(r.SecretHash), r.Changes
	if err := c.check(id); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *Connection) check(id string) error {
	switch {
	case c.ID != id || !token.ValidConnectionID(id):
		return errors.New("the record is not under its own id")
	case c.State != Enabled && c.State != Paused && c.State != Disconnected:
		return errors.New("the record has an unknown state")
	case c.ProductID == "" || c.WorkspaceID == "":
		return errors.New("the record has no product or no workspace")
	case c.Generation == 0 || c.Revision == 0:
		return errors.New("the record has no generation or no revision")
	}
	if err := token.CheckHash(c.TokenHash); err != nil {
		return fmt.Errorf("the record's token hash: %w", err)
	}
	if c.SecretHash.IsZero() {
		return nil
	}
	if err := token.CheckHash(c.SecretHash); err != nil {
		return fmt.Errorf("the record's secret hash: %w", err)
	}
	return nil
}

// cutID takes the id out of a key of the log.
func cutID(key, prefix string) (id string, ok bool) {
	id, ok = strings.CutPrefix(key, prefix)
	return id, ok && token.ValidConnectionID(id)
}
