package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"nightlatch/internal/incident"
)

// Unclosed implements incident.Store.
func (s *Store) Unclosed(ctx context.Context) ([]incident.Brief, error) {
	return s.list(ctx, 0, open)
}

// Recent implements incident.Store.
func (s *Store) Recent(ctx context.Context, n int) ([]incident.Brief, error) {
	if n <= 0 {
		return nil, nil
	}
	all, err := s.list(ctx, n, open, closed)
	slices.Reverse(all)
	return all[:min(n, len(all))], err
}

// list reads the lists of these states at once and merges them, oldest first: of each list all, or the latest n.
func (s *Store) list(ctx context.Context, n int, states ...string) ([]incident.Brief, error) {
	found := make([][]incident.Brief, shards*len(states))
	errs := make([]error, len(found))
	var all sync.WaitGroup
	for i := range found {
		name := listName(states[i/shards], i%shards)
		all.Go(func() { found[i], errs[i] = s.readList(ctx, name, n) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	briefs := slices.Concat(found...)
	slices.SortFunc(briefs, func(x, y incident.Brief) int {
		return cmp.Or(x.Opened.Compare(y.Opened), strings.Compare(x.ID, y.ID), cmp.Compare(y.Version, x.Version))
	})
	// While an incident goes from one list to the other a reader may find it in both.
	return slices.CompactFunc(briefs, func(x, y incident.Brief) bool { return x.ID == y.ID }), nil
}

func (s *Store) readList(ctx context.Context, name string, n int) ([]incident.Brief, error) {
	in := &dynamodb.QueryInput{
		IndexName: aws.String(Index), KeyConditionExpression: aws.String("#list = :list"),
		ExpressionAttributeNames: map[string]string{"#list": "list"}, ExpressionAttributeValues: item{":list": text(name)},
	}
	if n > 0 {
		in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(int32(min(n, 1000)))
	}
	items, err := s.query(ctx, call{"dynamodb:Query", s.table + "/index/" + Index, "the incidents"}, in, n)
	if err != nil {
		return nil, err
	}
	var briefs []incident.Brief
	for _, i := range items {
		b, err := briefOf(i)
		if err != nil {
			return nil, fmt.Errorf("the list of incidents: %w", err)
		}
		briefs = append(briefs, b)
	}
	return briefs, nil
}

// query reads all pages of an answer, or the first n items of it.
func (s *Store) query(ctx context.Context, c call, in *dynamodb.QueryInput, n int) ([]item, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in.TableName = &s.table
	var all []item
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, failed(c, err)
		}
		all = append(all, out.Items...)
		if n > 0 && len(all) >= n {
			return all[:n], nil
		}
		if len(out.LastEvaluatedKey) == 0 {
			return all, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
