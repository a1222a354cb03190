//go:build linux

package baselines

import (
	_ "embed"
	"strings"
)

//go:embed mapping.sql
var mappingSQL string

// origin is the SQL expressions for columns that do not depend on the message.
type origin struct {
	workspace, product, connection, source, receivedUs, topic, partition, offset string
}

// view is the statement for a materialized view that maps the messages in the column raw of a table into events.
func (o *origin) view(from string) string {
	mapped := strings.NewReplacer("{workspace}", o.workspace, "{product}", o.product, "{connection}", o.connection,
		"{source}", o.source, "{received_us}", o.receivedUs, "{topic}", o.topic, "{partition}", o.partition,
		"{offset}", o.offset, "{from}", from).Replace(mappingSQL)
	return "CREATE MATERIALIZED VIEW " + from + "_to_events TO events AS\n" + mapped
}
