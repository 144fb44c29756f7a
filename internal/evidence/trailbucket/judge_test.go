package trailbucket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	aBucket = "trail-files"
	arn     = "arn:aws:s3:::" + aBucket
	trail   = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/night"
)

var folders = []string{"AWSLogs/111122223333/"}

// policy is a bucket policy with CloudTrail's own statement, which allows, and others.
func policy(statements ...string) string {
	allow := `{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"` + arn + `/AWSLogs/111122223333/*"}`
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(append([]string{allow}, statements...), ",") + `]}`
}

// deny is a statement with these elements beside its effect.
func deny(elements string, args ...any) string {
	return `{"Effect":"Deny",` + fmt.Sprintf(elements, args...) + `}`
}

const (
	files    = `"Action":["s3:PutObject","s3:DeleteObject","s3:DeleteObjectVersion","s3:ReplicateObject","s3:ReplicateDelete"],"Resource":"` + arn + `/*"`
	lifetime = `"Action":"s3:PutLifecycleConfiguration","Resource":"` + arn + `"`
	both     = `"Action":"s3:*","Resource":["` + arn + `","` + arn + `/*"]`
	anybody  = `"Principal":"*"`
	others   = `"Condition":{"StringNotEquals":{"aws:SourceArn":"` + trail + `"}}`
)

func TestWhatSeals(t *testing.T) {
	for name, text := range map[string]string{
		"as trail=create writes it":       policy(deny(anybody+","+files+","+others), deny(anybody+","+lifetime+","+others)),
		"every principal of AWS":          policy(deny(`"Principal":{"AWS":"*"},` + both + "," + others)),
		"in one list":                     policy(deny(`"Principal":{"AWS":["*"]},` + both + "," + others)),
		"not CloudTrail":                  policy(deny(`"NotPrincipal":{"Service":"cloudtrail.amazonaws.com"},` + both)),
		"not the service's own name":      policy(deny(anybody + "," + both + `,"Condition":{"StringNotEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}`)),
		"any trail of the organization":   policy(deny(anybody + "," + both + `,"Condition":{"ArnNotLike":{"aws:SourceArn":"arn:aws:cloudtrail:*:*:trail/*"}}`)),
		"two trails":                      policy(deny(anybody + "," + both + `,"Condition":{"ArnNotEqualsIfExists":{"AWS:SourceArn":["` + trail + `","` + trail + `2"]}}`)),
		"everything, whoever it is":       policy(deny(anybody + "," + both)),
		"a star at the end":               policy(deny(anybody+`,"Action":["s3:Put*","S3:Delete*","s3:Repl*"],"Resource":"*",`+others), deny(anybody+","+lifetime)),
		"the folder's account alone":      policy(deny(anybody+`,"Action":"*","Resource":"`+arn+`/AWSLogs/111122223333/*"`), deny(anybody+","+lifetime)),
		"in one statement":                `{"Statement":` + deny(anybody+","+both+","+others) + `}`,
		"two conditions, each CloudTrail": policy(deny(anybody + "," + both + `,"Condition":{"StringNotEquals":{"aws:SourceArn":"` + trail + `","aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}`)),
	} {
		if got := judge(text, aBucket, folders); got != nil {
			t.Errorf("%s: got %q, want nothing", name, got)
		}
	}
}

