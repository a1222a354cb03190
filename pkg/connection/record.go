package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/token"
)

// Connection is one secret URL that feeds one product. A Connection from a Registry is shared and must not be changed.
type Connection struct {
	ID          string `json:"id"`
	WorkspaceID string `json:"workspace_id"`
	ProductID   string `json:"product_id"`
	Name        string `json:"name"`
	Note        string `json:"note"`
	State       State  `json:"state"`
	Salts       int    `json:"salts"` // partitions for the messages of the product; 1 is its own

	// The hashes are in the topic's record only, not in other JSON of a connection.
	TokenHash  token.Secret `json:"-"`
	SecretHash token.Secret `json:"-"` // zero if there is no shared secret

	// Generation increases with each change of token or secret, Revision with every change. Of two changes of one
	// revision the first in the topic counts.
	Generation uint64 `json:"generation"`
	Revision   uint64 `json:"revision"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	// changes names the latest changes, the newest last. A writer finds its own change among them.
	changes []string
}

// State is the state that the operator set.
type State string

// States of a connection. A deleted one has no record.
const (
	Enabled      State = "enabled"
	Paused       State = "paused"
	Disconnected State = "disconnected"
)

// Status is the State, refined by whether an event was accepted.
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

// record is the JSON of a connection in the topic.
type record struct {
	Connection
	TokenHash  string   `json:"token_hash"`
	SecretHash string   `json:"secret_hash,omitempty"`
	Changes    []string `json:"changes,omitempty"`
}

func encodeConnection(c *Connection) ([]byte, error) {
	b, err := json.Marshal(record{*c, c.TokenHash.Reveal(), c.SecretHash.Reveal(), c.changes})
	if err != nil {
		return nil, fmt.Errorf("encode connection %s: %w", c.ID, err)
	}
	return b, nil
}

// decodeConnection decodes the record of connection id. It ignores unknown fields. Its errors do not quote the record.
func decodeConnection(id string, b []byte) (*Connection, error) {
	var r record
	if json.Unmarshal(b, &r) != nil {
		return nil, errors.New("the record is not the JSON of a connection")
	}
	c := r.Connection
	c.Salts = min(max(c.Salts, 1), MaxSalts)
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

// cutID returns the connection id in a key of the topic.
func cutID(key, prefix string) (id string, ok bool) {
	id, ok = strings.CutPrefix(key, prefix)
	return id, ok && token.ValidConnectionID(id)
}
