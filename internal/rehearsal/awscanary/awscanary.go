// Package awscanary is the canary in AWS: its key in Secrets Manager, its user in IAM, its object in S3, and the function that reads in its own
// network. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
package awscanary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"nightlatch/internal/awserr"
	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/rehearsal"
)

const (
	timeout = 15 * time.Second
	// taking bounds the reading of a rehearsal, through a function or not.
	taking = 2 * time.Minute
)

// Settings say which canary it is.
type Settings struct {
	// User is its name in IAM, Bucket the one that it reads, Secret the ARN of the secret with its key, Function the one in its own network.
	User, Bucket, Secret, Function string
}

// Canary is the canary of a deployment. It is safe for use by several goroutines.
type Canary struct {
	settings Settings
	cfg      aws.Config
	secrets  *secretsmanager.Client
	users    *iam.Client
	objects  *s3.Client
	lambda   *lambda.Client
	account  containment.Account
}

// New makes a canary of the account in which it is. It makes no call.
func New(cfg aws.Config, account containment.Account, s Settings) *Canary {
	return &Canary{s, cfg, secretsmanager.NewFromConfig(cfg), iam.NewFromConfig(cfg), s3.NewFromConfig(cfg),
		lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} }), account}
}

// Grants are the permissions that the package needs, and what its account does for it: of the canary alone, whose names are placeholders.
func Grants() []grant.Grant {
	return []grant.Grant{
		{Sid: "ReadTheCanarysKey", Actions: []string{"secretsmanager:GetSecretValue"}, On: []string{"${CanarySecret}"}},
		{Sid: "KnowTheCanarysKey", Actions: []string{"iam:GetAccessKeyLastUsed", "iam:ListAccessKeys"}, On: []string{"${CanaryUser}"}},
		{Sid: "RestoreTheCanarysKey", Actions: []string{"iam:UpdateAccessKey"}, On: []string{"${CanaryUser}"}},
		{Sid: "PutTheCanarysObject", Actions: []string{"s3:PutObject"}, On: []string{"${CanaryBucket}/" + rehearsal.Key}},
		{Sid: "ReadFromItsNetwork", Actions: []string{"lambda:InvokeFunction"}, On: []string{"${CanaryFunction}"}},
	}
}

// User is the canary's name in IAM, and Bucket the one that it reads.
func (c *Canary) User() string   { return c.settings.User }
func (c *Canary) Bucket() string { return c.settings.Bucket }

// Key is the canary's key, as its secret has it.
func (c *Canary) Key(ctx context.Context) (Order, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := c.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &c.settings.Secret})
	if err != nil {
		return Order{}, fmt.Errorf("reading the canary's key: %w", awserr.Cause(err))
	}
	o := Order{Bucket: c.settings.Bucket}
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &o); err != nil || o.AccessKeyID == "" || o.SecretAccessKey == "" {
		return Order{}, fmt.Errorf("reading the canary's key: secret %q has no access_key_id and secret_access_key in it; deploy the stack again", c.settings.Secret)
	}
	o.Bucket = c.settings.Bucket // whatever the secret has
	return o, nil
}

// Seen is whether the canary's key is active, and when it was used last.
func (c *Canary) Seen(ctx context.Context, key string) (rehearsal.Seen, error) {
	keys, err := c.account.Keys(ctx, c.settings.User)
	if err != nil {
		return rehearsal.Seen{}, err
	}
	var seen rehearsal.Seen
	for _, k := range keys {
		seen.Active = seen.Active || k.ID == key && k.Status == containment.Active
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := c.users.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &key})
	if err != nil {
		return rehearsal.Seen{}, fmt.Errorf("asking IAM when the canary's key was used last: %w", awserr.Cause(err))
	}
	if out.AccessKeyLastUsed != nil {
		seen.Used = aws.ToTime(out.AccessKeyLastUsed.LastUsedDate)
	}
	return seen, nil
}

// Put puts the canary bucket's one object: zeros, of which nobody has anything.
func (c *Canary) Put(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, taking)
	defer cancel()
	_, err := c.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.settings.Bucket, Key: aws.String(rehearsal.Key), Body: bytes.NewReader(make([]byte, rehearsal.Object))})
	if err != nil {
		return fmt.Errorf("putting the object into the canary's bucket %q: %w", c.settings.Bucket, awserr.Cause(err))
	}
	return nil
}

// Sip reads a little in the canary's own network: a day of its history.
func (c *Canary) Sip(ctx context.Context, o Order) error {
	ctx, cancel := context.WithTimeout(ctx, taking)
	defer cancel()
	o.Bytes = rehearsal.Sip
	order, err := json.Marshal(o)
	if err != nil {
		return err
	}
	out, err := c.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &c.settings.Function, Payload: order})
	switch {
	case err != nil:
		return fmt.Errorf("having the canary read in its own network: %w", awserr.Cause(err))
	case out.FunctionError != nil:
		return fmt.Errorf("having the canary read in its own network: the function failed: %+.300q; see its log", out.Payload)
	}
	return nil
}

// Take takes what a rehearsal takes, from where this runs: a network that is new to the canary.
func (c *Canary) Take(ctx context.Context, o Order) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, taking)
	defer cancel()
	o.Bytes = rehearsal.Taken
	return Take(ctx, c.cfg, o)
}

// Restore turns the canary's key on again, of which its incident has a step, and reads it back. Nothing else's is touched, whatever a record says. A key
// that a human turned off before the responder could is turned on, too: the rehearsal is over.
func (c *Canary) Restore(ctx context.Context, key string, o containment.Outcome) (containment.State, error) {
	if o.Step.Ref != (containment.Ref{Type: containment.KeyStatus, Owner: c.settings.User, Name: key}) {
		return containment.Failed, fmt.Errorf("the step is on %q, which is not the canary's key", o.Target)
	}
	step := o.Step
	step.Before, step.After = containment.Doc{Text: containment.Active}, containment.Doc{Text: containment.Inactive}
	return containment.Undo(ctx, c.account, step)
}
