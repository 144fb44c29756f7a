package awserr

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// client is one of the SDK's, as the adapters use it: a call, and a refusal in its protocol.
type client struct {
	call    func(context.Context, aws.Config) error
	refusal string
}

const (
	queryRefusal = `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>`
	jsonRefusal  = `{"__type":"AccessDenied","message":"no"}`
	cborRefusal  = "\xa2\x66__type\x6cAccessDenied\x67message\x62no"
)

// clients are of each protocol and each generation of its decoder that the adapters use.
var clients = map[string]client{
	"athena": {func(ctx context.Context, c aws.Config) error {
		_, err := athena.NewFromConfig(c).GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: aws.String("x")})
		return err
	}, jsonRefusal},
	"cloudformation": {func(ctx context.Context, c aws.Config) error {
		_, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
		return err
	}, queryRefusal},
	"cloudtrail": {func(ctx context.Context, c aws.Config) error {
		_, err := cloudtrail.NewFromConfig(c).DescribeQuery(ctx, &cloudtrail.DescribeQueryInput{})
		return err
	}, jsonRefusal},
	"cloudwatch": {func(ctx context.Context, c aws.Config) error {
		_, err := cloudwatch.NewFromConfig(c).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
		return err
	}, cborRefusal},
	"dynamodb": {func(ctx context.Context, c aws.Config) error {
		_, err := dynamodb.NewFromConfig(c).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("x")})
		return err
	}, jsonRefusal},
	"iam": {func(ctx context.Context, c aws.Config) error {
		_, err := iam.NewFromConfig(c).GetUser(ctx, &iam.GetUserInput{})
		return err
	}, queryRefusal},
	"organizations": {func(ctx context.Context, c aws.Config) error {
		_, err := organizations.NewFromConfig(c).DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
		return err
	}, jsonRefusal},
	"s3": {func(ctx context.Context, c aws.Config) error {
		_, err := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	}, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`},
	"scheduler": {func(ctx context.Context, c aws.Config) error {
		_, err := scheduler.NewFromConfig(c).GetSchedule(ctx, &scheduler.GetScheduleInput{Name: aws.String("x")})
		return err
	}, jsonRefusal},
	"sns": {func(ctx context.Context, c aws.Config) error {
		_, err := sns.NewFromConfig(c).Publish(ctx, &sns.PublishInput{Message: aws.String("x")})
		return err
	}, queryRefusal},
	"sts": {func(ctx context.Context, c aws.Config) error {
		_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}, queryRefusal},
}

// ask has a client call a server that answers as given, once.
func ask(t *testing.T, ctx context.Context, name string, answer http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	err := clients[name].call(ctx, aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	})
	if err == nil {
		t.Fatalf("%s: no error", name)
	}
	return err
}

// latency is what every answer takes at least; awstest says why.
const latency = 2 * time.Millisecond

// page answers with a body of which the last bytes are missing.
func page(status int, body string, missing int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(latency)
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor") // which CloudWatch's client reads, whatever the body is
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		fmt.Fprint(w, body[:len(body)-missing])
	}
}

func TestWhatIsNotAWSsIsStrangeToEveryClient(t *testing.T) {
	const (
		xhtml = "<html><body>blocked</body></html>"
		html  = "<!DOCTYPE html>\n<html><head><meta charset=utf-8></head><body><p>blocked &nbsp;<br></body></html>"
	)
	for name := range clients {
		for what, answer := range map[string]http.HandlerFunc{
			"a page instead of a result":        page(200, html, 0),
			"a page that is XML instead of one": page(200, xhtml, 0),
			"a page instead of a refusal":       page(403, html, 0),
			"a page that is XML instead of it":  page(403, xhtml, 0),
			"text":                              page(403, "blocked", 0),
			"a proxy's throttling":              page(429, html, 0),
			"a gateway's page":                  page(502, html, 0),
			"half a page":                       page(403, html, 20),
			"half a result":                     page(200, "<Result>"+strings.Repeat(" ", 100), 50),
			"half a refusal":                    page(403, clients[name].refusal, 4),
		} {
			if name == "s3" && what == "a page that is XML instead of one" { // its client takes it for an empty list
				continue
			}
			t.Run(name+", "+what, func(t *testing.T) {
				err := ask(t, t.Context(), name, answer)
				refusal, status := Refusal(err)
				if !Strange(err) || refusal != nil || status == 0 {
					t.Errorf("strange %t, refusal %v, status %d: %v", Strange(err), refusal, status, err)
				}
			})
		}
	}
}

func TestWhatIsAWSsIsNotStrange(t *testing.T) {
	for name, c := range clients {
		err := ask(t, t.Context(), name, page(403, c.refusal, 0))
		if refusal, status := Refusal(err); Strange(err) || refusal == nil || refusal.ErrorCode() != "AccessDenied" || status != 403 {
			t.Errorf("%s refuses: strange %t, refusal %v, status %d", name, Strange(err), refusal, status)
		}
		err = ask(t, t.Context(), name, page(503, c.refusal, 0))
		if refusal, status := Refusal(err); Strange(err) || refusal != nil || status != 503 {
			t.Errorf("%s fails: strange %t, refusal %v, status %d", name, Strange(err), refusal, status)
		}
	}
}

func TestWhatHasNotComeIsNotStrange(t *testing.T) {
	for name := range clients {
		err := ask(t, t.Context(), name, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if refusal, status := Refusal(err); Strange(err) || refusal != nil || status != 0 {
			t.Errorf("%s, cut off: strange %t, refusal %v, status %d: %v", name, Strange(err), refusal, status, err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err = ask(t, ctx, name, func(w http.ResponseWriter, r *http.Request) { // begins an answer, and never ends it
			fmt.Fprint(w, " ")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		cancel()
		if refusal, _ := Refusal(err); Strange(err) || refusal != nil || !late(err) {
			t.Errorf("%s, too late: strange %t, refusal %v: %v", name, Strange(err), refusal, err)
		}
	}
}
