// Package heartbeat sends the sign of life for somebody outside the account: a GET of a URL that stands in a secret. Whoever is behind it rings
// when the sign stays away, so it is sent only where Nightlatch was found to work. What such a URL may be stands in package outside.
package heartbeat

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/outside"
)

// timeout bounds the GET, and the reading of the secret before it. The GET is made once: the next run makes another.
const timeout = 10 * time.Second

// Heartbeat sends one sign of life. It is safe for use by several goroutines.
type Heartbeat struct{ server *outside.Server }

// New makes a heartbeat to the URL in a secret, by its ARN, in the region that the ARN names. It makes no call.
func New(cfg aws.Config, secret string) (*Heartbeat, error) {
	server, err := outside.New(cfg, secret, outside.Purpose{Doing: "sending the heartbeat", Whose: "the heartbeat's URL", Setting: "heartbeat", Within: timeout})
	if err != nil {
		return nil, err
	}
	return &Heartbeat{server}, nil
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant { return outside.Grants("ReadTheHeartbeatsURL", "Heartbeat") }

// Send sends it once. The error is one sentence without the URL. What the other side says beside its status is of no use.
func (h *Heartbeat) Send(ctx context.Context) error {
	to, err := h.server.Read(ctx)
	if err != nil {
		return err
	}
	answer, err := h.server.Call(ctx, http.MethodGet, to, nil, nil)
	if err == nil && !answer.OK() {
		err = h.server.Refused(answer)
	}
	return err
}
