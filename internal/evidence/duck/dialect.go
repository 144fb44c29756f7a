package duck

// dialect gives DuckDB the functions of Trino (https://trino.io/docs/current/functions.html) that it lacks or spells
// otherwise, as macros (https://duckdb.org/docs/stable/sql/statements/create_macro). Kept short on purpose: a macro is here
// because a question uses it or plausibly will, and each has a test.
//
// A question must avoid what a macro cannot mend. regexp_extract and split_part give ” where Trino gives NULL (wrap them in nullif). A date
// cast to varchar has no milliseconds here. approx_distinct and approx_percentile take neither DISTINCT nor FILTER.
var dialect = []string{
	// DuckDB's own element_at gives a list for a map.
	"create macro element_at(m, k) as m[k]",
	// DuckDB's own cardinality takes maps only.
	"create macro cardinality(x) as case when x is null then null when json_type(to_json(x)) = 'ARRAY' then json_array_length(to_json(x)) else len(json_keys(to_json(x))) end",
	"create macro array_join(x, s) as array_to_string(x, s)",

	"create macro json_format(j) as cast(j as varchar)",
	"create macro json_parse(s) as cast(s as json)",
	// Trino writes a key with any characters as $["key"], DuckDB as $."key".
	`create macro trino_path(p) as system.main.regexp_replace(p, '\["([^"]*)"\]', '."\1"', 'g')`,
	// What is no JSON holds nothing in Trino, and is an error in DuckDB.
	"create macro json_extract(j, p) as case when json_valid(j) then system.main.json_extract(j, trino_path(p)) end",
	"create macro json_extract_scalar(j, p) as case when json_valid(j) and json_type(j, trino_path(p)) not in ('OBJECT', 'ARRAY') then json_extract_string(j, trino_path(p)) end",

	"create macro regexp_like(s, re) as regexp_matches(s, re)",
	// Trino replaces every match, DuckDB the first.
	"create macro regexp_replace(s, re) as system.main.regexp_replace(s, re, '', 'g'), (s, re, new) as system.main.regexp_replace(s, re, new, 'g')",
	"create macro codepoint(c) as unicode(c)",

	"create macro from_unixtime(s) as to_timestamp(s)",
	"create macro from_iso8601_timestamp(s) as cast(s as timestamptz)",
	"create macro date_add(unit, n, t) as t + n * cast('1 ' || unit as interval)",
	// Trino counts whole units, DuckDB's date_diff counts the boundaries between.
	"create macro date_diff(unit, a, b) as date_sub(unit, a, b)",

	"create macro approx_distinct(x) as approx_count_distinct(x)",
	"create macro approx_percentile(x, p) as approx_quantile(x, p)",
	"create macro every(x) as bool_and(x)",
}
