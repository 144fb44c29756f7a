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
		return asDeployed(ctx, "queue", d.Queues, read, "events that fail are lost", deployAgain, "as deployed, and no failed event waits")
	})
}

func (q Queue) names() (id, name string) { return q.URL, q.Name }

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
