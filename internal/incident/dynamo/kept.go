package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/incident"
)

// one reads the item that has a key of its own; nil where there is none.
func (s *Store) one(ctx context.Context, key, about string) (item, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: item{"pk": text(key), "sk": text(key)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, failed(call{"dynamodb:GetItem", s.table, about}, err)
	}
	return out.Item, nil
}

// kept reads the text under a key, and its version; "" and 0 before the first keep.
func (s *Store) kept(ctx context.Context, key, about string) (body string, version int64, err error) {
	is, err := s.one(ctx, key, about)
	if err != nil || len(is) == 0 {
		return "", 0, err
	}
	if version = int64Of(is, "version"); version < 0 {
		return "", 0, fmt.Errorf("%s: what is stored has no version", about)
	}
	return textOf(is, "body"), version, nil
}

// keep stores a version of the text under a key where the one before it is stored; otherwise incident.ErrConflict. The first is 1.
func (s *Store) keep(ctx context.Context, key, about string, version int64, body string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := &dynamodb.PutItemInput{TableName: &s.table, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		Item: item{"pk": text(key), "sk": text(key), "version": number(int(version)), "body": text(body)}}
	if version > 1 {
		in.ConditionExpression, in.ExpressionAttributeValues = aws.String("version = :before"), item{":before": number(int(version - 1))}
	}
	_, err := s.client.PutItem(ctx, in)
	var taken *types.ConditionalCheckFailedException
	if errors.As(err, &taken) {
		return fmt.Errorf("%s, version %d: %w", about, version, incident.ErrConflict)
	}
	if err != nil {
		return failed(call{"dynamodb:PutItem", s.table, about}, err)
	}
	return nil
}
