package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/incident"
)

// Lease implements incident.Store. Times are compared as text of one width.
func (s *Store) Lease(ctx context.Context, l incident.Lease) error {
	c := call{"dynamodb:PutItem", s.table, fmt.Sprintf("lease %q", l.Name)}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &s.table,
		Item:                                item{"pk": text("lease#" + l.Name), "sk": text("lease"), "holder": text(l.Holder), "until": stamp(l.Until)},
		ConditionExpression:                 aws.String("attribute_not_exists(pk) OR holder = :holder OR #until <= :now"),
		ExpressionAttributeNames:            map[string]string{"#until": "until"},
		ExpressionAttributeValues:           item{":holder": text(l.Holder), ":now": stamp(l.Now)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var taken *types.ConditionalCheckFailedException
	if errors.As(err, &taken) {
		until, err := timeOf(taken.Item, "until")
		if err != nil {
			return fmt.Errorf("lease %q is somebody else's: %w", l.Name, err)
		}
		return incident.Held{Until: until}
	}
	if err != nil {
		return failed(c, err)
	}
	return nil
}

// Brakes implements incident.Store.
func (s *Store) Brakes(ctx context.Context) (incident.Brakes, error) {
	stored, err := s.one(ctx, brakes, "the mode and the holds")
	var b incident.Brakes
	if err != nil || len(stored) == 0 {
		return b, err
	}
	if err := json.Unmarshal([]byte(textOf(stored, "body")), &b); err != nil {
		return incident.Brakes{}, fmt.Errorf("the mode and the holds: what is stored does not decode: %v", err)
	}
	return b, nil
}

// SetBrakes implements incident.Store. It is a transaction of one, for the token that keeps an answer that was lost from being a conflict.
func (s *Store) SetBrakes(ctx context.Context, b incident.Brakes) (incident.Brakes, error) {
	loaded := b.Version
	b.Version++
	body, err := json.Marshal(b)
	if err != nil {
		return incident.Brakes{}, fmt.Errorf("the mode and the holds: %v", err)
	}
	put := &types.Put{
		TableName:                 &s.table,
		Item:                      item{"pk": text(brakes), "sk": text(brakes), "version": number(int(b.Version)), "body": text(string(body))},
		ConditionExpression:       aws.String("version = :version"),
		ExpressionAttributeValues: item{":version": number(int(loaded))},
	}
	if loaded == 0 {
		put.ConditionExpression, put.ExpressionAttributeValues = aws.String("attribute_not_exists(pk)"), nil
	}
	c := call{"dynamodb:PutItem", s.table, "the mode and the holds"}
	for try := range tries {
		err := s.transact(ctx, c, []types.TransactWriteItem{{Put: put}})
		if err == nil {
			b = incident.Brakes{} // nothing of it is the caller's
			return b, json.Unmarshal(body, &b)
		}
		if !errors.Is(err, errCanceled) {
			return incident.Brakes{}, err
		}
		stored, err := s.Brakes(ctx)
		if err != nil {
			return incident.Brakes{}, err
		}
		if stored.Version != loaded {
			return incident.Brakes{}, fmt.Errorf("the mode and the holds: version %d is stored, %d was loaded: %w", stored.Version, loaded, incident.ErrConflict)
		}
		if err := pause(ctx, try); err != nil {
			return incident.Brakes{}, failed(c, err)
		}
	}
	return incident.Brakes{}, crowded("the mode and the holds")
}
