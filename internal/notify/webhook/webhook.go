// Package webhook sends each message as JSON (nightlatch.message/1, see report.Event) to one URL, signed as Standard Webhooks has it, so that a
// receiver checks it by a library: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
//
// URL and key stand in one secret. What such a URL may be stands in package outside.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/outside"
	"nightlatch/internal/report"
)

// timeout bounds the reading of the secret and the call, each: other channels wait for their turn. What fails is tried again by whoever sends.
const timeout = 4 * time.Second

// The signing key is of so many bytes, as Standard Webhooks demands it.
const minKey, maxKey = 24, 64

// keyPrefix is how a signing key begins, which is base64 behind it.
const keyPrefix = "whsec_"

// Webhook is one URL. It is safe for use by several goroutines.
type Webhook struct {
	server *outside.Server
	now    func() time.Time
}

var _ notify.Channel = (*Webhook)(nil)

// New makes a channel to the webhook in a secret, by its ARN. It makes no call.
func New(cfg aws.Config, secret string) (*Webhook, error) {
	server, err := outside.New(cfg, secret, outside.Purpose{Doing: "sending to the webhook", Whose: "the webhook's URL and key", Setting: "webhook", Within: timeout})
	if err != nil {
		return nil, err
	}
	return &Webhook{server, time.Now}, nil
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant { return outside.Grants("ReadTheWebhook", "Webhook") }

// Name says which webhook this is.
func (w *Webhook) Name() string { return incident.WebhookChannel + w.server.Secret() }

// Send posts one message once. An answer of 2xx has taken it.
func (w *Webhook) Send(ctx context.Context, m report.Message) error {
	text, err := w.server.Read(ctx)
	if err != nil {
		return err
	}
	to, key, err := w.read(text)
	if err != nil {
		return err
	}
	now := w.now()
	body, err := report.Event(m, now)
	if err != nil {
		return err
	}
	id, at := m.Name(now), strconv.FormatInt(now.Unix(), 10)
	answer, err := w.server.Call(ctx, http.MethodPost, to, http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {"v1," + sign(key, id, at, body)},
	}, body)
	if err == nil && !answer.OK() {
		err = w.server.Refused(answer)
	}
	return err
}

// sign is the signature of a message.
func sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// read reads the secret: {"url": "https://...", "key": "whsec_..."}. No part of it stands in an error.
func (w *Webhook) read(text string) (to string, key []byte, err error) {
	var secret struct{ URL, Key string }
	if err := json.Unmarshal([]byte(text), &secret); err != nil || secret.URL == "" {
		return "", nil, w.server.Unfit(`is not where it is looked for; the secret's text has to be {"url": "https://...", "key": "whsec_..."}`)
	}
	encoded, ok := strings.CutPrefix(secret.Key, keyPrefix)
	key, err = base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
		return "", nil, w.server.Unfit(fmt.Sprintf(`has no signing key beside it; "key" has to be %s and %d to %d random bytes in base64`, keyPrefix, minKey, maxKey))
	}
	return secret.URL, key, nil
}
