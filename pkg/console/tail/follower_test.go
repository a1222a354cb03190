package tail

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/stream"
	"github.com/millrace/millrace/test/env"
)

func TestMain(m *testing.M) { env.Main(m) }

var (
	ours   = stream.Source{Workspace: "w", Product: "p", Connection: "ours", Provider: stream.ProviderSegment}
	theirs = stream.Source{Workspace: "w", Product: "p", Connection: "theirs", Provider: stream.ProviderSegment}
)

// started is a broker with the topics, and who writes to it.
func started(t *testing.T) (*stream.Client, *stream.Producer) {
	t.Helper()
	config := stream.Config{Brokers: []string{env.Broker(t).Addr()}}
	require.NoError(t, kong.ApplyDefaults(&config))
	client, err := stream.NewClient(config, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.NoError(t, client.EnsureTopics(t.Context()))
	var producing stream.ProducerConfig
	require.NoError(t, kong.ApplyDefaults(&producing))
	producer, err := client.NewProducer("test", producing)
	require.NoError(t, err)
	t.Cleanup(func() { _ = producer.Close(context.Background()) })
	return client, producer
}

func write(t *testing.T, p *stream.Producer, n int, fill func(*stream.Request, int)) {
	t.Helper()
	out := p.NewRequest(n, nil)
	for i := range n {
		fill(out, i)
	}
	require.NoError(t, out.Send(t.Context()))
}

func track(event, user string) []byte {
	return fmt.Appendf(nil, `{"type":"track","event":%q,"userId":%q,"messageId":"m","timestamp":"2026-05-18T12:00:00Z"}`, event, user)
}

// watched is what somebody sees until so many messages are there.
func watched(t *testing.T, client *stream.Client, filter Filter, n int) (all []Message, sampled bool) {
	t.Helper()
	f, err := Follow(t.Context(), client, ours.Connection, ours.Workspace, ours.Product, 1, filter)
	require.NoError(t, err)
	defer f.Close()
	for deadline := time.Now().Add(20 * time.Second); len(all) < n; {
		s, err := f.Next(t.Context())
		require.NoError(t, err)
		all, sampled = append(all, s.Messages...), sampled || s.Sampled()
		require.True(t, time.Now().Before(deadline), "%d of %d messages came", len(all), n)
	}
	return all, sampled
}

func TestMessagesAreShownBesideWhatTheyBecame(t *testing.T) {
	client, p := started(t)
	write(t, p, 1, func(o *stream.Request, _ int) {
		o.AddMessage(stream.KindEvent, &theirs, 1, track("Not Ours", "x"), nil)
	})
	write(t, p, 1, func(o *stream.Request, _ int) {
		o.AddMessage(stream.KindEvent, &ours, 1779105600000000, []byte(`{"type":"track","event":"Upgrade Failed","userId":"u1","messageId":"m1","timestamp":"2026-05-18T12:00:00Z","properties":{"gf_value":"3.5"}}`), nil)
	})
	write(t, p, 1, func(o *stream.Request, _ int) {
		o.AddDeadLetter(&ours, 2, []byte("{\"type\":\"track\"}\r\xff"), nil, &stream.DeadLetter{OriginalKind: stream.KindEvent, Reason: "missing_event", Detail: "why"})
	})
	all, sampled := watched(t, client, Filter{}, 2)
	require.Len(t, all, 2, "another connection's messages are not shown")
	require.False(t, sampled)
	if all[0].IsEvent() {
		all[0], all[1] = all[1], all[0] // two partitions, in no order
	}
	letter, event := all[0], all[1]
	require.Equal(t, []string{"missing_event", "why"}, []string{letter.Reason, letter.Detail})
	require.Contains(t, letter.Body, "\uFFFD", "what is no UTF-8 is shown as such")
	require.Equal(t, []string{"Upgrade Failed", "negative", "3.5", "currency", "u1", "segment:m1"},
		[]string{event.EventType, event.Influence, event.Value, event.ValueType, event.ExternalUser, event.InsertID})
	require.NotEmpty(t, event.InfluenceRule)
	require.EqualValues(t, 1779105600000, event.KeyAt)
}

func TestAFilterFindsItsOwn(t *testing.T) {
	client, p := started(t)
	write(t, p, 30, func(o *stream.Request, i int) {
		o.AddMessage(stream.KindEvent, &ours, 1, track([]string{"Page Seen", "Signed Up"}[i%2], fmt.Sprintf("User-%d", i)), nil)
	})
	for _, c := range []struct {
		filter Filter
		want   int
	}{{Filter{EventType: "signed"}, 15}, {Filter{Influence: "neutral"}, 15}, {Filter{User: "USER-7"}, 1}, {Filter{EventType: "page", User: "user-7"}, 0}} {
		f, err := Follow(t.Context(), client, ours.Connection, ours.Workspace, ours.Product, 1, c.filter)
		require.NoError(t, err)
		found, read := 0, 0
		for deadline := time.Now().Add(20 * time.Second); read < 30; {
			s, err := f.Next(t.Context())
			require.NoError(t, err)
			found, read = found+s.Matched, read+s.Read
			require.True(t, time.Now().Before(deadline), "%d of 30 records were read", read)
		}
		f.Close()
		require.Equal(t, c.want, found, "%+v", c.filter)
	}
}

func TestWhatIsTooMuchIsSampledAndSaysSo(t *testing.T) {
	client, p := started(t)
	f, err := Follow(t.Context(), client, ours.Connection, ours.Workspace, ours.Product, 1, Filter{})
	require.NoError(t, err)
	defer f.Close()
	write(t, p, 1, func(o *stream.Request, _ int) { o.AddMessage(stream.KindEvent, &ours, 1, track("First", "x"), nil) })
	var s Sample
	for !s.Initial {
		s, err = f.Next(t.Context())
		require.NoError(t, err)
	}
	time.Sleep(initialPeriod)
	for range 6 {
		write(t, p, 1000, func(o *stream.Request, _ int) { o.AddMessage(stream.KindEvent, &ours, 1, track("Many", "x"), nil) })
	}
	var shown, accounted int
	for accounted < 6000 {
		s, err = f.Next(t.Context())
		require.NoError(t, err)
		if s.Initial { // what came before it was settled
			accounted += s.Read + int(s.Skipped)
			continue
		}
		require.LessOrEqual(t, len(s.Messages), MaxShown)
		require.True(t, s.Sampled() || s.Matched == len(s.Messages))
		shown += len(s.Messages)
		accounted += s.Read + int(s.Skipped)
	}
	require.Positive(t, shown)
	require.Less(t, shown, 200)
}

func TestASampleIsEvenAndHasTheLast(t *testing.T) {
	all := make([]Message, 10)
	for i := range all {
		all[i].At = fmt.Sprint(i)
	}
	require.Len(t, pickEvenly(all, 20), 10)
	picked := pickEvenly(all, 3)
	require.Equal(t, []string{"2", "5", "9"}, []string{picked[0].At, picked[1].At, picked[2].At})
}
