// Package outside calls servers outside the account at URLs that stand in secrets: the heartbeat's, and those of channels.
//
// Such a URL is a credential, and stands in no log and no error. It has to be https, and to lead to a public address; no redirect is followed. The
// address that is dialled is looked at, and not only the name that was given: whoever owns the name decides where it leads.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
)

const (
	// backoff bounds the wait between two attempts at the secret. The call outside is made once: whoever makes it repeats it in his own time.
	backoff = time.Second
	// maxAnswer is the most bytes of an answer that are read.
	maxAnswer = 64 << 10
)

// Server is a server outside. It is safe for use by several goroutines.
type Server struct {
	// Transport carries the calls. New makes one that connects to public addresses alone; a test puts its own in its place.
	Transport http.RoundTripper

	purpose Purpose
	secret  string
	secrets *secretsmanager.Client
}

// Purpose says what a server is called for, in the sentences of its errors, and how long that may take.
type Purpose struct {
	// Doing is "sending the heartbeat", Whose "the heartbeat's URL", Setting the setting that names the secret.
	Doing, Whose, Setting string
	// Within bounds the reading of the secret, and the call with all that belongs to it.
	Within time.Duration
}

// SecretARN is a secret's ARN; its group is the region. https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
var SecretARN = lazyregexp.New(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$`)

// New makes a server whose URL stands in a secret, by its ARN, in the region that the ARN names. It makes no call.
func New(cfg aws.Config, secret string, p Purpose) (*Server, error) {
	m := SecretARN.FindStringSubmatch(secret)
	if m == nil {
		return nil, fmt.Errorf("%q is not the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME", secret)
	}
	if cfg.Credentials == nil {
		return nil, fmt.Errorf("%s needs credentials, and the AWS configuration has none; sign in or set a profile", p.Doing)
	}
	secrets := secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		o.Region, o.Retryer = m[1], awserr.Retries(3, backoff, backoff)
	})
	dialer := &net.Dialer{Timeout: p.Within, Control: control}
	return &Server{&http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true}, p, secret, secrets}, nil
}

// Grants are the permissions to read a secret, which has a placeholder's name.
func Grants(sid, placeholder string) []grant.Grant {
	return []grant.Grant{{Sid: sid, Actions: []string{"secretsmanager:GetSecretValue"}, On: []string{"${" + placeholder + "}"}}}
}

// Secret is the ARN of the secret.
func (s *Server) Secret() string { return s.secret }

// Read reads the secret's text, without blanks around it.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Server) Read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.purpose.Within)
	defer cancel()
	out, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.secret})
	if err != nil {
		return "", s.unread(err)
	}
	return strings.TrimSpace(aws.ToString(out.SecretString)), nil
}

// Answer is what a server says to a call.
type Answer struct {
	Status int
	// RetryAfter is what it says of when to come again, as digits of seconds; "" where it says nothing, or something else.
	RetryAfter string
	// Body is how it begins, and anybody's.
	Body []byte
}

// OK reports whether the status is one of success.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// seconds is a Retry-After in seconds: https://www.rfc-editor.org/rfc/rfc9110.html#section-10.2.3
var seconds = lazyregexp.New(`^[0-9]{1,6}$`)

// Call calls the URL, once, with a body where there is one. The error is one sentence without the URL; it says nothing of an answer but of a
// redirect.
func (s *Server) Call(ctx context.Context, method, to string, header http.Header, body []byte) (Answer, error) {
	switch u, err := url.Parse(to); {
	case err != nil || u.Host == "" || u.User != nil:
		return Answer{}, s.Unfit("is no URL, https://...")
	case u.Scheme != "https":
		return Answer{}, s.Unfit("is not https")
	}
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return Answer{}, s.Unfit("is no URL, https://...")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "nightlatch")
	// It follows no redirect, and no proxy of the environment's.
	client := &http.Client{Timeout: s.purpose.Within, Transport: s.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		var hidden *url.Error
		if errors.As(err, &hidden) {
			err = hidden.Err
		}
		var private notPublic
		if errors.As(err, &private) {
			return Answer{}, s.Unfit(private.Error())
		}
		return Answer{}, fmt.Errorf("%s: no answer came from the URL in secret %q: %s; see whether it is right, and whether the function's network lets it there", s.purpose.Doing, s.secret, reason(err))
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode}
	a.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status says what became of it
	if after := resp.Header.Get("Retry-After"); seconds.MatchString(after) {
		a.RetryAfter = after
	}
	if a.Status >= 300 && a.Status < 400 {
		return a, s.Unfit(fmt.Sprintf("answers with a redirect (HTTP %d), which is not followed", a.Status))
	}
	return a, nil
}

// Refused is the sentence about an answer that is none of success.
func (s *Server) Refused(a Answer) error {
	if a.RetryAfter != "" {
		return fmt.Errorf("%s: the URL in secret %q answers with HTTP %d, and wants to be called again after %s s; see with whoever is behind it", s.purpose.Doing, s.secret, a.Status, a.RetryAfter)
	}
	return fmt.Errorf("%s: the URL in secret %q answers with HTTP %d; see with whoever is behind it", s.purpose.Doing, s.secret, a.Status)
}

// Unfit is the sentence about a URL, or a secret, to which nothing is sent.
func (s *Server) Unfit(why string) error {
	return fmt.Errorf("%s: the URL in secret %q %s; put another into the secret", s.purpose.Doing, s.secret, why)
}

// reason is why a call failed, without the address: a host's name can be a secret too.
func reason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "it did not answer in time"
	case errors.As(err, &dns):
		return "its name does not resolve"
	case errors.As(err, &op):
		return "the connection failed: " + op.Err.Error()
	}
	return fmt.Sprintf("%T", err)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// unread makes the one sentence about a secret that could not be read.
func (s *Server) unread(err error) error {
	doing := fmt.Sprintf("reading %s from secret %q", s.purpose.Whose, s.secret)
	refused, status := awserr.Refusal(err)
	switch {
	case refused == nil:
		return awserr.Silence{Doing: doing, Service: "Secrets Manager", Late: "; try again", Reach: "the function reaches it"}.Sentence(status, err)
	case awserr.Throttled(refused.ErrorCode()):
		return fmt.Errorf("%s: AWS is throttling the account's calls; try again in a minute", doing)
	case refused.ErrorCode() == "ResourceNotFoundException":
		return fmt.Errorf("%s: there is no such secret; make it, or correct the setting %s", doing, s.purpose.Setting)
	case refused.ErrorCode() == "AccessDeniedException":
		return grant.Denied("secretsmanager:GetSecretValue", fmt.Sprintf("secret %q", s.secret), refused.ErrorMessage())
	}
	return fmt.Errorf("%s: AWS refused with %s (%+.200q); see the errors of GetSecretValue in the API reference", doing, refused.ErrorCode(), refused.ErrorMessage())
}

// notPublic is an address to which nothing is sent.
type notPublic struct{ address string }

func (n notPublic) Error() string { return "leads to " + n.address + ", which is no public address" }

// control looks at the address that is about to be dialled.
func control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return notPublic{address}
	}
	return nil
}

// special are networks that are not for the public, beside those that netip itself knows: shared address space, protocol assignments,
// documentation, benchmarks, the future, and IPv4 in IPv6 by translation.
// https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry
var special = func() (all []netip.Prefix) {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// public reports whether an address is one of the internet's: not the function's own, its network's, or its metadata's.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
