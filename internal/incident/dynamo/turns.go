package dynamo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/grant"
)

// turnKey begins the partition key of a channel's next turn.
const turnKey = "turn#"

// Turns gives out the moments at which a channel may be sent to, an interval apart, to all functions of a deployment.
type Turns struct {
	store    *Store
	interval time.Duration
	mu       sync.Mutex // one of a process asks at a time, or its own calls would meet each other
}

// Turns makes turns that are an interval apart, kept in the store's table.
func (s *Store) Turns(interval time.Duration) *Turns { return &Turns{store: s, interval: interval} }

// turnTries is how often somebody else may be faster before it is given up. Functions that notify at the same moment are few.
const turnTries = 30

// TurnGrants are the permissions of who takes turns and reads no incident.
func TurnGrants() []grant.Grant {
	return []grant.Grant{{Sid: "TakeTurns", Actions: []string{"dynamodb:PutItem"}, On: []string{"${Table}"},
		When: map[string]map[string]string{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": turnKey + "*"}}}}
}

// Turn takes the next moment, at now or later, that is an interval after every other that was taken for the channel. Where nobody waits, it is
// one call.
func (t *Turns) Turn(ctx context.Context, channel string, now time.Time) (time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	about := fmt.Sprintf("the turn to notify %.300q", channel)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at, condition, values := now, "attribute_not_exists(pk) OR #next <= :now", item{":now": stamp(now)}
	for try := range turnTries {
		_, err := t.store.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:           &t.store.table,
			Item:                item{"pk": text(turnKey + channel), "sk": text("turn"), "next": stamp(at.Add(t.interval))},
			ConditionExpression: &condition, ExpressionAttributeNames: map[string]string{"#next": "next"}, ExpressionAttributeValues: values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		var taken *types.ConditionalCheckFailedException
		switch {
		case err == nil:
			return at, nil
		case !errors.As(err, &taken):
			return time.Time{}, failed(call{"dynamodb:PutItem", t.store.table, about}, err)
		}
		next, err := timeOf(taken.Item, "next")
		if err != nil {
			return time.Time{}, fmt.Errorf("%s: what is stored of it is no time: %w", about, err)
		}
		// The next one is taken on condition that nobody was faster. An answer that was lost leaves a turn that nobody uses.
		condition, values = "#next = :next", item{":next": stamp(next)}
		if at = next; at.Before(now) {
			at = now
		}
		if try > 0 {
			if err := pause(ctx, min(try, 4)); err != nil {
				return time.Time{}, failed(call{"dynamodb:PutItem", t.store.table, about}, err)
			}
		}
	}
	return time.Time{}, crowded(about)
}
