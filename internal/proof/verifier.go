package proof

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"nightlatch/internal/lazyregexp"
)

const (
	// answerTimeout bounds one call of STS, which answers in tens of milliseconds.
	answerTimeout = 10 * time.Second
	// maxAnswer is the most bytes of an answer that are read.
	maxAnswer = 64 << 10
)

// Verifier asks STS who has signed.
type Verifier struct {
	to     Deployment
	now    func() time.Time
	client *http.Client
	at     *url.URL
}

// New makes the verifier of a deployment's approver. STS is where the function's own configuration has it, AWS's in its region where it
// says nothing: whoever may change that may change the function. It makes no call to AWS.
func New(cfg aws.Config, to Deployment, now func() time.Time) (*Verifier, error) {
	at, err := endpoint(context.Background(), to.Region)
	if err != nil {
		return nil, err
	}
	if base := sts.NewFromConfig(cfg).Options().BaseEndpoint; base != nil {
		if at, err = url.Parse(*base); err != nil || at.Host == "" {
			return nil, errors.New("the endpoint of STS in the AWS configuration is not a URL")
		}
	}
	client := Client(cfg)
	client.Timeout = answerTimeout
	return &Verifier{to, now, client, at}, nil
}

// Client trusts whom the AWS configuration trusts, and follows nobody: what was signed for one host is not for another.
func Client(cfg aws.Config) *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		c.Transport = b.GetTransport()
	}
	return c
}

// Caller is who has signed the request that came on a path. The error is Unproven where that is nobody; after any other, it is not known.
//
// A proof can be sent again while it lives: it is of the same request to the same deployment then, and of no other.
func (v *Verifier) Caller(ctx context.Context, path string, e Envelope) (Identity, error) {
	w := Word{v.to, path, e.Word}
	key, signed, err := e.Proof.read(w, v.now())
	if err != nil {
		return Identity{}, unproven("the proof of who you are is refused: %v", err)
	}
	req, err := w.request(ctx)
	if err != nil {
		return Identity{}, err
	}
	req.Host = req.URL.Host // is signed, wherever STS is
	req.URL = v.at.JoinPath("/")
	req.Header.Set("Authorization", e.Proof.Authorization)
	req.Header.Set("X-Amz-Date", e.Proof.Date)
	if e.Proof.Token != "" {
		req.Header.Set("X-Amz-Security-Token", e.Proof.Token)
	}
	const doing = "asking STS who you are, with your proof"
	resp, err := v.client.Do(req)
	if err != nil {
		var failure *url.Error
		if errors.As(err, &failure) {
			err = failure.Err
		}
		return Identity{}, fmt.Errorf("%s: no answer came: %w; nothing was done, try again", doing, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = errors.New("it is too long")
	}
	if err != nil {
		return Identity{}, fmt.Errorf("%s: its answer could not be read: %w; nothing was done, try again", doing, err)
	}
	id, err := identity(resp.StatusCode, answer)
	if errors.As(err, new(Unproven)) {
		return Identity{}, err
	} else if err != nil {
		return Identity{}, fmt.Errorf("%s: %w", doing, err)
	}
	id.AccessKeyID, id.Signed = key, signed
	return id, nil
}

// said is STS's answer, and its refusal.
type said struct {
	XMLName xml.Name
	Result  struct {
		Arn, UserId, Account string
	} `xml:"GetCallerIdentityResult"`
	Error struct{ Code string }
}

var (
	principal = lazyregexp.New(`^arn:aws[a-z-]*:(?:iam|sts)::([0-9]{12}):\S+$`)
	errorCode = lazyregexp.New(`^[A-Za-z0-9.]{1,100}$`)
)

// identity reads what STS says. https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func identity(status int, text []byte) (Identity, error) {
	var s said
	err := xml.Unmarshal(text, &s)
	strange := fmt.Errorf("the answer (HTTP %d) is not STS's; nothing was done, see where the function's configuration has STS", status)
	switch {
	case status >= 500:
		return Identity{}, fmt.Errorf("it failed on its side (HTTP %d); nothing was done, try again", status)
	case err != nil:
		return Identity{}, strange
	case status >= 400 && s.XMLName.Local == "ErrorResponse" && errorCode.MatchString(s.Error.Code):
		if s.Error.Code == "Throttling" || s.Error.Code == "RequestLimitExceeded" {
			return Identity{}, errors.New("it is being throttled; nothing was done, try again in a minute")
		}
		return Identity{}, unproven("STS does not know who you are by the proof that came (%s): it is not the signature of this request to this deployment, or "+
			"its credentials have ended; sign in again, check --table and your machine's clock, and send it again", s.Error.Code)
	case status != http.StatusOK || s.XMLName.Local != "GetCallerIdentityResponse" || s.XMLName.Space != "https://sts.amazonaws.com/doc/2011-06-15/":
		return Identity{}, strange
	}
	id := Identity{ARN: s.Result.Arn, UserID: s.Result.UserId, Account: s.Result.Account}
	if m := principal.FindStringSubmatch(id.ARN); m == nil || m[1] != id.Account || id.UserID == "" {
		return Identity{}, strange
	}
	return id, nil
}
