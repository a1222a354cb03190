package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/pkg/connection"
	"github.com/millrace/millrace/pkg/console/query"
	"github.com/millrace/millrace/pkg/console/tail"
)

// messageFeed is the stream of one connection's messages to one browser.
type messageFeed struct {
	console        *Console
	stream         *eventStream
	connection     string
	previousTotals *connection.Counts // of the edges' counters at the last look
	cells          map[string]string  // cells above the messages, as last sent

	product   string
	filter    tail.Filter
	sampledAt time.Time           // last time records were skipped
	searched  bool                // ClickHouse was searched for the filter
	matched   int                 // matching messages since the last query of ClickHouse
	seen      map[string]struct{} // coordinates of sent messages

	pending         []feedRow // events whose stage may still change, oldest first
	queriedAt       time.Time
	summary         string
	rate            float64 // in the summary
	completeSamples int     // number of samples since the last incomplete one
}

// feedRow is a message on the page.
type feedRow struct {
	tail.Message
	Element string
	Stage   stage
	since   time.Time
}

// stage is the progress of a message: stored, attributed, and to which entities.
type stage struct {
	Stored, Attributed               bool
	User, Organization, Conversation entity
}

// entity is a user, organization or conversation; empty if unknown.
type entity struct{ ID, Name string }

const (
	// maxPending and pendingTimeout limit the messages whose stage is queried.
	maxPending     = 100
	pendingTimeout = 30 * time.Second
	// rateFactor is the change of the rate that updates the summary. Screen readers read every update aloud.
	rateFactor = 1.5
	// maxSeen limits the remembered coordinates.
	maxSeen = 1000
	// storedLookback is the period searched in ClickHouse for skipped messages. It exceeds a loader's usual delay.
	storedLookback = 10 * time.Second
	// filterLookback is the period searched in ClickHouse when a filter is set.
	filterLookback = 24 * time.Hour
	// completeAfter is the number of complete samples before the summary says so.
	completeAfter = 6
	// feedQueryTimeout limits a query of the feed, which delays messages.
	feedQueryTimeout = 3 * time.Second
	// maxInsertID limits the length of insert ids in a query.
	maxInsertID = 4 << 10
	// feedQueryInterval is the interval of queries for stages.
	feedQueryInterval = time.Second
)

func (s *messageFeed) update(ctx context.Context, sample *tail.Sample, failed error) error {
	if s.matched += sample.Matched; sample.Skipped > 0 {
		s.sampledAt = time.Now()
	}
	if err := s.sendMessages(sample.Messages); err != nil {
		return err
	}
	if err := s.sendSummary(sample, failed); err != nil {
		return err
	}
	if time.Since(s.queriedAt) < feedQueryInterval {
		return nil
	}
	s.queriedAt = time.Now()
	if err := s.sendCounters(ctx); err != nil {
		return err
	}
	if err := s.sendStored(ctx); err != nil {
		return err
	}
	if len(s.pending) == 0 {
		return nil
	}
	return s.sendStages(ctx)
}

// sendCounters sends changed cells above the messages, and counts of dropped messages. It shares the stream because a
// browser opens only six connections to a host.
func (s *messageFeed) sendCounters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, feedQueryTimeout)
	defer cancel()
	found, err := s.console.find(ctx, s.connection)
	if err != nil {
		return nil //nolint:nilerr // the next interval tries again
	}
	cells := map[string]string{}
	if err := s.console.renderCells(&found, cells); err != nil {
		return err
	}
	changed := changedCells(s.cells, cells)
	if s.cells = cells; changed != "" {
		if err := s.stream.send("cells", changed); err != nil {
			return err
		}
	}
	return s.sendDropped(&found)
}

// sendStored sends events from ClickHouse: once for a filter, and after the end of the log could only be sampled. For a
// quiet product in a busy partition, or with a filter, the sample may contain none.
func (s *messageFeed) sendStored(ctx context.Context) error {
	filtered := s.filter != tail.Filter{}
	enough := s.matched > 0 && !filtered
	lookback, limit := storedLookback, tail.MaxShown
	if filtered && !s.searched {
		lookback, limit = filterLookback, tail.MaxShownInitially
	} else if enough || time.Since(s.sampledAt) > storedLookback {
		s.matched = 0
		return nil
	}
	s.matched = 0
	ctx, cancel := context.WithTimeout(ctx, feedQueryTimeout)
	defer cancel()
	rows, err := s.console.deps.Query.Latest(ctx, query.LatestFilter{
		Product: s.product, Connection: s.connection, Since: time.Now().Add(-lookback),
		EventType: s.filter.EventType, Influence: s.filter.Influence, User: s.filter.User,
	}, limit)
	if err != nil {
		return nil //nolint:nilerr // the next interval tries again
	}
	s.searched = true
	var messages []tail.Message
	for _, r := range slices.Backward(rows) {
		messages = append(messages, tail.Message{
			At: r.Topic + "/" + strconv.Itoa(
				int(r.Partition),
			) + "/" + strconv.FormatInt(
				r.Offset,
				10,
			),
			ReceivedAt:           r.ReceivedAt,
			Product:              r.Product,
			EventType:            r.EventType,
			Influence:            r.Influence,
			InsertID:             r.InsertID,
			KeyAt:                r.KeyAt,
			Value:                r.Value,
			Currency:             r.Currency,
			ExternalUser:         r.ExternalUserID,
			Email:                r.Email,
			ExternalOrganization: r.ExternalOrganizationID,
			ExternalConversation: r.ExternalConversationID,
		})
	}
	return s.sendMessages(messages)
}

