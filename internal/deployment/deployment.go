// Package deployment is a deployed Nightlatch as a human at a command line sees it: its table, its approver, who the human is to AWS, and
// a signed request to the approver. All of it happens with the human's own credentials.
//
// The calls are described in https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html,
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html and
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"nightlatch/internal/awserr"
	"nightlatch/internal/settings"
)

const (
	// callTimeout bounds one call with its repeats: AWS answers in tens of milliseconds, and a human is waiting.
	callTimeout = 10 * time.Second
	// attempts is how often a reading call is made that fails in passing.
	attempts = 3
	// backoff bounds the wait between two attempts.
	backoff = 300 * time.Millisecond
)

// Settings say which deployment is meant.
type Settings struct {
	// Stack is the name of the CloudFormation stack.
	Stack string
	// Region and Profile take the place of what the AWS configuration says; "" leaves it.
	Region, Profile string
	// Table and URL are the table's name and the approver's URL. What is given here is not read from the stack.
	Table, URL string
	// Account is the deployment's, where it is known, and Role the name of a role in it that is assumed with what the AWS configuration says;
	// "" for none.
	Account, Role string
	// Profiles keeps the credentials of profiles that several deployments share: nobody is asked twice for a code of his MFA device. nil keeps none.
	Profiles *Profiles
	// Token asks the human for a code of his MFA device, where a profile wants one.
	Token func() (string, error)
}

