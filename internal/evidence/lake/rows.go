package lake

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"nightlatch/internal/evidence"
)

const (
	// pageRows is the most that one page of results holds:
	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetQueryResults.html
	pageRows = 1000
	// maxPages bounds what Ask reads into memory, and ends a paging that does not end by itself. The questions return a row
	// for an actor or an origin, so 200,000 rows are no answer to any of them.
	maxPages = 200
	// allPages is no bound.
	allPages = math.MaxInt
)

// read pages through the rows of a finished query, and gives them to do. An error of do's is returned as it is.
func (t *Trail) read(ctx context.Context, q *query, pages int, do func(evidence.Row) error) error {
	doing := fmt.Sprintf("reading the rows of the %s query %s on %s", q.name, q.id, t.store.arn)
	var token *string
	seen, given := map[string]bool{}, 0
	for range pages {
		page, err := t.page(ctx, q, token)
		if err != nil {
			return explain(ctx, err, "GetQueryResults", doing)
		}
		if page.QueryStatus != types.QueryStatusFinished {
			return fmt.Errorf("%s: the query had finished and is now %q, so its rows are not used: ask again", doing, page.QueryStatus)
		}
		for _, columns := range page.QueryResultRows {
			given++
			row, err := merge(columns)
			if err != nil {
				return fmt.Errorf("%s: row %d: %w", doing, given, err)
			}
			if err := do(row); err != nil {
				return err
			}
		}
		token = page.NextToken
		if aws.ToString(token) == "" {
			return whole(doing, given, page.QueryStatistics)
		}
		if seen[*token] {
			return fmt.Errorf("%s: cloudtrail lake hands out the same page token again, so the rows have no end: ask again", doing)
		}
		seen[*token] = true
	}
	return fmt.Errorf("%s: there are more than %d pages of rows: narrow the question", doing, pages)
}

func (t *Trail) page(ctx context.Context, q *query, token *string) (*cloudtrail.GetQueryResultsOutput, error) {
	page, err := patiently(ctx, t, func() (*cloudtrail.GetQueryResultsOutput, error) {
		return t.client.GetQueryResults(ctx, &cloudtrail.GetQueryResultsInput{
			QueryId:                      aws.String(q.id),
			MaxQueryResults:              aws.Int32(pageRows),
			NextToken:                    token,
			EventDataStoreOwnerAccountId: t.owner,
		})
	})
	if err == nil && page.QueryStatistics != nil {
		// The final figure stands here too; DescribeQuery may have been a little behind.
		q.scanned = max(q.scanned, aws.ToInt64(page.QueryStatistics.BytesScanned))
	}
	return page, err
}

// whole is an error unless the rows are as many as the query has: fewer would be some rows passed off as all.
func whole(doing string, rows int, statistics *types.QueryStatistics) error {
	if statistics != nil && rows < int(aws.ToInt32(statistics.TotalResultsCount)) {
		return fmt.Errorf("%s: %d rows came where the query has %d: ask again", doing, rows, *statistics.TotalResultsCount)
	}
	return nil
}

// merge makes one row of the one-entry maps, a map for each column, in which Lake hands it out. Column names are lower-cased
// because Lake's spelling of an alias is its own affair.
func merge(columns []map[string]string) (evidence.Row, error) {
	row := make(evidence.Row, len(columns))
	for _, column := range columns {
		for name, value := range column {
			name = strings.ToLower(name)
			if _, twice := row[name]; twice {
				return nil, fmt.Errorf("column %q comes twice", name)
			}
			row[name] = value
		}
	}
	return row, nil
}
