// Package proof proves to the approver whose a request is. A human signs a call of sts:GetCallerIdentity with his own credentials and
// sends the signature with the request. The approver makes the call with it, and STS answers whose it is. It needs no permission of
// anybody's: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
//
// HashiCorp Vault and aws-iam-authenticator prove callers so too, and were deceived by what they took from the caller: the host, the
// headers, the parameters of the call (https://googleprojectzero.blogspot.com/2020/10/enter-the-vault-auth-issues-hashicorp-vault.html).
// Here nothing of the call is taken from him. Both sides build it from what they know themselves, and only the signature crosses.
// One that was made for another host, action, deployment or request is not the signature of this call, and STS says so.
package proof

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"nightlatch/internal/lazyregexp"
)

const (
	// life is how long a proof is good for after it was signed, and ahead how far its signer's clock may be before ours.
	life, ahead = 5 * time.Minute, time.Minute
	// call is the body of the call that is signed.
	call = "Action=GetCallerIdentity&Version=2011-06-15"
	// amzDate is how X-Amz-Date is written.
	amzDate = "20060102T150405Z"
	// deploymentHeader and wordHeader are signed with the call, and bind it to a deployment and to a request. STS ignores what they say.
	deploymentHeader, wordHeader = "X-Nightlatch-Deployment", "X-Nightlatch-Word"
)

// Deployment is the one that a request is for. Its table is what tells it from any other: the two sides do not know it from each other,
// and all that an approver can be asked is about what is in it.
type Deployment struct{ Account, Region, Table string }

// Word is a request to a deployment's approver.
type Word struct {
	To Deployment
	// Path is that of its URL, such as "/approve".
	Path string
	// Text is the request itself, byte for byte.
	Text []byte
}

// Proof is the signature of a request.
type Proof struct {
	// Authorization, Date and Token are the headers of the signed call, the last without its name where the credentials have no token.
	Authorization string `json:"authorization"`
	Date          string `json:"date"`
	Token         string `json:"token,omitempty"`
}

// Envelope is what is posted to the approver.
type Envelope struct {
	// Word is the text that was signed.
	Word  json.RawMessage `json:"word"`
	Proof Proof           `json:"proof"`
}

// Identity is who has signed, as STS says, with what and when.
type Identity struct {
	// ARN is of a user, the root user, or a session; UserID is aws:userid; Account is that of the credentials.
	ARN, UserID, Account string
	// AccessKeyID is what he has signed with: STS finds the secret key by it.
	AccessKeyID string
	// Signed is when he did, by his own clock.
	Signed time.Time
}

// Unproven is a proof that proves nothing, in a sentence for who has sent it.
type Unproven struct{ Why string }

// Error implements error.
func (u Unproven) Error() string { return u.Why }

func unproven(format string, args ...any) error { return Unproven{fmt.Sprintf(format, args...)} }

// Sign makes the proof of a request.
func Sign(ctx context.Context, c aws.Credentials, w Word, at time.Time) (Proof, error) {
	req, err := w.request(ctx)
	if err != nil {
		return Proof{}, err
	}
	if err := v4.NewSigner().SignHTTP(ctx, c, req, sum([]byte(call)), "sts", w.To.Region, at); err != nil {
		return Proof{}, fmt.Errorf("signing the request to the approver: %w", err)
	}
	return Proof{req.Header.Get("Authorization"), req.Header.Get("X-Amz-Date"), req.Header.Get("X-Amz-Security-Token")}, nil
}

// request is the call, without its signature.
func (w Word) request(ctx context.Context) (*http.Request, error) {
	u, err := endpoint(ctx, w.To.Region)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(call))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set(deploymentHeader, w.To.Account+"/"+w.To.Region+"/"+w.To.Table)
	req.Header.Set(wordHeader, w.Path+" "+sum(w.Text))
	return req, nil
}

// endpoint is AWS's own STS in a region, whatever the configuration says: it is part of what is signed.
func endpoint(ctx context.Context, region string) (*url.URL, error) {
	e, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sts.EndpointParameters{Region: &region})
	if err != nil {
		return nil, fmt.Errorf("region %q has no STS: %w", region, err)
	}
	if e.URI.Path == "" {
		e.URI.Path = "/"
	}
	return &e.URI, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// authorization is the header of a signature: the key, the day, the region, and the names of what is signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
var authorization = lazyregexp.New(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]{16,128})/([0-9]{8})/([a-z0-9-]+)/sts/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`)

// token is what a session token is written in. AWS promises no length: https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html
var token = lazyregexp.New(`^[A-Za-z0-9+/=_.-]*$`)

// read is what a proof says by itself: the key and the time; and whether it can be one of w. That both are true, only STS can say.
func (p Proof) read(w Word, now time.Time) (key string, signed time.Time, err error) {
	m := authorization.FindStringSubmatch(p.Authorization)
	if m == nil || !token.MatchString(p.Token) {
		return "", signed, errors.New("what came is not a signature of sts:GetCallerIdentity")
	}
	must := "content-length;content-type;host;x-amz-date;x-amz-security-token;x-nightlatch-deployment;x-nightlatch-word"
	if p.Token == "" {
		must = strings.Replace(must, "x-amz-security-token;", "", 1)
	}
	signed, err = time.Parse(amzDate, p.Date)
	switch {
	case err != nil || len(p.Date) != len(amzDate) || p.Date[:8] != m[2]:
		return "", signed, errors.New("it does not say when it was signed")
	case m[3] != w.To.Region:
		return "", signed, fmt.Errorf("it is for region %s, and this is %s", m[3], w.To.Region)
	case m[4] != must:
		return "", signed, errors.New("what it signs is not what this approver asks for; is the command of another version?")
	case now.Sub(signed) > life:
		return "", signed, fmt.Errorf("it was signed at %s, and it is %s: a proof is good for %d minutes; check that machine's clock, and send it again",
			signed.Format(time.DateTime), now.UTC().Format(time.DateTime), int(life.Minutes()))
	case signed.Sub(now) > ahead:
		return "", signed, fmt.Errorf("it was signed at %s, and it is only %s: check that machine's clock, and send it again",
			signed.Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return m[1], signed, nil
}
