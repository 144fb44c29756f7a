package duck

import (
	"testing"

	"nightlatch/internal/evidence"
)

// TestDialect asks, in Trino's words, what https://trino.io/docs/current/functions.html says the answers are.
func TestDialect(t *testing.T) {
	e := open(t, Settings{})
	for expression, want := range map[string]string{
		"element_at(map{'a': 'b'}, 'a')":    "b",
		"element_at(map{'a': 'b'}, 'x')":    "",
		"element_at(['x', 'y'], 2)":         "y",
		"element_at(['x', 'y'], 7)":         "",
		"cardinality(['x', 'y'])":           "2",
		"cardinality(map{'a': 'b'})":        "1",
		"cardinality(cast(NULL AS text[]))": "",
		"array_join(['x', 'y'], ',')":       "x,y",

		"json_format(cast(['a,b', 'c'] AS json))":                  `["a,b","c"]`,
		"json_format(cast(map{'a': 1} AS json))":                   `{"a":1}`,
		`json_extract_scalar('{"a":{"b":1}}', '$.a.b')`:            "1",
		`json_format(json_parse('{"a": 1}'))`:                      `{"a": 1}`,
		"regexp_like('arn:aws:s3:::b', '^arn:aws[a-z-]*:s3:::')":   "true",
		"regexp_replace('aXbX', 'X', '-')":                         "a-b-",
		"regexp_replace('aXbX', 'X')":                              "ab",
		`regexp_extract('192.0.2.9', '^(\d+\.\d+\.\d+)\.\d+$', 1)`: "192.0.2",
		`nullif(regexp_extract('x', '^arn:([a-z]+)', 1), '')`:      "",
		"codepoint('a')":            "97",
		"strpos('abc', 'c')":        "3",
		"split_part('a/b', '/', 2)": "b",
		"concat_ws(',', 'a', NULL)": "a",
		"url_decode('%62a')":        "ba",

		"date_diff('second', cast('1970-01-01 00:00:00' AS timestamp), timestamp '2020-01-01 00:00:00')": "1577836800",
		"cast(from_iso8601_timestamp('2020-01-01T02:00:00+02:00') at time zone 'UTC' AS timestamp)":      "2020-01-01 00:00:00.000",
		"timestamp '2020-01-01 00:00:00' >= '2020-01-01 00:00:00'":                                       "true",
		"from_unixtime(1577836800)": "2020-01-01 00:00:00.000 UTC",
		"from_iso8601_timestamp('2020-01-01T02:00:00+02:00') = timestamp '2020-01-01 00:00:00'":                    "true",
		"date_add('minute', -5, timestamp '2020-01-01 00:00:00')":                                                  "2019-12-31 23:55:00.000",
		"date_diff('day', timestamp '2020-01-01 23:00:00', timestamp '2020-01-02 01:00:00')":                       "0",
		"date_diff('second', timestamp '2020-01-01 23:00:00', timestamp '2020-01-02 01:00:00')":                    "7200",
		"date_trunc('hour', timestamp '2020-01-01 10:11:12')":                                                      "2020-01-01 10:00:00.000",
		"cast(date_trunc('day', timestamp '2020-01-01 10:11:12') AS date)":                                         "2020-01-01",
		"timestamp '2020-01-01 00:00:00' - interval '5' minute":                                                    "2019-12-31 23:55:00.000",
		"try_cast('2356.0' AS double)":                                                                             "2356",
		"try_cast('-' AS double)":                                                                                  "",
		"try(cast('x' AS integer))":                                                                                "",
		"7 / 2":                                                                                                    "3",
		"if(1 > 2, 'a', 'b')":                                                                                      "b",
		"(SELECT approx_distinct(a) FROM (VALUES (1), (2), (2)) t(a))":                                             "2",
		"(SELECT approx_percentile(a, 0.5) FROM (VALUES (1), (2), (3)) t(a))":                                      "2",
		"(SELECT every(a > 0) FROM (VALUES (1), (2)) t(a))":                                                        "true",
		"(SELECT arbitrary(a) FROM (VALUES (1)) t(a))":                                                             "1",
		"(SELECT count_if(a > 1) FROM (VALUES (1), (2), (2)) t(a))":                                                "2",
		"(SELECT max_by(a, b) FROM (VALUES ('x', 1), ('y', 2)) t(a, b))":                                           "y",
		"(SELECT max_by(a, row(b, a)) FROM (VALUES ('y', 2), ('x', 2), ('z', 1)) t(a, b))":                         "y",
		"(SELECT min_by(a, b) FROM (VALUES ('x', 1), ('y', 2)) t(a, b))":                                           "x",
		"(SELECT json_format(cast(array_agg(a ORDER BY a) AS json)) FROM (VALUES ('y'), ('x')) t(a))":              `["x","y"]`,
		"(SELECT count(*) FILTER (WHERE a > 1) FROM (VALUES (1), (2)) t(a))":                                       "1",
		"(SELECT a FROM (VALUES ('x', 1), ('y', 2)) t(a, b) ORDER BY row_number() OVER (ORDER BY b DESC) LIMIT 1)": "y",
	} {
		answer, err := e.Ask(t.Context(), question("SELECT "+expression+" AS v"))
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := answer.Rows[0]["v"]; got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

func TestGroupingSets(t *testing.T) {
	same(t, ask(t, open(t, Settings{}), `WITH calls AS (SELECT * FROM (VALUES ('k1', 'n1', 1), ('k1', 'n2', 2), ('k2', 'n1', 4)) t(k, net, bytes))
		SELECT grouping(k, net) AS level, coalesce(k, '') AS k, coalesce(net, '') AS net, sum(bytes) AS bytes
		FROM calls GROUP BY GROUPING SETS ((), (k), (k, net)) ORDER BY level DESC, k, net`), []evidence.Row{
		{"level": "3", "k": "", "net": "", "bytes": "7"},
		{"level": "1", "k": "k1", "net": "", "bytes": "3"},
		{"level": "1", "k": "k2", "net": "", "bytes": "4"},
		{"level": "0", "k": "k1", "net": "n1", "bytes": "1"},
		{"level": "0", "k": "k1", "net": "n2", "bytes": "2"},
		{"level": "0", "k": "k2", "net": "n1", "bytes": "4"},
	})
}
