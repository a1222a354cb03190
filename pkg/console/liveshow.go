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

// liveShow is what one browser sees of a watch.
type liveShow struct {
	console    *Console
	stream     *eventStream
	connection string
	counted    *connection.Counts // what edges had counted when it was last looked
	cells      map[string]string  // what stands above the messages

	product   string
	filter    tail.Filter
	sampledAt time.Time           // when more came last than could be read
	wanted    int                 // messages of it among those that were read since ClickHouse was asked
	seen      map[string]struct{} // coordinates of what is shown

	waiting []shown // events that are not all they can be yet, the oldest first
	asked   time.Time
	summary string
	rate    float64 // that the summary names
	calm    int     // samples since the last of which more came than is shown
}

// shown is a message on a page.
type shown struct {
	tail.Message
	Element string
	Stage   stage
	since   time.Time
}

// stage is how far a message has come.
type stage struct {
	Stored, Attributed               bool
	User, Organization, Conversation subject
}

// subject is somebody or something that an event is about; empty if that is not known.
type subject struct{ ID, Name string }

const (
	// watchedMost and watchedFor bound which messages' way is followed.
	watchedMost = 100
	watchedFor  = 30 * time.Second
	// rateFactor is how far the rate has to be from the one that is said before another is said: it is read out to who listens.
	rateFactor = 1.5
	// seenMost bounds what is remembered of what was shown.
	seenMost = 1000
	// storedBack is how far back it is looked for what could not be read: longer than a loader takes.
	storedBack = 10 * time.Second
	// calmAfter is how many samples have to show everything before that is said.
	calmAfter = 6
	// liveAsked bounds a question beside the messages, which wait for its answer.
	liveAsked = 3 * time.Second
	// maxInsertID bounds the insert ids that are looked for in ClickHouse: a question has all of them in it.
	maxInsertID = 4 << 10
	// askEvery is how often ClickHouse is asked how far they have come.
	askEvery = time.Second
)

func (s *liveShow) sample(ctx context.Context, sample *tail.Sample, failed error) error {
	if s.wanted += sample.Wanted; sample.Left > 0 {
		s.sampledAt = time.Now()
	}
	if err := s.show(sample.Messages); err != nil {
		return err
	}
	if err := s.say(sample, failed); err != nil {
		return err
	}
	if time.Since(s.asked) < askEvery {
		return nil
	}
	s.asked = time.Now()
	if err := s.facts(ctx); err != nil {
		return err
	}
	if err := s.stored(ctx); err != nil {
		return err
	}
	if len(s.waiting) == 0 {
		return nil
	}
	return s.stages(ctx)
}

// facts sends what has changed above the messages, and says of messages that are stored nowhere that they came. A stream of its own would
// be one more of the six that a browser has of a host at once.
func (s *liveShow) facts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, liveAsked)
	defer cancel()
	found, err := s.console.find(ctx, s.connection)
	if err != nil {
		return nil //nolint:nilerr // it is asked again in a second
	}
	cells := map[string]string{}
	if err := s.console.cellsOf(&found, cells); err != nil {
		return err
	}
	changed := changedCells(s.cells, cells)
	if s.cells = cells; changed != "" {
		if err := s.stream.send("cells", changed); err != nil {
			return err
		}
	}
	return s.dropped(&found)
}

// stored shows what ClickHouse has of the connection where the end of the log could only be sampled: of a quiet product in a busy
// partition that may be everything, and of a filter all that it asks for.
func (s *liveShow) stored(ctx context.Context) error {
	enough := s.wanted > 0 && s.filter == tail.Filter{}
	if s.wanted = 0; enough || time.Since(s.sampledAt) > storedBack {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveAsked)
	defer cancel()
	rows, err := s.console.deps.Insight.Recent(ctx, query.RecentFilter{Product: s.product, Connection: s.connection, Since: time.Now().Add(-storedBack),
		EventType: s.filter.EventType, Influence: s.filter.Influence, User: s.filter.User}, tail.ShownAtOnce)
	if err != nil {
		return nil //nolint:nilerr // it is asked again in a second
	}
	var messages []tail.Message
	for _, r := range slices.Backward(rows) {
		messages = append(messages, tail.Message{At: r.Topic + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10), ReceivedAt: r.ReceivedAt,
			Product: r.Product, EventType: r.EventType, Influence: r.Influence, InsertID: r.InsertID, KeyAt: r.KeyAt, Value: r.Value, Currency: r.Currency,
			ExternalUser: r.ExternalUserID, Email: r.Email, ExternalOrganization: r.ExternalOrganizationID, ExternalConversation: r.ExternalConversationID})
	}
	return s.show(messages)
}

