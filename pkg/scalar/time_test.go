package scalar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestReadTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-05-18T12:00:00Z":               "2026-05-18T12:00:00.000Z",
		"2026-05-18t12:00:00.1z":             "2026-05-18T12:00:00.100Z",
		"2026-05-18 12:00:00.12+00:00":       "2026-05-18T12:00:00.120Z",
		"2026-05-18T12:00:00.9999999999999Z": "2026-05-18T12:00:00.999Z",
		"2026-05-18T12:00:00,25Z":            "2026-05-18T12:00:00.250Z",
		"2026-05-18T12:00:00+02:00":          "2026-05-18T10:00:00.000Z",
		"2026-05-18T12:00:00-0230":           "2026-05-18T14:30:00.000Z",
		"2026-05-18T12:00:00+02":             "2026-05-18T10:00:00.000Z",
		"2026-05-18T12:00:00-00:00":          "2026-05-18T12:00:00.000Z",
		"2026-05-18T12:00:00":                "2026-05-18T12:00:00.000Z",
		"2026-05-18T12:00":                   "2026-05-18T12:00:00.000Z",
		"2026-05-18T12:00+01:00":             "2026-05-18T11:00:00.000Z",
		"2026-5-8T7:00:00Z":                  "2026-05-08T07:00:00.000Z",
		"2026-05-18":                         "2026-05-18T00:00:00.000Z",
		" 2026-12-1\n":                       "2026-12-01T00:00:00.000Z",
		"2000-02-29":                         "2000-02-29T00:00:00.000Z",
		"1969-12-31T23:59:59.999Z":           "1969-12-31T23:59:59.999Z",
		"1900-01-01T01:00:00+01:00":          "1900-01-01T00:00:00.000Z",
		"2300-01-01T00:59:59+01:00":          "2299-12-31T23:59:59.000Z",
		"2016-12-31T23:59:60Z":               "2017-01-01T00:00:00.000Z",
		"2016-12-31T23:59:60.5Z":             "2017-01-01T00:00:00.500Z",
		"0":                                  "1970-01-01T00:00:00.000Z",
		"-1":                                 "1969-12-31T23:59:59.000Z",
		"-0.0001":                            "1969-12-31T23:59:59.999Z",
		"1779105600":                         "2026-05-18T12:00:00.000Z",
		"+1779105600":                        "2026-05-18T12:00:00.000Z",
		"1779105600.0019":                    "2026-05-18T12:00:00.001Z",
		"1779105600.12345678901234567890123": "2026-05-18T12:00:00.123Z",
		"1779105600000":                      "2026-05-18T12:00:00.000Z",
		"1.7791056e12":                       "2026-05-18T12:00:00.000Z",
		"-2208988800":                        "1900-01-01T00:00:00.000Z",
		"-2208988800000":                     "1900-01-01T00:00:00.000Z",
		"10413791999.999":                    "2299-12-31T23:59:59.999Z",
		"10413791999999":                     "2299-12-31T23:59:59.999Z",
		"100000000000":                       "1973-03-03T09:46:40.000Z",
		"177910560000":                       "1975-08-22T03:36:00.000Z",
		"1779105600123456":                   "2026-05-18T12:00:00.123Z",
		"1779105600123456.9":                 "2026-05-18T12:00:00.123Z",
		"-177910560000001":                   "1964-05-12T20:23:59.999Z",
		"1779105600123456789":                "2026-05-18T12:00:00.123Z",
		"1.779105600123456789e18":            "2026-05-18T12:00:00.123Z",
		"4102444800000000000":                "2100-01-01T00:00:00.000Z",

		"2026-05-18 12:00:00 UTC":                                          "2026-05-18T12:00:00.000Z",
		"2026-05-18 12:00:00 Z":                                            "2026-05-18T12:00:00.000Z",
		"2026-05-18 14:00:00 +0200":                                        "2026-05-18T12:00:00.000Z",
		"2026-05-18 12:00:00 +0000 UTC":                                    "2026-05-18T12:00:00.000Z",
		"2026-05-18 14:00:00.123456789 +0200 CEST":                         "2026-05-18T12:00:00.123Z",
		"2026-05-18 12:00:00.5 +0000 UTC m=+0.000012345":                   "2026-05-18T12:00:00.500Z",
		"2026-05-18 09:00:00 -0300 -03":                                    "2026-05-18T12:00:00.000Z",
		"2026-05-18 17:45:00 +0545 +0545 m=-1.5":                           "2026-05-18T12:00:00.000Z",
		"Mon May 18 2026 12:00:00 GMT+0000 (Coordinated Universal Time)":   "2026-05-18T12:00:00.000Z",
		"Mon May 18 2026 14:00:00 GMT+0200 (Central European Summer Time)": "2026-05-18T12:00:00.000Z",
		"Mon May 18 2026 14:00:00 GMT+0200 (Mitteleuropäische Sommerzeit)": "2026-05-18T12:00:00.000Z",
		"Mon May 18 2026 05:00:00 GMT-0700 (PDT)":                          "2026-05-18T12:00:00.000Z",
		"Mon May 18 2026 12:00:00 GMT":                                     "2026-05-18T12:00:00.000Z",
		"Mon, 18 May 2026 12:00:00 GMT":                                    "2026-05-18T12:00:00.000Z",
		"Mon, 18 May 2026 12:00:00 UTC":                                    "2026-05-18T12:00:00.000Z",
		"Mon, 18 May 2026 14:00:00 +0200":                                  "2026-05-18T12:00:00.000Z",
		"Mon, 8 Feb 2027 12:00:00 GMT":                                     "2027-02-08T12:00:00.000Z",
	} {
		ms, ok := readTime([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"), text)
	}
}

func TestReadTimeUnreadable(t *testing.T) {
	for _, text := range []string{
		"", " ", "now", "2026-", "2026-05", "2026-05-", "2026-00-10", "2026-13-01", "2026-05-00", "2026-05-32", "2026-04-31",
		"2026-02-29", "1900-02-29", "2026-02-30", "26-05-18", "02026-05-18", "2026/05/18", "2026-05-18T", "2026-05-18T12", "2026-05-18T12:",
		"2026-05-18T12:0", "2026-05-18T24:00:00", "2026-05-18T25:00:00Z", "2026-05-18T12:60:00", "2026-05-18T12:00:61", "2026-05-18T12:00:0",
		"2026-05-18T12:00:00.", "2026-05-18T12:00:00.Z", "2026-05-18T12:00:00+", "2026-05-18T12:00:00+2", "2026-05-18T12:00:00+02:", "2026-05-18T12:00:00+02:0",
		"2026-05-18T12:00:00+24:00", "2026-05-18T12:00:00+02:60", "2026-05-18T12:00:00Z+1", "2026-05-18T12:00:00Zulu", "2026-05-18 12:00:00 CEST", "2026-05-18 12:00:00 UTCx", "2026-05-18 12:00:00  UTC", "2026-05-18 12:00:00 +0000 U", "2026-05-18 12:00:00 +0000 utc", "2026-05-18 12:00:00 +0000 UTC m=", "2026-05-18 12:00:00 UTC UTC UTC",
		"Mon", "May 18 2026", "Mon, ", "Xyz, 18 May 2026 12:00:00 GMT", "Mon, 18 Mai 2026 12:00:00 GMT", "Mon, 31 Feb 2026 12:00:00 GMT", "Mon, 18 May 26 12:00:00 GMT", "Mon, 18 May 2026 12:00:00 CET", "Mon May 18 2026", "Mon May 18 2026 12:00:00 GMT+0000 (", "Mon May 18 2026 12:00:00 GMT+0000 (x", "2026-05-18_12:00:00", "2026-05-18Z",
		"1899-12-31T23:59:59.999Z", "1900-01-01T00:59:59+01:00", "2300-01-01", "2299-12-31T23:59:59-00:01", "9999-12-31", "0000-01-01",
		"-2208988801", "10413792000", "10413792000000", "99999999999", "1e19", "-1e19", "5000000000000000000", "99999999999999", "99999999999999999", "1e400", "-1e400", "1,779,105,600", "$5", "1 779", "0x10", "NaN", "Infinity", "e5", ".", "-",
	} {
		_, ok := readTime([]byte(text))
		require.False(t, ok, text)
	}
}

// TestReadTimeAgreesWithTheStandardLibrary takes any RFC 3339 text.
func TestReadTimeAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(MinTimeMs/1000, MaxTimeMs/1000).Draw(t, "seconds"), 0).UTC()
		text := at.Format("2006-01-02T15:04:05")
		if digits := rapid.StringMatching(`[0-9]{0,9}`).Draw(t, "fraction"); digits != "" {
			text += rapid.SampledFrom([]string{".", ","}).Draw(t, "point") + digits
		}
		if minutes := rapid.IntRange(-1439, 1439).Draw(t, "offset"); minutes == 0 {
			text += "Z"
		} else {
			text += fmt.Sprintf("%c%02d:%02d", "-+"[max(0, min(1, minutes))], max(minutes, -minutes)/60, max(minutes, -minutes)%60)
		}
		want, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		ms, ok := readTime([]byte(text))
		require.Equal(t, MinTimeMs <= want.UnixMilli() && want.UnixMilli() <= MaxTimeMs, ok, text)
		if ok {
			require.Equal(t, want.UnixMilli(), ms, text)
		}
		lenient, lenientOK := readTime([]byte(strings.Replace(strings.ToLower(text), "t", " ", 1)))
		require.Equal(t, ok, lenientOK)
		require.Equal(t, ms, lenient)
	})
}

