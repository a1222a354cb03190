package stream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/pkg/doctor"
)

// Diagnose looks at the brokers, at our topics and at how far the loaders of a group are, and changes nothing.
func (c *Client) Diagnose(ctx context.Context, group string, r *doctor.Report) {
	if !c.checkBrokers(ctx, r) {
		return
	}
	topics, err := c.inspect(ctx)
	if err != nil {
		r.Fail("kafka topics", remedy(err), "%v", err)
		return
	}
	for i := range topics {
		c.checkTopic(&topics[i], r)
	}
	if topics[0].exists {
		c.checkGroup(ctx, group, r)
		c.checkStamps(ctx, r)
	}
}

const brokersCheck = "kafka brokers"

// checkBrokers asks those that are named, and then all that these name.
func (c *Client) checkBrokers(ctx context.Context, r *doctor.Report) (reached bool) {
	if err := c.kafka.Ping(ctx); err != nil {
		change := remedy(err)
		if change == "" {
			change = "check --brokers, and that the brokers run"
		}
		r.Fail(brokersCheck, change, "none of %s answers: %v", strings.Join(c.config.Brokers, ", "), err)
		return false
	}
	meta, err := c.admin.BrokerMetadata(ctx)
	if err != nil {
		r.Fail(brokersCheck, remedy(err), "%v", err)
		return false
	}
	versions, err := c.admin.ApiVersions(ctx)
	if err != nil {
		r.Fail(brokersCheck, remedy(err), "%v", err)
		return false
	}
	guesses := c.checkEach(meta.Brokers, versions, r)
	if len(guesses) > 0 {
		r.OK(
			brokersCheck,
			"%d, of which %d answer (%s)",
			len(meta.Brokers),
			len(guesses),
			strings.Join(slices.Compact(slices.Sorted(slices.Values(guesses))), "; "),
		)
	}
	if want := int(c.config.Replication); want > len(meta.Brokers) {
		r.Fail(
			brokersCheck,
			"add brokers, or lower --replication",
			"--replication is %d, and there are %d",
			want,
			len(meta.Brokers),
		)
	}
	c.checkAccess(ctx, meta.Brokers, r)
	return true
}

func (c *Client) checkEach(
	brokers kadm.BrokerDetails,
	versions kadm.BrokersApiVersions,
	r *doctor.Report,
) (guesses []string) {
	for _, b := range brokers {
		v := versions[b.NodeID]
		if v.Err != nil {
			r.Fail(
				brokersCheck,
				"set its advertised.listeners to an address that is reached from here, or see why it is down",
				"broker %d does not answer at %s, the address it gives: %v",
				b.NodeID,
				net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))),
				v.Err,
			)
			continue
		}
		guess := "a Kafka of no version we know" // such as the embedded one
		if is := v.VersionGuess(); strings.HasPrefix(is, "v") || strings.HasPrefix(is, "at least") {
			guess = "Kafka " + is
		}
		guesses = append(guesses, guess)
	}
	return guesses
}

// checkAccess says how we speak to the brokers, by a connection of its own.
func (c *Client) checkAccess(ctx context.Context, brokers kadm.BrokerDetails, r *doctor.Report) {
	const check = "kafka access"
	access := &c.config.Access
	how, as := "without TLS", "without a login"
	b := brokers[0]
	conn, err := access.TLS.Dialer(dialTimeout)(ctx, "tcp", net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	if err != nil {
		return // it has been told of
	}
	defer conn.Close()
	if secured, ok := conn.(*tls.Conn); ok {
		how = "with " + tls.VersionName(secured.ConnectionState().Version)
	}
	if m := access.mechanism(); m != nil {
		as = "logged in with " + m.Name()
		if access.User != "" {
			as += " as " + access.User
		}
	}
	if access.mechanism() != nil && access.TLS.Exposed(b.Host) {
		change := "set --kafka-tls, and have the brokers listen with SASL_SSL"
		if access.SASL == "PLAIN" {
			r.Warn(check, change, "%s, %s: whoever is on the way can read the password", how, as)
		} else {
			r.Warn(check, change, "%s, %s: whoever is on the way can read every message", how, as)
		}
		return
	}
	r.OK(check, "%s, %s", how, as)
}

func (c *Client) checkTopic(t *topicState, r *doctor.Report) {
	check := "topic " + t.spec.name
	if !t.exists {
		r.Warn(
			check,
			"start an edge or a loader, which makes it, or give --kafka-user the right to see it",
			"there is none",
		)
		return
	}
	before := len(*r)
	if t.err != nil {
		r.Warn(check, remedy(t.err), "its settings cannot be read: %v", t.err)
	}
	c.checkInSync(t, r)
	for _, f := range c.config.problems(t) {
		if f.severity == invalid {
			r.Fail(check, f.change, "%s", f.found)
			continue
		}
		r.Warn(check, f.change, "%s", f.found)
	}
	if len(*r) == before {
		r.OK(check, "%s", t.describe())
	}
}

// checkInSync is about the replicas of this moment.
func (c *Client) checkInSync(t *topicState, r *doctor.Report) {
	needed, _ := t.number(minInsync)
	var stuck, behind int
	for _, p := range t.partitions {
		switch {
		case p.Leader < 0 || len(p.ISR) < int(needed) && int(needed) <= len(p.Replicas):
			stuck++
		case len(p.ISR) < len(p.Replicas):
			behind++
		}
	}
	const change = "see which broker is down or slow"
	if stuck > 0 {
		r.Fail(
			"topic "+t.spec.name,
			change,
			"%d of %d partitions take no writes: they have no leader, or too few replicas in sync",
			stuck,
			len(t.partitions),
		)
	}
	if behind > 0 {
		r.Warn(
			"topic "+t.spec.name,
			change,
			"%d of %d partitions have replicas that are not in sync",
			behind,
			len(t.partitions),
		)
	}
}

func (t *topicState) describe() string {
	kept := "compacted"
	if t.settings[cleanupPolicy] != compact {
		kept = "kept for ever"
		if ms, known := t.number(retentionMs); known && ms >= 0 {
			kept = "kept for " + millis(ms).String()
		}
	}
	return fmt.Sprintf(
		"%s, %s of which %s must be in sync, %s, records of up to %s bytes",
		doctor.Some(
			len(t.partitions),
			"partition",
		),
		doctor.Some(t.replicas(), "replica"),
		t.settings[minInsync],
		kept,
		t.settings[maxMessageBytes],
	)
}

// checkStamps looks for records from the future. Brokers do not tell their time, but edges stamp records with theirs,
// and it is edges whose clocks decide which delivery was the first.
func (c *Client) checkStamps(ctx context.Context, r *doctor.Report) {
	latest, err := c.admin.ListMaxTimestampOffsets(ctx, c.topics.Ingest)
	if err != nil || latest.Error() != nil {
		return // brokers before 3.0 cannot say
	}
	now, newest := time.Now(), time.UnixMilli(0)
	latest.Each(func(o kadm.ListedOffset) {
		if at := time.UnixMilli(o.Timestamp); at.After(newest) {
			newest = at
		}
	})
	const check = "edge clocks"
	if ahead := newest.Sub(now); ahead > time.Second {
		r.Warn(
			check,
			"have all machines keep time with the same NTP servers",
			"the newest message is stamped %s ahead of our clock",
			ahead.Round(time.Millisecond),
		)
		return
	}
	r.OK(check, "no message is stamped ahead of our clock")
}
