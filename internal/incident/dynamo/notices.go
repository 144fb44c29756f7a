package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
)

// noticesKey is the key of what is to be told of tampering: one item, so that two who tell meet in it.
const noticesKey = "notices"

// NoticeGrants are the permissions of who tells of tampering: its own item, its turns, and to read the open incidents.
func NoticeGrants() []grant.Grant {
	key := map[string]map[string]string{"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": noticesKey}}
	return append(TurnGrants(),
		grant.Grant{Sid: "KeepNotices", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"}, When: key},
		grant.Grant{Sid: "ReadIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}"}},
		grant.Grant{Sid: "ListIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}/index/" + Index}})
}

// Notices returns what is stored of what is to be told, and its version; 0 and nothing where nothing is.
func (s *Store) Notices(ctx context.Context) (version int64, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	const about = "what is to be told"
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: item{"pk": text(noticesKey), "sk": text(noticesKey)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return 0, nil, failed(call{"dynamodb:GetItem", s.table, about}, err)
	}
	if len(out.Item) == 0 {
		return 0, nil, nil
	}
	n, _ := out.Item["version"].(*types.AttributeValueMemberN)
	if n == nil {
		return 0, nil, fmt.Errorf("%s: what is stored has no version", about)
	}
	if version, err = strconv.ParseInt(n.Value, 10, 64); err != nil {
		return 0, nil, fmt.Errorf("%s: what is stored has the version %q", about, n.Value)
	}
	return version, []byte(textOf(out.Item, "body")), nil
}

// SetNotices stores a version of what is to be told where the one before it is stored; otherwise incident.ErrConflict.
func (s *Store) SetNotices(ctx context.Context, version int64, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	condition := "attribute_not_exists(pk)"
	in := &dynamodb.PutItemInput{TableName: &s.table, ConditionExpression: &condition,
		Item: item{"pk": text(noticesKey), "sk": text(noticesKey), "version": number(int(version)), "body": text(string(body))}}
	if version > 1 {
		condition, in.ExpressionAttributeValues = "version = :before", item{":before": number(int(version - 1))}
	}
	_, err := s.client.PutItem(ctx, in)
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return fmt.Errorf("what is to be told, version %d: %w", version, incident.ErrConflict)
	}
	if err != nil {
		return failed(call{"dynamodb:PutItem", s.table, "what is to be told"}, err)
	}
	return nil
}
