package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"

	"nightlatch/internal/alarm"
)

// record is one CloudTrail record of an S3 data event, as S3 writes it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
type record struct {
	EventVersion       string            `json:"eventVersion"`
	UserIdentity       identity          `json:"userIdentity"`
	EventTime          time.Time         `json:"eventTime"`
	EventSource        string            `json:"eventSource"`
	EventName          string            `json:"eventName"`
	AWSRegion          string            `json:"awsRegion"`
	SourceIPAddress    string            `json:"sourceIPAddress"`
	UserAgent          string            `json:"userAgent"`
	ErrorCode          string            `json:"errorCode,omitempty"`
	RequestParameters  map[string]string `json:"requestParameters"`
	ResponseElements   map[string]any    `json:"responseElements,omitempty"`
	AdditionalData     map[string]any    `json:"additionalEventData"`
	RequestID          string            `json:"requestID"`
	EventID            string            `json:"eventID"`
	ReadOnly           bool              `json:"readOnly"`
	Resources          []resource        `json:"resources"`
	EventType          string            `json:"eventType"`
	ManagementEvent    bool              `json:"managementEvent"`
	RecipientAccountID string            `json:"recipientAccountId"`
	SharedEventID      string            `json:"sharedEventID,omitempty"`
	VPCEndpointID      string            `json:"vpcEndpointId,omitempty"`
	VPCEndpointAccount string            `json:"vpcEndpointAccountId,omitempty"`
	EventCategory      string            `json:"eventCategory"`
	Addendum           map[string]string `json:"addendum,omitempty"`
}

type resource struct {
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

type identity struct {
	Type           string   `json:"type"`
	PrincipalID    string   `json:"principalId,omitempty"`
	ARN            string   `json:"arn,omitempty"`
	AccountID      string   `json:"accountId,omitempty"`
	AccessKeyID    string   `json:"accessKeyId,omitempty"`
	UserName       string   `json:"userName,omitempty"`
	SessionContext *session `json:"sessionContext,omitempty"`
	InvokedBy      string   `json:"invokedBy,omitempty"`
}

type session struct {
	SessionIssuer  map[string]string `json:"sessionIssuer"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
}

// caller is who calls, from where, with what.
type caller struct {
	who      identity
	ip       func(*rand.Rand) string
	agent    string
	endpoint string // VPC endpoint
	account  string // of the endpoint
}

func (c caller) call(rng *rand.Rand, at time.Time, name, bucket, key string, bytes int64) record {
	r := record{
		EventVersion: "1.11", UserIdentity: c.who, EventTime: at.UTC().Truncate(time.Second), EventSource: "s3.amazonaws.com", EventName: name,
		AWSRegion: region, SourceIPAddress: c.ip(rng), UserAgent: "[" + c.agent + "]",
		RequestParameters: map[string]string{"bucketName": bucket, "Host": bucket + ".s3." + region + ".amazonaws.com"},
		AdditionalData: map[string]any{"SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "bytesTransferredIn": 0,
			"bytesTransferredOut": bytes, "AuthenticationMethod": "AuthHeader", "x-amz-id-2": fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())},
		RequestID: fmt.Sprintf("%016X", rng.Uint64()), EventID: fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), rng.IntN(1<<16), rng.IntN(1<<12), rng.IntN(1<<12), rng.Int64N(1<<48)),
		ReadOnly: true, EventType: "AwsApiCall", RecipientAccountID: accountID, EventCategory: "Data",
		VPCEndpointID: c.endpoint, VPCEndpointAccount: c.account,
	}
	if key != "" {
		r.RequestParameters["key"] = key
		r.Resources = append(r.Resources, resource{Type: "AWS::S3::Object", ARN: "arn:aws:s3:::" + bucket + "/" + key})
	}
	r.Resources = append(r.Resources, resource{AccountID: accountID, Type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::" + bucket})
	return r
}

// within is an address in one /24.
func within(prefix string) func(*rand.Rand) string {
	return func(rng *rand.Rand) string { return fmt.Sprintf("%s.%d", prefix, 1+rng.IntN(254)) }
}

func always(address string) func(*rand.Rand) string {
	return func(*rand.Rand) string { return address }
}

func keyID(prefix string, rng *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	id := []byte(prefix)
	for len(id) < 20 {
		id = append(id, letters[rng.IntN(len(letters))])
	}
	return string(id)
}

func iamUser(rng *rand.Rand, name, key string) identity {
	return identity{Type: "IAMUser", PrincipalID: keyID("AIDA", rng), ARN: "arn:aws:iam::" + accountID + ":user/" + name,
		AccountID: accountID, AccessKeyID: key, UserName: name}
}

func roleSession(rng *rand.Rand, role, id, name string) identity {
	return identity{Type: "AssumedRole", PrincipalID: id + ":" + name, ARN: "arn:aws:sts::" + accountID + ":assumed-role/" + role + "/" + name,
		AccountID: accountID, AccessKeyID: keyID("ASIA", rng), SessionContext: &session{SessionIssuer: map[string]string{
			"type": "Role", "principalId": id, "arn": "arn:aws:iam::" + accountID + ":role/" + role, "accountId": accountID, "userName": role}}}
}

// minutes adds up a bucket's bytes a minute: what the metric shows.
type minutes map[string]map[time.Time]int64

func (m minutes) add(r record) {
	bucket, bytes := r.RequestParameters["bucketName"], r.AdditionalData["bytesTransferredOut"].(int64)
	if m[bucket] == nil {
		m[bucket] = map[time.Time]int64{}
	}
	m[bucket][r.EventTime.Truncate(time.Minute)] += bytes
}

func (m minutes) meter(threshold float64) *Meter {
	meter := &Meter{Threshold: threshold, Buckets: map[string][]alarm.Point{}}
	for b, sums := range m {
		for t, n := range sums {
			meter.Buckets[b] = append(meter.Buckets[b], alarm.Point{Start: t, Bytes: n})
		}
		sortPoints(meter.Buckets[b])
	}
	return meter
}