var (
	stackName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	regionName = regexp.MustCompile(`^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
)

// Check finds what is not well formed, in one sentence.
func (s Settings) Check() error {
	switch {
	case !stackName.MatchString(s.Stack):
		return fmt.Errorf("--stack %q is not the name of a CloudFormation stack", s.Stack)
	case s.Region != "" && !regionName.MatchString(s.Region):
		return fmt.Errorf("--region %q is not an AWS region; write it as eu-west-1", s.Region)
	case s.URL != "":
		_, err := parseURL(s.URL)
		return err
	}
	return nil
}

// parseURL refuses what a signed request should not be sent to.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the URL of an approver; it looks like https://ID.lambda-url.REGION.on.aws/", s)
	}
	return u, nil
}

// Deployment is one deployment, and the human who talks to it. It is not safe for use by several goroutines.
type Deployment struct {
	// Account, Region and Caller are where the calls go and who makes them, as STS says.
	Account, Region, Caller string

	cfg      aws.Config
	settings Settings
	outputs  map[string]string // of the stack; nil until it was asked
}

// Open reads the AWS configuration and asks STS who the human is. Nothing of the deployment is asked yet.
func Open(ctx context.Context, s Settings) (*Deployment, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer {
			return awserr.Retries(attempts, backoff, backoff)
		}),
		config.WithLogger(logging.Nop{}), // what is worth a human's time is in the error
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) { o.TokenProvider = s.Token }),
	}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	if s.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.Profile))
	}
	cfg, err := s.Profiles.load(ctx, s.Profile, options)
	if s.Region != "" {
		cfg.Region = s.Region
	}
	var profile config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &profile):
		return nil, fmt.Errorf("the AWS configuration has no profile %q; aws configure list-profiles shows those that it has", profile.Profile)
	case err != nil:
		return nil, fmt.Errorf("reading the AWS configuration: %.300q; correct it, or give another --profile", err.Error())
	case cfg.Region == "":
		return nil, errors.New("no AWS region is set; give --region, or set AWS_REGION")
	case !regionName.MatchString(cfg.Region):
		return nil, fmt.Errorf("the AWS configuration's region is %q, which is none; give --region", cfg.Region)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, unsigned(err)
	}
	if s.Role != "" {
		if err := s.assume(ctx, &cfg); err != nil {
			return nil, err
		}
	}
	d := &Deployment{Region: cfg.Region, cfg: cfg, settings: s}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, failed(call{"sts:GetCallerIdentity", "yourself"}, err)
	}
	if d.Account, d.Caller = aws.ToString(me.Account), aws.ToString(me.Arn); !accountID.MatchString(d.Account) || d.Caller == "" {
		return nil, fmt.Errorf("sts:GetCallerIdentity named no principal (%q in account %q); see whether its endpoint is AWS's", d.Caller, d.Account)
	}
	if s.Account != "" && d.Account != s.Account {
		return nil, fmt.Errorf("your credentials are of account %s, and nothing was asked of account %s; give that deployment a profile, or a role that you may assume there", d.Account, s.Account)
	}
	return d, nil
}

// Profiles are AWS configurations by the names of their profiles. The zero Profiles has none yet. It is safe for use by several goroutines.
type Profiles struct {
	mu     sync.Mutex
	loaded map[string]aws.Config
}

// load reads a configuration, once for each profile.
func (p *Profiles) load(ctx context.Context, profile string, options []func(*config.LoadOptions) error) (aws.Config, error) {
	if p == nil {
		return config.LoadDefaultConfig(ctx, options...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if cfg, ok := p.loaded[profile]; ok {
		return cfg.Copy(), nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err == nil {
		if p.loaded == nil {
			p.loaded = map[string]aws.Config{}
		}
		p.loaded[profile] = cfg.Copy()
	}
	return cfg, err
}

// notInName is what the name of a role's session cannot have: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var notInName = regexp.MustCompile(`[^\w+=,.@-]`)

// assume takes the role, with the credentials that the configuration has. The session has the human's own name, for whoever reads the logs.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s Settings) assume(ctx context.Context, cfg *aws.Config) error {
	arn := "arn:" + settings.PartitionOf(cfg.Region) + ":iam::" + s.Account + ":role/" + s.Role
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	me, err := sts.NewFromConfig(*cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return failed(call{"sts:GetCallerIdentity", "yourself"}, err)
	}
	caller := aws.ToString(me.Arn)
	name := notInName.ReplaceAllString(caller[strings.LastIndexAny(caller, "/:")+1:], "-")
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(*cfg), arn, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = fmt.Sprintf("%.64s", name+strings.Repeat("-", max(0, 2-len(name)))) // two characters at least
	}))
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return failed(call{"sts:AssumeRole", arn}, err)
	}
	return nil
}

// unsigned says why there are no credentials to sign with.
func unsigned(err error) error {
	var sso *ssocreds.InvalidTokenError
	var op *smithy.OperationError
	switch {
	case errors.As(err, &sso):
		return errors.New("your AWS sign-in has expired; run aws sso login, with --profile if you use one")
	case errors.As(err, &op) && op.Service() == "ec2imds": // the last place that is asked
		return errors.New("no AWS credentials were found; run aws sso login, set AWS_PROFILE, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case errors.Is(err, context.Canceled):
		return errors.New("the run was ended before there were credentials")
	}
	return fmt.Errorf("there are no AWS credentials to work with: %.300q; sign in again, with aws sso login if that is how, or give another --profile", err.Error())
}

// Config is what the other adapters are made with: the human's credentials, and the region.
func (d *Deployment) Config() aws.Config { return d.cfg.Copy() }

// Table is the name of the table of incidents.
func (d *Deployment) Table(ctx context.Context) (string, error) {
	if d.settings.Table != "" {
		return d.settings.Table, nil
	}
	return d.output(ctx, settings.TableOutput, "--table")
}

// Generation is the deployment generation, and whether it is known. It is not known where the stack was not asked, because table and URL
// were given, or where the stack is older than this output.
func (d *Deployment) Generation() (generation string, known bool) {
	mode, known := d.outputs[settings.ModeOutput]
	return settings.GenerationOf(mode), known
}

// output is one output of the stack; flag is what gives it without one.
func (d *Deployment) output(ctx context.Context, key, flag string) (string, error) {
	if d.outputs == nil {
		if err := d.describe(ctx, flag); err != nil {
			return "", err
		}
	}
	if d.outputs[key] == "" {
		return "", fmt.Errorf("stack %q in account %s, region %s has no output %s: it is not Nightlatch, or an older one, or not deployed to its end; deploy it, or give %s",
			d.settings.Stack, d.Account, d.Region, key, flag)
	}
	return d.outputs[key], nil
}

func (d *Deployment) describe(ctx context.Context, flag string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := cloudformation.NewFromConfig(d.cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.settings.Stack})
	// The name is well formed, so that only a stack that does not exist fails the validation:
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html#API_DescribeStacks_Errors
	if code(err) == "ValidationError" || err == nil && len(out.Stacks) == 0 {
		if d.settings.Account != "" {
			return fmt.Errorf("there is no stack %q in account %s, region %s; deploy it, or take it out of the file", d.settings.Stack, d.Account, d.Region)
		}
		return fmt.Errorf("there is no stack %q in account %s, region %s; give --stack, --region or --profile, or %s", d.settings.Stack, d.Account, d.Region, flag)
	}
	if err != nil {
		return failed(call{"cloudformation:DescribeStacks", fmt.Sprintf("stack %q", d.settings.Stack)}, err)
	}
	d.took(out.Stacks[0])
	return nil
}
