package doctor

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReport_TextAndJSON(t *testing.T) {
	var r Report
	var text, programs bytes.Buffer
	require.NoError(t, r.JSON(&programs))
	require.JSONEq(t, `{"status":"ok","checks":[]}`, programs.String())
	r.OK("one", "is %d", 1)
	r.Warn("three", "do <this>", "is %s", "less")
	require.NoError(t, r.Text(&text))
	require.Equal(t, "ok    one    is 1\nwarn  three  is less: do <this>\n", text.String())
	programs.Reset()
	require.NoError(t, r.JSON(&programs))
	require.JSONEq(t, `{"status":"warn","checks":[{"check":"one","status":"ok","found":"is 1"},{"check":"three","status":"warn","found":"is less","change":"do <this>"}]}`, programs.String())
	require.Contains(t, programs.String(), "<this>", "people read it too")
	r.Fail("four", "", "is not")
	require.NoError(t, r.JSON(&programs))
	require.Contains(t, programs.String(), `"status": "fail"`)
	require.True(t, r.Has("four"))
	require.False(t, r.Has("five"))
}

func TestClocks(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		ahead, took time.Duration
		want        Status
		found       string
	}{
		{0, 10 * time.Millisecond, OK, "5ms behind"},
		{-500 * time.Millisecond, 0, OK, "500ms behind"},
		{2 * time.Second, 0, Warn, "2s ahead"},
		{-2 * time.Minute, 0, Fail, "2m0s behind"},
		{2 * time.Second, 10 * time.Second, OK, "3s behind"}, // it may have answered at any moment of these
	} {
		var r Report
		r.Clock("clock", "Its", now.Add(c.ahead), now, now.Add(c.took))
		require.Equal(t, c.want, r[0].Status)
		require.Contains(t, r[0].Found, c.found)
		require.Equal(t, 1, r.Count(c.want))
	}
}