func TestWhatDoesNotSeal(t *testing.T) {
	const all = "s3:PutObject, s3:DeleteObject, s3:DeleteObjectVersion, s3:ReplicateObject, s3:ReplicateDelete, s3:PutLifecycleConfiguration"
	for name, c := range map[string]struct{ text, open string }{
		"CloudTrail's own statement":      {policy(), all},
		"no statements":                   {`{}`, all},
		"an allow":                        {policy(`{"Effect":"Allow",` + anybody + "," + both + "," + others + `}`), all},
		"without the lifetime":            {policy(deny(anybody + "," + files + "," + others)), "s3:PutLifecycleConfiguration"},
		"without replicas":                {policy(deny(anybody+`,"Action":["s3:PutObject","s3:Delete*"],"Resource":"`+arn+`/*"`), deny(anybody+","+lifetime)), "s3:ReplicateObject, s3:ReplicateDelete"},
		"only what is sent without TLS":   {policy(deny(anybody + "," + both + `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`)), all},
		"an administrator is let through": {policy(deny(anybody + "," + both + `,"Condition":{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/admin"}}`)), all},
		"CloudTrail and somebody":         {policy(deny(`"NotPrincipal":{"Service":"cloudtrail.amazonaws.com","AWS":"arn:aws:iam::111122223333:role/admin"},` + both)), all},
		"another service":                 {policy(deny(`"NotPrincipal":{"Service":["cloudtrail.amazonaws.com","logging.s3.amazonaws.com"]},` + both)), all},
		"every service of AWS":            {policy(deny(anybody + "," + both + `,"Condition":{"Bool":{"aws:PrincipalIsAWSService":"false"}}`)), all},
		"one principal":                   {policy(deny(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/mara"},` + both)), all},
		"equal, not different":            {policy(deny(anybody + "," + both + `,"Condition":{"StringEquals":{"aws:SourceArn":"` + trail + `"}}`)), all},
		"any source at all":               {policy(deny(anybody + "," + both + `,"Condition":{"ArnNotLike":{"aws:SourceArn":"arn:aws:*:*:*:trail/*"}}`)), all},
		"a bucket as source":              {policy(deny(anybody + "," + both + `,"Condition":{"ArnNotLike":{"aws:SourceArn":["` + trail + `","arn:aws:s3:::logs"]}}`)), all},
		"a channel of CloudTrail's":       {policy(deny(anybody + "," + both + `,"Condition":{"ArnNotLike":{"aws:SourceArn":"arn:aws:cloudtrail:*:*:*"}}`)), all},
		"for any of several values":       {policy(deny(anybody + "," + both + `,"Condition":{"ForAnyValue:StringNotEquals":{"aws:SourceArn":"` + trail + `"}}`)), all},
		"a condition without a value":     {policy(deny(anybody + "," + both + `,"Condition":{"StringNotEquals":{"aws:SourceArn":[]}}`)), all},
		"by day only":                     {policy(deny(anybody + "," + both + `,"Condition":{"StringNotEquals":{"aws:SourceArn":"` + trail + `"},"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`)), all},
		"another bucket":                  {policy(deny(anybody+`,"Action":"s3:*","Resource":["arn:aws:s3:::trail","arn:aws:s3:::trail/*"]`), deny(anybody+`,"Action":"s3:*","Resource":"arn:aws:s3:::trail-files-old*"`)), all},
		"another account's folder":        {policy(deny(anybody+`,"Action":"s3:*","Resource":"`+arn+`/AWSLogs/999988887777/*"`), deny(anybody+","+lifetime)), strings.TrimSuffix(all, ", s3:PutLifecycleConfiguration")},
		"one file":                        {policy(deny(anybody+`,"Action":"s3:*","Resource":"`+arn+`/AWSLogs/111122223333/"`), deny(anybody+","+lifetime)), strings.TrimSuffix(all, ", s3:PutLifecycleConfiguration")},
		"a star in the middle":            {policy(deny(anybody+`,"Action":"s3:*","Resource":"`+arn+`/*/CloudTrail/*"`), deny(anybody+","+lifetime)), strings.TrimSuffix(all, ", s3:PutLifecycleConfiguration")},
		"all but some actions":            {policy(deny(anybody + `,"NotAction":"s3:GetObject","Resource":"*"`)), all},
		"all but some resources":          {policy(deny(anybody + `,"Action":"s3:*","NotResource":"arn:aws:s3:::other/*"`)), all},
	} {
		got := judge(c.text, aBucket, folders)
		if want := `the policy of bucket "trail-files" does not deny ` + c.open + " to all but CloudTrail"; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := judge("<html>", aBucket, folders); len(got) != 1 || !strings.Contains(got[0], "cannot be read as JSON") {
		t.Errorf("no JSON: got %q", got)
	}
	if got := judge(policy(deny(anybody+`,"Action":"s3:*","Resource":["`+arn+`","`+arn+`/AWSLogs/111122223333/*"]`)), aBucket, append(folders, "AWSLogs/222233334444/")); len(got) != 1 {
		t.Errorf("one of two accounts: got %q", got)
	}
}

func TestFilesThatDoNotLast(t *testing.T) {
	rule := func(change func(*types.LifecycleRule)) types.LifecycleRule {
		r := types.LifecycleRule{ID: aws.String("some\nrule"), Status: types.ExpirationStatusEnabled}
		change(&r)
		return r
	}
	expire := func(days int32) func(*types.LifecycleRule) {
		return func(r *types.LifecycleRule) { r.Expiration = &types.LifecycleExpiration{Days: &days} }
	}
	move := func(days int32, to types.TransitionStorageClass) func(*types.LifecycleRule) {
		return func(r *types.LifecycleRule) { r.Transitions = []types.Transition{{Days: &days, StorageClass: to}} }
	}
	under := func(prefix string) func(*types.LifecycleRule) {
		return func(r *types.LifecycleRule) {
			expire(1)(r)
			r.Filter = &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: &prefix}}
		}
	}
	for name, c := range map[string]struct {
		change func(*types.LifecycleRule)
		does   string
	}{
		"a year":         {expire(366), ""},
		"the history":    {expire(18), ""},
		"less than that": {expire(17), "deletes"},
		"on a day":       {func(r *types.LifecycleRule) { r.Expiration = &types.LifecycleExpiration{Date: new(time.Now())} }, "deletes"},
		"switched off":   {func(r *types.LifecycleRule) { expire(1)(r); r.Status = types.ExpirationStatusDisabled }, ""},
		"markers only": {func(r *types.LifecycleRule) {
			r.Expiration = &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
		}, ""},
		"to glacier, soon":           {move(0, types.TransitionStorageClassGlacier), "archives"},
		"to glacier, late":           {move(90, types.TransitionStorageClassDeepArchive), ""},
		"to what is read at once":    {move(0, types.TransitionStorageClassGlacierIr), ""},
		"another folder":             {under("reports/"), ""},
		"a folder of the account's":  {under("AWSLogs/111122223333/CloudTrail/eu-west-1/"), "deletes"},
		"a folder above the account": {under("AWSLogs/"), "deletes"},
		"another account's":          {under("AWSLogs/999988887777/"), ""},
		"tags, and no prefix": {func(r *types.LifecycleRule) {
			expire(1)(r)
			r.Filter = &types.LifecycleRuleFilter{Tag: &types.Tag{Key: aws.String("a"), Value: aws.String("b")}}
		}, "deletes"},
	} {
		got := shortLived([]types.LifecycleRule{rule(c.change)}, folders)
		if (len(got) > 0) != (c.does != "") || len(got) > 0 && !strings.Contains(got[0], `rule "some\nrule" of the bucket `+c.does+" files") {
			t.Errorf("%s: got %q, want %q", name, got, c.does)
		}
	}
}
