// Package heartbeat sends the sign of life for somebody outside the account: a GET of a URL that stands in a secret. Whoever is behind it rings
// when the sign stays away, so it is sent only where Nightlatch was found to work.
//
// The URL is a credential, and stands in no log and no error. It has to be https, and to lead to a public address; no redirect is followed. The
// address that is dialled is looked at, and not only the name that was given: whoever owns the name decides where it leads.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

const (
	// timeout bounds the GET with all that belongs to it, and readTimeout the reading of the secret.
	timeout     = 10 * time.Second
	readTimeout = 10 * time.Second
	// backoff bounds the wait between two attempts at the secret. The GET is made once: the next run makes another.
	backoff = time.Second
)

// Heartbeat sends one sign of life. It is safe for use by several goroutines.
type Heartbeat struct {
	secret  string
	secrets *secretsmanager.Client
	http    *http.Client
}

// SecretARN is a secret's ARN; its group is the region. https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
var SecretARN = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$`)

// New makes a heartbeat to the URL in a secret, by its ARN, in the region that the ARN names. It makes no call.
func New(cfg aws.Config, secret string) (*Heartbeat, error) {
	m := SecretARN.FindStringSubmatch(secret)
	if m == nil {
		return nil, fmt.Errorf("%q is not the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME", secret)
	}
	if cfg.Credentials == nil {
		return nil, errors.New("a heartbeat needs credentials, and the AWS configuration has none; sign in or set a profile")
	}
	secrets := secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		o.Region, o.Retryer = m[1], awserr.Retries(3, backoff, backoff)
	})
	dialer := &net.Dialer{Timeout: timeout, Control: control}
	return &Heartbeat{secret, secrets, client(&http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true})}, nil
}

// client follows no redirect and no proxy of the environment's.
func client(transport *http.Transport) *http.Client {
	return &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadTheHeartbeatsURL", Actions: []string{"secretsmanager:GetSecretValue"}, On: []string{"${Heartbeat}"}}}
}

// Send sends it once. The error is one sentence without the URL.
func (h *Heartbeat) Send(ctx context.Context) error {
	u, err := h.url(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return h.unfit("is no URL")
	}
	req.Header.Set("User-Agent", "nightlatch")
	resp, err := h.http.Do(req)
	if err != nil {
		var hidden *url.Error
		if errors.As(err, &hidden) {
			err = hidden.Err
		}
		var private notPublic
		if errors.As(err, &private) {
			return h.unfit(private.Error())
		}
		return fmt.Errorf("sending the heartbeat: no answer came from the URL in secret %q: %s; see whether it is right, and whether the function's network lets it there", h.secret, reason(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is of no use
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return h.unfit(fmt.Sprintf("answers with a redirect (HTTP %d), which is not followed", resp.StatusCode))
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		return fmt.Errorf("sending the heartbeat: the URL in secret %q answers with HTTP %d; see with whoever is behind it", h.secret, resp.StatusCode)
	}
	return nil
}

// reason is why a GET failed, without the address: a host's name can be a secret too.
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

func (h *Heartbeat) unfit(why string) error {
	return fmt.Errorf("sending the heartbeat: the URL in secret %q %s; put another into the secret", h.secret, why)
}

// url reads the URL. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (h *Heartbeat) url(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := h.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &h.secret})
	if err != nil {
		return "", h.failed(err)
	}
	text := strings.TrimSpace(aws.ToString(out.SecretString))
	switch u, err := url.Parse(text); {
	case err != nil || u.Host == "" || u.User != nil:
		return "", h.unfit("is no URL; the secret's whole text has to be one, https://...")
	case u.Scheme != "https":
		return "", h.unfit("is not https")
	}
	return text, nil
}

// failed makes the one sentence about a secret that could not be read.
func (h *Heartbeat) failed(err error) error {
	doing := fmt.Sprintf("reading the heartbeat's URL from secret %q", h.secret)
	refused, status := awserr.Refusal(err)
	switch {
	case refused == nil:
		return awserr.Silence{Doing: doing, Service: "Secrets Manager", Late: "; try again", Reach: "the function reaches it"}.Sentence(status, err)
	case awserr.Throttled(refused.ErrorCode()):
		return fmt.Errorf("%s: AWS is throttling the account's calls; try again in a minute", doing)
	case refused.ErrorCode() == "ResourceNotFoundException":
		return fmt.Errorf("%s: there is no such secret; make it, or correct the setting heartbeat", doing)
	case refused.ErrorCode() == "AccessDeniedException":
		return grant.Denied("secretsmanager:GetSecretValue", fmt.Sprintf("secret %q", h.secret), refused.ErrorMessage())
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
