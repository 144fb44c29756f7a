package doctor

import (
	"context"
	"errors"
	"fmt"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// ErrGone says that what was deployed is not there any more.
var ErrGone = errors.New("it is gone")

// QueueRead reads a queue as it is, by its URL. Errors are one sentence; errors.Is finds ErrGone in it.
type QueueRead func(ctx context.Context, url string) (Queue, error)

// Queues checks that what failed waits for nobody, and that what will fail is kept.
func Queues(stack Stack, read QueueRead, grants ...grant.Grant) Check {
	return onStack(QueuesName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if len(d.Queues) == 0 {
			return unread(errors.New("the stack has no queue; see whether it is Nightlatch's"))
		}
		var all []Finding
		for _, q := range d.Queues {
			is, err := read(ctx, q.URL)
			switch {
			case errors.Is(err, ErrGone):
				all = append(all, Finding{Says: fmt.Sprintf("queue %s is gone: events that fail are lost", prose.Safe(q.Name)), Mend: deployAgain})
			case err != nil:
				return unread(err)
			default:
				all = append(all, q.differs(is)...)
			}
		}
		return found(all, "%s as deployed, and no failed event waits", prose.Plural(int64(len(d.Queues)), "queue"))
	})
}

// differs is what of a queue is not as it should be.
func (q Queue) differs(is Queue) (all []Finding) {
	name := "queue " + prose.Safe(q.Name)
	if is.Waiting > 0 && !q.Consumed {
		all = append(all, Finding{Says: fmt.Sprintf("%s holds %s: an alarm was not answered, or an incident not followed up", name, prose.Plural(int64(is.Waiting), "failed event")),
			Mend: "read them, send again what is still of use, and delete them: " + command("aws", "sqs", "receive-message", "--queue-url", q.URL, "--attribute-names", "All", "--message-attribute-names", "All")})
	}
	if !same(q.Redrive, is.Redrive) {
		all = append(all, Finding{Says: fmt.Sprintf("%s: what becomes of messages that fail is %s, and was deployed as %s", name, shown(is.Redrive), shown(q.Redrive)), Mend: deployAgain})
	}
	return all
}
