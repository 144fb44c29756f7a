package athena

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"nightlatch/internal/evidence"
)

const (
	// pageRows is the most that one page of results holds:
	// https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
	pageRows = 1000
	// maxPages bounds what Ask reads into memory, and ends a paging that does not end by itself. The questions return a row
	// for an actor or an origin, so 200,000 rows are no answer to any of them.
	maxPages = 200
)

// pages pages through the rows of a query that has succeeded, and gives them to do. An error of do's is returned as it is.
func (t *Trail) pages(ctx context.Context, q *query, do func(evidence.Row) error) error {
	doing := fmt.Sprintf("reading the rows of the %s query %s", q.name, q.id)
	var token *string
	var columns []string
	seen, given := map[string]bool{}, 0
	for n := range maxPages {
		page, err := patiently(ctx, t, func() (*athena.GetQueryResultsOutput, error) {
			return t.client.GetQueryResults(ctx, &athena.GetQueryResultsInput{
				QueryExecutionId: aws.String(q.id), MaxResults: aws.Int32(pageRows), NextToken: token})
		})
		if err != nil {
			return explain(ctx, err, "GetQueryResults", theWorkGroup, doing)
		}
		if page.ResultSet == nil {
			return fmt.Errorf("%s: athena answered without them: ask again", doing)
		}
		data := page.ResultSet.Rows
		if n == 0 { // its first row is the header
			if columns, err = header(page.ResultSet); err != nil {
				return fmt.Errorf("%s: %w", doing, err)
			}
			data = data[1:]
		}
		for _, r := range data {
			given++
			row, err := named(columns, r)
			if err != nil {
				return fmt.Errorf("%s: row %d: %w", doing, given, err)
			}
			if err := do(row); err != nil {
				return err
			}
		}
		token = page.NextToken
		if aws.ToString(token) == "" {
			return nil
		}
		if seen[*token] {
			return fmt.Errorf("%s: athena hands out the same page token again, so the rows have no end: ask again", doing)
		}
		seen[*token] = true
	}
	return fmt.Errorf("%s: there are more than %d pages of rows: narrow the question", doing, maxPages)
}

// header reads the names of the columns, in lower case, and demands that the first row holds them, as it does for a SELECT. Whatever else
// stood there would be a row of the answer that is lost.
func header(set *types.ResultSet) ([]string, error) {
	if set.ResultSetMetadata == nil || len(set.ResultSetMetadata.ColumnInfo) == 0 || len(set.Rows) == 0 {
		return nil, fmt.Errorf("they come without the names of their columns: ask again")
	}
	var names []string
	known := map[string]bool{}
	for i, column := range set.ResultSetMetadata.ColumnInfo {
		name := strings.ToLower(aws.ToString(column.Name))
		if known[name] {
			return nil, fmt.Errorf("column %q comes twice", name)
		}
		if first := set.Rows[0].Data; i >= len(first) || strings.ToLower(aws.ToString(first[i].VarCharValue)) != name {
			return nil, fmt.Errorf("the first row is not the header, column %q is missing in it: ask again", name)
		}
		known[name] = true
		names = append(names, name)
	}
	return names, nil
}

// named gives a row's values the names of their columns. NULL is "", as the questions' columns never are.
func named(columns []string, r types.Row) (evidence.Row, error) {
	if len(r.Data) != len(columns) {
		return nil, fmt.Errorf("it has %d values for %d columns", len(r.Data), len(columns))
	}
	row := make(evidence.Row, len(columns))
	for i, name := range columns {
		row[name] = aws.ToString(r.Data[i].VarCharValue)
	}
	return row, nil
}
