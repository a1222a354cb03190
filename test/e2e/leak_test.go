package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/test/env"
)

// A token and a secret go through every path, and are then looked for wherever anything is kept or told:
// logs at debug, metrics, traces, answers, Kafka, Redis, ClickHouse.
func TestTokensAndSecrets_AppearNowhere(t *testing.T) {
	env.KfakeOnly(t)
	broker, db, redisServer := env.Broker(t), env.ClickHouse(t), env.Redis(t)
	clickhouse := []string{"--clickhouse", db.Addr(), "--database", db.Name}
	_, errs, err := run(t, nil, "millrace", append([]string{"migrate"}, clickhouse...)...)
	require.NoError(t, err, errs)
	proxy := env.NewProxy(t, broker.Addr())
	traces := collect(t)
	traced := []string{"--trace-sample", "1", "--trace-endpoint", traces.URL}
	edge := startServer(t, "edge", append([]string{
		"--brokers", proxy.Addr(), "--http", "127.0.0.1:0", "--redis", "redis://" + redisServer.Addr(),
		"--log-level", "debug", "--produce-timeout", "1s", "--read-timeout", "2s",
	}, traced...)...)
	loader := startServer(t, "loader", append(append([]string{"--brokers", broker.Addr(), "--log-level", "debug"}, clickhouse...), traced...)...)
	edge.awaitReady()
	loader.awaitReady()

	secret := "canary-secret-4711"
	made := admin(t, broker.Addr(), "create", "--product", "p", "--secret", secret, "--public-url", edge.http)
	canaries := []string{made.Token, tokenSecret(made.Token), secret}
	var told strings.Builder
	send := func(want int, url, body string, headers ...string) {
		t.Helper()
		status, answer := post(t, url, body, headers...)
		require.Equal(t, want, status, answer)
		told.WriteString(answer)
	}
	with := []string{"x-greenflash-secret", secret}
	send(200, made.URL, sample, with...)
	send(200, made.URL, `[`+sample+`,5,{"type":"track"}]`, with...)
	send(400, made.URL, `{"half`, with...)
	send(401, made.URL, sample)
	send(401, made.URL, sample, "x-greenflash-secret", secret+"!")
	send(401, made.URL+"x", sample, with...)
	send(404, made.URL+"/", sample, with...)
	send(404, strings.Replace(made.URL, "segment", "posthog", 1), sample, with...)
	send(404, edge.http+"/"+made.Token, sample, with...)
	bearer := append(with, "Authorization", "Bearer "+made.Token)
	send(200, eventsURL(made.URL), `[{"eventType":"E","insertId":"i"},5]`, bearer...)
	send(400, eventsURL(made.URL), `{"half`, bearer...)
	send(401, eventsURL(made.URL), `{"eventType":"E"}`, "Authorization", "Bearer "+made.Token)
	send(401, eventsURL(made.URL), `{"eventType":"E"}`, append(with, "Authorization", "Basic "+made.Token)...)
	send(404, eventsURL(made.URL)+"/"+made.Token, `{"eventType":"E"}`, with...)
	send(413, made.URL, strings.Repeat(" ", 9<<20), with...)
	send(415, made.URL, sample, append(with, "Content-Encoding", "lzma")...)
	send(431, made.URL, sample, append(with, "X-Long", strings.Repeat("x", 32<<10))...)
	for _, garbage := range []string{"POST /v1/segment/" + made.Token + " HTTP/9.9\r\nno colon here " + secret + "\r\n\r\n", "GARBAGE " + made.Token + "\r\n\r\n"} {
		told.WriteString(rawly(t, edge.http, garbage))
	}
	proxy.Cut()
	require.Eventually(t, func() bool {
		status, answer := post(t, made.URL, sample, with...)
		told.WriteString(answer)
		return status == 500
	}, patience, poll, "the edge is without its broker")
	proxy.Heal()
	edge.awaitReady()
	rotated := admin(t, broker.Addr(), "rotate", made.ConnectionID, "--public-url", edge.http)
	canaries = append(canaries, rotated.Token, tokenSecret(rotated.Token))
	send(401, made.URL, sample, with...)
	send(200, rotated.URL, sample, with...)
	require.Eventually(t, func() bool { return db.Exec(t, "SELECT count() FROM dead_letters FORMAT TSV") == "3" }, patience, poll)

	metrics := get(t, edge.admin+"/metrics") + get(t, loader.admin+"/metrics") + get(t, edge.admin+"/readyz")
	require.NoError(t, edge.stop())
	require.NoError(t, loader.stop())
	places := map[string]string{
		"the edge's log": edge.output.String(), "the loader's log": loader.output.String(), "metrics": metrics, "answers": told.String(), "traces": traces.everything(),
		"Kafka": everythingInKafka(t, broker.Addr()), "Redis": everythingInRedis(t, redisServer.Addr()),
		"ClickHouse": db.Exec(t, "SELECT * FROM events FORMAT TSV") + db.Exec(t, "SELECT * FROM dead_letters FORMAT TSV"),
	}
	for place, content := range places {
		require.NotEmpty(t, content, "the control: there is something in %s", place)
		for _, canary := range canaries {
			require.NotContains(t, content, canary, place)
		}
	}
	require.Contains(t, places["Kafka"], "Order Completed", "the control: what was sent is found")
	require.Contains(t, places["the edge's log"], "level=DEBUG", "the control")
}

// tokenSecret is the part of a token that is secret.
func tokenSecret(token string) string { return strings.Split(token, "_")[2] }

func get(t testing.TB, url string) string {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(b)
}

func everythingInKafka(t testing.TB, addr string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	defer client.Close()
	topics := []string{"millrace.ingest", "millrace.connections", "millrace.dead-letters"}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	require.NoError(t, err)
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	client.AddConsumeTopics(topics...)
	var all strings.Builder
	for left > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Fprintf(&all, "%s %s %s\n", r.Key, r.Value, r.Headers)
			left--
		})
	}
	return all.String()
}

func everythingInRedis(t testing.TB, addr string) string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	keys, err := client.Keys(context.Background(), "*").Result()
	require.NoError(t, err)
	var all strings.Builder
	for _, key := range keys {
		value, err := client.Get(context.Background(), key).Result()
		require.NoError(t, err)
		all.WriteString(key + "=" + value + "\n")
	}
	return all.String()
}
