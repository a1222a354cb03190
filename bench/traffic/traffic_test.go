package traffic

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/pkg/payload"
	"github.com/millrace/millrace/pkg/scalar"
	"github.com/millrace/millrace/pkg/segment"
)

// Every message is valid and has a unique id.
func TestWriter_Messages_AreValid(t *testing.T) {
	const n = 20_000
	for name, change := range map[string]func(*Config){
		"realistic":     func(*Config) {},
		"events only":   func(c *Config) { c.EventsOnly = true },
		"small":         func(c *Config) { c.Bytes = MinStampableBytes },
		"the smallest":  func(c *Config) { c.Bytes = MinBytes },
		"of 64 KiB":     func(c *Config) { c.Bytes = 64 << 10 },
		"only one user": func(c *Config) { c.Users, c.Products = 1, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := Default(3)
			change(&c)
			w, ids, bytes := New(c), map[string]bool{}, 0
			p := payload.New(&segment.Format)
			messages := n / (1 + c.Bytes/1024)
			for i := range messages {
				m, product := w.Append(nil, uint64(i))
				require.NoError(t, p.Parse(m, payload.DefaultLimits), "%s", m)
				require.True(t, p.Accepted == 1 || !c.EventsOnly && p.Ignored == 1, "%s", m)
				var read struct {
					MessageID string
					Timestamp json.RawMessage // text, or a number in the smallest messages
				}
				require.NoError(t, json.Unmarshal(m, &read))
				ids[read.MessageID] = true
				_, ok := scalar.ReadTime([]byte(strings.Trim(string(read.Timestamp), `"`)), read.Timestamp[0] == '"')
				require.True(t, ok, "%s", m)
				require.Less(t, product, c.Products)
				bytes += len(m)
			}
			require.Len(t, ids, messages)
			mean := float64(bytes) / float64(messages)
			switch {
			case c.Bytes > 0:
				require.InDelta(t, c.Bytes, mean, 1)
			default:
				require.InDelta(t, 730, mean, 60)
			}
		})
	}
}

func TestWriter_SameSeedAndNumber_SameMessage(t *testing.T) {
	const n = 500
	c := Default(7)
	want := make([]string, n)
	w := New(c)
	for i := range want {
		m, _ := w.Append(nil, uint64(i))
		want[i] = string(m)
	}
	got := make([]string, n)
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			w := New(c)
			for i := n - 1 - part; i >= 0; i -= 4 {
				m, _ := w.Append(nil, uint64(i))
				got[i] = string(m)
			}
		})
	}
	all.Wait()
	require.Equal(t, want, got)
	c.Seed = 8
	other, _ := New(c).Append(nil, 0)
	require.NotEqual(t, want[0], string(other), "control: another seed")
}

func TestBodies(t *testing.T) {
	for _, messages := range []int{1, 10, 1000} {
		c := Default(1)
		c.EventsOnly = true
		p := payload.New(&segment.Format)
		at := time.Date(2026, 7, 8, 9, 10, 11, 120e6, time.UTC)
		for i, body := range New(c).Bodies(5, messages) {
			body.Stamp(77, uint64(i*messages), at)
			require.NoError(t, p.Parse(body.JSON, payload.DefaultLimits))
			require.Equal(t, messages, p.Accepted)
			for j := range p.Messages {
				var read struct {
					MessageID string
					Timestamp time.Time
				}
				require.NoError(t, json.Unmarshal(p.Messages[j].Raw, &read))
				require.Equal(t, string(appendID(nil, 77, uint64(i*messages+j))), read.MessageID)
				require.Equal(t, at, read.Timestamp)
			}
		}
	}
}

func BenchmarkStamp(b *testing.B) {
	body := New(Default(1)).Body(0, 100, 0)
	b.ReportAllocs()
	for i := range b.N {
		body.Stamp(1, uint64(i), time.Time{})
	}
}