// show sends messages, the newest first: so it stands at the top. Those that have been sent before are not sent again.
func (s *liveShow) show(messages []tail.Message) error {
	var b strings.Builder
	for _, m := range slices.Backward(messages) {
		if _, before := s.seen[m.At]; before {
			continue
		}
		if len(s.seen) >= seenMost {
			clear(s.seen)
		}
		s.seen[m.At] = struct{}{}
		row := shown{Message: m, Element: elementOf(m.At), since: time.Now()}
		html, err := s.console.fragment("connection", "live-message", row)
		if err != nil {
			return err
		}
		b.WriteString(html)
		if m.IsEvent() && len(m.InsertID) <= maxInsertID {
			s.waiting = append(s.waiting, row)
		}
	}
	s.waiting = s.waiting[max(0, len(s.waiting)-watchedMost):]
	if b.Len() == 0 {
		return nil
	}
	return s.stream.send("messages", b.String())
}

// elementOf is an element's id for coordinates: the same after a stream was lost.
func elementOf(at string) string { return "m-" + notInIDs.Replace(at) }

var notInIDs = strings.NewReplacer("/", "-", ".", "-")

// say tells whether all is shown, when that changes.
func (s *liveShow) say(sample *tail.Sample, failed error) error {
	text := "Everything that comes in is shown."
	switch {
	case failed != nil:
		s.calm, text = 0, "Kafka cannot be read at the moment. Trying again …"
	case sample.Sampled():
		if perSecond := float64(int64(sample.Read)+sample.Left) / sample.Took.Seconds(); s.calm > 0 || s.rate < perSecond/rateFactor || s.rate > perSecond*rateFactor {
			s.rate = perSecond
		}
		s.calm, text = 0, "This is a sample: "+about(s.rate)+" messages a second or so come into the partitions of this product, and a few of them are shown."
	default:
		if s.calm++; s.summary != "" && s.calm < calmAfter {
			return nil
		}
	}
	if text == s.summary {
		return nil
	}
	s.summary = text
	return s.stream.send("summary", text)
}

// about leaves two digits of a number.
func about(rate float64) string {
	unit := int64(1)
	for rate/float64(unit) >= 100 {
		unit *= 10
	}
	return count(int64(rate/float64(unit)+.5) * unit)
}

// stages asks ClickHouse how far the messages have come, and sends what has changed.
func (s *liveShow) stages(ctx context.Context) error {
	keys := make([]query.Key, len(s.waiting))
	for i := range s.waiting {
		keys[i] = keyOf(&s.waiting[i].Message)
	}
	ctx, cancel := context.WithTimeout(ctx, liveAsked)
	defer cancel()
	rows, err := s.console.deps.Insight.Stored(ctx, keys)
	if err != nil {
		return nil //nolint:nilerr // it is asked again in a second, and until then nothing is known to be stored
	}
	var b strings.Builder
	kept := s.waiting[:0]
	for i := range s.waiting {
		w := s.waiting[i]
		now := w.Stage
		if row, stored := rows[keys[i]]; stored {
			now = stageOf(&row)
		}
		if now != w.Stage {
			w.Stage = now
			html, err := s.console.fragment("connection", "live-stage", w)
			if err != nil {
				return err
			}
			b.WriteString(html)
		}
		if time.Since(w.since) < watchedFor && (!now.Attributed || now.Conversation.ID == "") {
			kept = append(kept, w)
		}
	}
	s.waiting = kept
	if b.Len() == 0 {
		return nil
	}
	return s.stream.send("cells", b.String())
}

func keyOf(m *tail.Message) query.Key {
	return query.Key{Product: m.Product, KeyAt: m.KeyAt, InsertID: m.InsertID}
}

func stageOf(row *query.Stored) stage {
	return stage{Stored: true, Attributed: row.UserID != "" || row.OrganizationID != "" || row.ConversationID != "",
		User:         subject{row.UserID, cmp.Or(row.UserName, row.UserEmail, row.ExternalUserID, row.UserID)},
		Organization: subject{row.OrganizationID, cmp.Or(row.OrganizationName, row.ExternalOrganizationID, row.OrganizationID)},
		Conversation: subject{row.ConversationID, cmp.Or(row.ExternalConversationID, row.ConversationID)}}
}