// TestReadTimeTakesEveryDay walks from the first readable day to the last.
func TestReadTimeTakesEveryDay(t *testing.T) {
	for at := time.UnixMilli(MinTimeMs).UTC(); at.UnixMilli() <= MaxTimeMs; at = at.AddDate(0, 0, 1) {
		ms, ok := readTime([]byte(at.Format("2006-1-2")))
		if !ok || ms != at.UnixMilli() {
			t.Fatal(at)
		}
		after := fmt.Sprintf("%s-%d", at.Format("2006-01"), at.AddDate(0, 1, -at.Day()).Day()+1)
		if _, ok := readTime([]byte(after)); ok {
			t.Fatal(after)
		}
	}
}

// TestReadTime_AgreesWithTheLayoutsOfGo takes the texts that Go writes itself, and JavaScript's.
func TestReadTime_AgreesWithTheLayoutsOfGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone(rapid.SampledFrom([]string{"UTC", "CEST", "PDT", ""}).Draw(t, "zone"), 60*rapid.IntRange(-14*60, 14*60).Draw(t, "minutes"))
		at := time.UnixMilli(rapid.Int64Range(MinTimeMs+dayMs, MaxTimeMs-dayMs).Draw(t, "ms")).In(zone)
		texts := []string{at.String(), at.Format("2006-01-02 15:04:05.999 -0700"), at.UTC().Format("2006-01-02 15:04:05.999 UTC"), at.String() + " m=+0.123456789"}
		for _, layout := range []string{time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 GMT", "Mon Jan 02 2006 15:04:05 GMT-0700 (Some Time)"} {
			local := at.Truncate(time.Second)
			if !strings.Contains(layout, "-0700") {
				local = local.UTC()
			}
			ms, ok := readTime([]byte(local.Format(layout)))
			require.True(t, ok, local.Format(layout))
			require.Equal(t, local.UnixMilli(), ms, layout)
		}
		for _, text := range texts {
			ms, ok := readTime([]byte(text))
			require.True(t, ok, text)
			require.Equal(t, at.UnixMilli(), ms, text)
		}
	})
}
