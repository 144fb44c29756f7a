package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
)

// doctor is the key of what the checks remember.
const doctor = "doctor"

// aboutDoctor names it in sentences.
const aboutDoctor = "what the checks remember"

// DoctorGrants are the permissions that Doctor and SetDoctor need: one item, and no incident.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func DoctorGrants() []grant.Grant {
	return []grant.Grant{{Sid: "RememberChecks", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"},
		When: map[string]map[string]string{"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": doctor}}}}
}

// Doctor is what the checks remember, and its version; nothing and 0 before the first SetDoctor.
func (s *Store) Doctor(ctx context.Context) (body string, version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: item{"pk": text(doctor), "sk": text(doctor)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", 0, failed(call{"dynamodb:GetItem", s.table, aboutDoctor}, err)
	}
	if len(out.Item) == 0 {
		return "", 0, nil
	}
	return textOf(out.Item, "body"), int64Of(out.Item, "version"), nil
}

// SetDoctor replaces what the checks remember, of the version that was loaded. The error is incident.ErrConflict where another has replaced it
// since.
func (s *Store) SetDoctor(ctx context.Context, body string, loaded int64) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := &dynamodb.PutItemInput{TableName: &s.table, Item: item{"pk": text(doctor), "sk": text(doctor), "version": number(int(loaded) + 1), "body": text(body)},
		ConditionExpression: aws.String("attribute_not_exists(pk)")}
	if loaded > 0 {
		in.ConditionExpression, in.ExpressionAttributeValues = aws.String("version = :version"), item{":version": number(int(loaded))}
	}
	_, err := s.client.PutItem(ctx, in)
	var taken *types.ConditionalCheckFailedException
	if errors.As(err, &taken) {
		return fmt.Errorf("%s: %w", aboutDoctor, incident.ErrConflict)
	}
	if err != nil {
		return failed(call{"dynamodb:PutItem", s.table, aboutDoctor}, err)
	}
	return nil
}