// sendMessages sends messages that the browser does not have yet, newest first.
func (s *messageFeed) sendMessages(messages []tail.Message) error {
	var b strings.Builder
	for _, m := range slices.Backward(messages) {
		if _, before := s.seen[m.At]; before {
			continue
		}
		if len(s.seen) >= maxSeen {
			clear(s.seen)
		}
		s.seen[m.At] = struct{}{}
		row := feedRow{Message: m, Element: elementOf(m.At), since: time.Now()}
		html, err := s.console.fragment("connection", "feed-message", row)
		if err != nil {
			return err
		}
		b.WriteString(html)
		if m.IsEvent() && len(m.InsertID) <= maxInsertID {
			s.pending = append(s.pending, row)
		}
	}
	s.pending = s.pending[max(0, len(s.pending)-maxPending):]
	if b.Len() == 0 {
		return nil
	}
	return s.stream.send("messages", b.String())
}

// elementOf returns the element id for coordinates. It is the same after a reconnect.
func elementOf(at string) string { return "m-" + notInIDs.Replace(at) }

var notInIDs = strings.NewReplacer("/", "-", ".", "-")

// sendSummary sends the sentence above the messages when it changes.
func (s *messageFeed) sendSummary(sample *tail.Sample, failed error) error {
	s.completeSamples++
	if failed != nil || sample.Sampled() {
		s.updateRate(sample)
		s.completeSamples = 0
	} else if s.summary != "" && s.completeSamples < completeAfter {
		return nil
	}
	text := s.summaryText(failed)
	if text == s.summary {
		return nil
	}
	s.summary = text
	return s.stream.send("summary", text)
}

func (s *messageFeed) updateRate(sample *tail.Sample) {
	if sample.Duration <= 0 {
		return
	}
	rate := float64(int64(sample.Read)+sample.Skipped) / sample.Duration.Seconds()
	if s.completeSamples > 1 || s.rate < rate/rateFactor || s.rate > rate*rateFactor {
		s.rate = rate
	}
}

// summaryText describes the list: complete, a sample, or without Kafka.
func (s *messageFeed) summaryText(failed error) string {
	filtered := s.filter != tail.Filter{}
	switch {
	case failed != nil:
		return "Kafka does not answer. Retrying …"
	case s.completeSamples > 0 && filtered:
		return "All new matching messages are shown."
	case s.completeSamples > 0:
		return "All new messages are shown."
	}
	text := "This is a sample: this product's partitions receive about " + roundRate(s.rate) + " messages a second."
	if filtered {
		text += " Matching events are added when they are stored."
	}
	return text
}

// roundRate keeps two significant digits of a rate.
func roundRate(rate float64) string {
	unit := int64(1)
	for rate/float64(unit) >= 100 {
		unit *= 10
	}
	return count(int64(rate/float64(unit)+.5) * unit)
}

// sendStages queries the stages of pending messages, and sends changes.
func (s *messageFeed) sendStages(ctx context.Context) error {
	keys := make([]query.Key, len(s.pending))
	for i := range s.pending {
		keys[i] = keyOf(&s.pending[i].Message)
	}
	ctx, cancel := context.WithTimeout(ctx, feedQueryTimeout)
	defer cancel()
	rows, err := s.console.deps.Query.Stored(ctx, keys)
	if err != nil {
		return nil //nolint:nilerr // the next interval tries again
	}
	var b strings.Builder
	kept := s.pending[:0]
	for i := range s.pending {
		w := s.pending[i]
		now := w.Stage
		if row, stored := rows[keys[i]]; stored {
			now = stageOf(&row)
		}
		if now != w.Stage {
			w.Stage = now
			html, err := s.console.fragment("connection", "feed-stage", w)
			if err != nil {
				return err
			}
			b.WriteString(html)
		}
		if time.Since(w.since) < pendingTimeout && (!now.Attributed || now.Conversation.ID == "") {
			kept = append(kept, w)
		}
	}
	s.pending = kept
	if b.Len() == 0 {
		return nil
	}
	return s.stream.send("cells", b.String())
}

func keyOf(m *tail.Message) query.Key {
	return query.Key{Product: m.Product, KeyAt: m.KeyAt, InsertID: m.InsertID}
}

func stageOf(row *query.StoredEvent) stage {
	return stage{
		Stored:     true,
		Attributed: row.UserID != "" || row.OrganizationID != "" || row.ConversationID != "",
		User:       entity{row.UserID, cmp.Or(row.UserName, row.UserEmail, row.ExternalUserID, row.UserID)},
		Organization: entity{
			row.OrganizationID,
			cmp.Or(row.OrganizationName, row.ExternalOrganizationID, row.OrganizationID),
		},
		Conversation: entity{row.ConversationID, cmp.Or(row.ExternalConversationID, row.ConversationID)},
	}
}
