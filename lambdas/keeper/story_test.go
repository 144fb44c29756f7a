package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/awstest"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/evidence/lake/laketest"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/policy"
	"nightlatch/internal/posture"
	"nightlatch/internal/posture/awsposture/advisortest"
)

var update = flag.Bool("update", false, "write the goldens")

func TestMain(m *testing.M) {
	if os.Getenv(listEndpoint) != "" {
		os.Exit(measured())
	}
	awstest.Beside(m)
}

const (
	ours    = "123456789012" // moto's account
	storeID = "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
	store   = "arn:aws:cloudtrail:eu-west-1:" + ours + ":eventdatastore/" + storeID
	key     = "AKIAEXAMPLESTOLEN001"
	theft   = "20260304-120000-0011"

	lookedAt = "keeper-mara" // a user, and a bucket
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// world is a table with its stream, a bucket and two engines, and the function as it is deployed there.
type world struct {
	t             *testing.T
	endpoint      string
	table, bucket string
	incidents     *dynamo.Store // the responder's
	s3            *s3.Client    // the test's own
	lake          *laketest.Server
	files         *athenatest.Server
	advisor       *advisortest.IAM
	aws           *granttest.AWS
	k             keeper
	read          int // how much of the stream was read
}

func newWorld(t *testing.T, id string, objects int) *world {
	t.Helper()
	endpoint := awstest.Moto(t)
	stack := "8d6f2a40-0000-11f1-9c1c-" + id
	w := &world{t: t, endpoint: endpoint, table: "Nightlatch-" + stack, bucket: "nightlatch-cases-" + stack}
	own := awstest.Config(endpoint)
	if err := dynamotest.Table(t.Context(), own, w.table); err != nil {
		t.Fatal(err)
	}
	w.call("DynamoDB_20120810.UpdateTable", map[string]any{"TableName": w.table, "StreamSpecification": map[string]any{"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}}, nil)
	w.s3 = s3.NewFromConfig(own)
	_, err := w.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &w.bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	if err == nil {
		_, err = w.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &w.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	}
	if err == nil {
		w.incidents, err = dynamo.New(own, w.table)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer := func(sql string) (rows []map[string]string, _ int64, _ error) {
		if strings.Contains(sql, " as slot,") {
			return []map[string]string{{"slot": fmt.Sprint(noon.Unix()), "access_key_id": key, "bytes": "1000"}, {"slot": fmt.Sprint(noon.Unix()), "access_key_id": "", "bytes": "1.0E2"}}, 1000, nil
		}
		for i := range objects {
			rows = append(rows, map[string]string{"bucket": "exports", "object": fmt.Sprintf("=customers/%07d", i), "version": "", "name": "GetObject", "destination": "", "access_key_id": key,
				"principal_id": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + ours + ":user/mara", "account_id": ours, "invoked_by": "", "vpc_endpoint": "", "signing": "header", "source_ip": "198.51.100.7",
				"times": "1", "bytes": "1.0E3", "unsized": "0", "torn": "0", "first_seen": fmt.Sprint(noon.Unix()), "last_seen": fmt.Sprint(noon.Unix())})
		}
		return rows, 1000, nil
	}
	table := athena.Table{Location: "s3://files/AWSLogs/", Accounts: []string{ours}}
	w.lake, w.files = laketest.New(answer), athenatest.New(table, answer)
	t.Cleanup(w.lake.Close)
	t.Cleanup(w.files.Close)
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	moto := httputil.NewSingleHostReverseProxy(to)
	buckets := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+athenatest.Results+"/") {
			w.files.ServeHTTP(out, r)
			return
		}
		moto.ServeHTTP(out, r)
	})
	w.aws = &granttest.AWS{T: t, Account: ours, Caller: "ASIAEXAMPLEKEEPER", Services: map[string]http.Handler{"": moto, "s3": buckets, "cloudtrail": w.lake, "athena": w.files}}
	w.advisor = &advisortest.IAM{Next: moto, Busy: 1, Services: []advisortest.Service{{Namespace: "s3", Tried: time.Now()}}}
	w.aws.Services["iam"] = w.advisor
	w.aws.Find = func(kind, name string) (string, map[string]string) {
		if kind == "key" {
			name = lookedAt
		}
		if kind == "role" {
			return "arn:aws:iam::" + ours + ":role/" + name, nil
		}
		return "arn:aws:iam::" + ours + ":user/" + name, nil
	}
	front := httptest.NewServer(w.aws)
	t.Cleanup(front.Close)
	cfg := awstest.Config(front.URL)
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) { // S3 Control has the account before the host
		return new(net.Dialer).DialContext(ctx, network, front.Listener.Addr().String())
	}}}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: w.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	if w.k, err = build(cfg, []string{"NIGHTLATCH_TABLE=" + w.table, "NIGHTLATCH_ACCOUNTS=" + ours, "NIGHTLATCH_EVENT_DATA_STORE=" + store, "NIGHTLATCH_TRAIL_LOCATION=" + table.Location}); err != nil {
		t.Fatal(err)
	}
	return w
}

// call calls DynamoDB or its streams, of which no client is used here.
func (w *world) call(target string, in map[string]any, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, w.endpoint, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260304/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %s", target, resp.StatusCode, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			w.t.Fatalf("%s: %v: %s", target, err, text)
		}
	}
}

// streamed is what the stream has since it was read last, as Lambda hands it over.
func (w *world) streamed() (batch events.DynamoDBEvent) {
	w.t.Helper()
	const streams = "DynamoDBStreams_20120810."
	var listed struct{ Streams []struct{ StreamArn string } }
	w.call(streams+"ListStreams", map[string]any{"TableName": w.table}, &listed)
	arn := listed.Streams[0].StreamArn
	var described struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	w.call(streams+"DescribeStream", map[string]any{"StreamArn": arn}, &described)
	for _, shard := range described.StreamDescription.Shards {
		var at struct{ ShardIterator string }
		w.call(streams+"GetShardIterator", map[string]any{"StreamArn": arn, "ShardId": shard.ShardId, "ShardIteratorType": "TRIM_HORIZON"}, &at)
		var got struct{ Records []events.DynamoDBEventRecord }
		w.call(streams+"GetRecords", map[string]any{"ShardIterator": at.ShardIterator}, &got)
		batch.Records = append(batch.Records, got.Records...)
	}
	batch.Records, w.read = batch.Records[w.read:], len(batch.Records)
	return batch
}

// put puts an incident as the responder does.
func (w *world) put(r incident.Record) incident.Record {
	w.t.Helper()
	stored, err := w.incidents.Open(w.t.Context(), r)
	if r.Version > 0 {
		stored, err = w.incidents.Put(w.t.Context(), r)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// versions counts those of an incident's file.
func (w *world) versions(incident string) map[string]int {
	w.t.Helper()
	out, err := w.s3.ListObjectVersions(w.t.Context(), &s3.ListObjectVersionsInput{Bucket: &w.bucket, Prefix: aws.String(incident + "/")})
	if err != nil {
		w.t.Fatal(err)
	}
	n := map[string]int{}
	for _, v := range out.Versions {
		n[strings.TrimPrefix(*v.Key, incident+"/")]++
	}
	return n
}

func (w *world) file(incident, name, version string) []byte {
	w.t.Helper()
	in := &s3.GetObjectInput{Bucket: &w.bucket, Key: aws.String(incident + "/" + name)}
	if version != "" {
		in.VersionId = &version
	}
	out, err := w.s3.GetObject(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	text, err := io.ReadAll(out.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) manifest(incident string) (m casefolder.Manifest) {
	w.t.Helper()
	if err := json.Unmarshal(w.file(incident, "manifest.json", ""), &m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// opened is an incident that has just come.
func opened(id string) incident.Record {
	return incident.Record{Schema: incident.Schema, ID: id, Mode: containment.ModeAct, Opened: noon, Writer: "one", Alarm: alarm.Alarm{Buckets: []string{"exports"}, From: noon, To: noon.Add(time.Minute), Bytes: new(int64(1000))},
		Evidence: evidence.Evidence{From: noon, To: noon.Add(time.Minute), Bytes: 1000, Explained: new(1.0), Unexplained: new(int64(0)), Complete: true, Actors: []evidence.Actor{{AccessKeyID: key, Bytes: 1000}}}}
}

// told is the same incident when its step is done and its answer told.
func told(r incident.Record) incident.Record {
	r.Outcomes = []containment.Outcome{{Action: policy.DeactivateKey, Target: key, AccessKeyID: key, State: containment.Done, At: noon.Add(10 * time.Minute)}}
	r.Notified = []incident.Notice{{Kind: incident.Answer, Channel: "sns:x", Tries: 1, At: noon.Add(11 * time.Minute)}}
	return r
}

// From the first page to the close, by the stream alone: each stage is kept once, and the list has each object.
func TestAnIncidentIsKeptByItsStream(t *testing.T) {
	t.Parallel()
	const objects = 2345
	w := newWorld(t, "000000000001", objects)
	handles := func() {
		t.Helper()
		batch := w.streamed()
		if len(batch.Records) == 0 {
			t.Fatal("the stream has nothing")
		}
		for range 2 { // Lambda may bring a batch twice
			if err := w.k.handle(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := w.put(opened(theft))
	handles()
	if n := w.versions(theft); len(n) != 0 {
		t.Errorf("before the answer there are %v", n)
	}
	r = w.put(told(r))
	r.Note(noon, "a line")
	r = w.put(r)
	handles()
	if got, want := fmt.Sprint(w.versions(theft)), "map[incident.json:1 log.txt:1 manifest.json:1 minutes.json:1 page.html:1 suspects.json:1 taken.csv.gz:1]"; got != want {
		t.Errorf("of the answer there are %s", got)
	}
	first := w.file(theft, "manifest.json", "")
	w.lake.Fail(laketest.StartQuery, laketest.InvalidStatement) // so that Athena is asked
	r.FollowUps, r.Closed = []incident.FollowUp{{At: noon.Add(15 * time.Minute)}}, noon.Add(time.Hour)
	w.put(r)
	handles()
	if got, want := fmt.Sprint(w.versions(theft)), "map[incident.json:2 log.txt:2 manifest.json:2 minutes.json:2 page.html:2 suspects.json:2 taken.csv.gz:2]"; got != want {
		t.Errorf("at the close there are %s", got)
	}
	m := w.manifest(theft)
	if m.Stage.Name != casefolder.Closed || m.Version != 2 || len(m.Missing) != 0 || m.Taken.Rows != objects || m.Taken.Bytes != 1000*objects || m.Taken.Credentials[0] != key {
		t.Errorf("the manifest is %+v, %+v", m, m.Taken)
	}
	if !bytes.Equal(w.file(theft, "manifest.json", m.Before.Version), first) {
		t.Error("the manifest before is not the one that it names")
	}
	for _, f := range m.Files {
		if int64(len(w.file(theft, f.Name, f.Version))) != f.Bytes {
			t.Errorf("%s is not as the manifest says", f.Name)
		}
	}
	zip, err := gzip.NewReader(bytes.NewReader(w.file(theft, "taken.csv.gz", "")))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(zip).ReadAll()
	if err != nil || len(rows) != objects+1 || rows[1][1] != "'=customers/0000000" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if page := string(w.file(theft, "page.html", "")); !strings.Contains(page, "<h1>") || !strings.Contains(page, "12:00: 1,000 bytes, "+key) || !strings.Contains(page, "12:00: 100 bytes, all others") {
		t.Error("the page is none, or has no picture of the minutes")
	}
	if !t.Failed() {
		granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, slices.Concat(w.aws.Calls(w.names()...), stopped(t), looked(t)))
	}
}

// Where the first engine gives nothing, the second is asked; and either is stopped when the time ends, which leaves all else, to be tried again.
// It returns what was called.
func stopped(t *testing.T) []granttest.Call {
	w := newWorld(t, "00000000000f", 1)
	w.k.drawTime = time.Second
	w.put(told(opened(theft)))
	batch := w.streamed()
	w.lake.Hold()
	w.files.Hold()
	w.lake.Fail(laketest.StartQuery, laketest.InvalidStatement) // the first time
	for try, status := range []func() string{func() string { return w.files.Queries()[0].Status }, func() string { return w.lake.Queries()[0].Status }} {
		ctx, over := context.WithTimeout(t.Context(), reserve+5*time.Second)
		err := w.k.handle(ctx, batch)
		over()
		if !errors.Is(err, context.DeadlineExceeded) || status() != "CANCELLED" {
			t.Errorf("try %d: %v, and the query is %s", try+1, err, status())
		}
		if m := w.manifest(theft); m.Version != try+1 || !m.ListDue || len(m.Files) != 4 || len(m.Missing) != 2 {
			t.Errorf("try %d: the manifest is %+v", try+1, m)
		}
	}
	return w.aws.Calls(w.names()...)
}

// Lake's pages take longer than the function has: Lambda calls it again, and the list goes on, until it is whole.
func TestALongListGoesOn(t *testing.T) {
	t.Parallel()
	const objects = 1000
	w := newWorld(t, "000000000010", objects)
	stored := w.put(told(opened(theft)))
	batch := w.streamed()
	w.lake.Page(100)
	from := casefolder.Sources{Each: w.k.each, Look: w.k.suspects, Draw: func(context.Context, incident.Record) ([]evidence.Slot, error) { return nil, nil }} // whose pages are not counted
	for _, most := range []int32{4, 8} {
		var pages atomic.Int32
		asking, over := context.WithCancel(t.Context())
		w.lake.OnCall(func(operation string) {
			if operation == laketest.GetQueryResults && pages.Add(1) > most {
				over()
			}
		})
		_, err := casefolder.Keep(t.Context(), asking, w.k.shelf(theft), stored, from)
		m := w.manifest(theft)
		if err == nil || !strings.Contains(err.Error(), "so far, and goes on") || !m.ListDue || !m.Taken.Cut || m.Taken.Rows < int64(most*100) || m.Taken.Rows == objects || len(m.Missing) != 1 {
			t.Fatalf("%v, %+v, %+v", err, m, m.Taken)
		}
	}
	w.lake.OnCall(nil)
	for range 2 {
		if err := w.k.handle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	m := w.manifest(theft)
	if m.ListDue || m.Taken.Cut || m.Taken.Rows != objects || m.Taken.Objects != objects || len(m.Missing) != 0 || fmt.Sprint(m.Taken.Parts) != "[taken.csv.gz taken.2.csv.gz taken.3.csv.gz]" || m.Version != 3 {
		t.Errorf("%+v, %+v", m, m.Taken)
	}
	seen := map[string]bool{}
	for _, name := range m.Taken.Parts {
		zip, err := gzip.NewReader(bytes.NewReader(w.file(theft, name, "")))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(zip).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			if seen[row[1]] {
				t.Errorf("%s is there twice", row[1])
			}
			seen[row[1]] = true
		}
	}
	if len(seen) != objects {
		t.Errorf("%d objects are there", len(seen))
	}
}

// suspects are those of the newest file, by their names.
func (w *world) suspects(incident string) map[string]posture.Suspect {
	w.t.Helper()
	var of struct{ Suspects []posture.Suspect }
	if err := json.Unmarshal(w.file(incident, "suspects.json", ""), &of); err != nil {
		w.t.Fatal(err)
	}
	all := map[string]posture.Suspect{}
	for _, s := range of.Suspects {
		if strings.HasPrefix(s.Of, "role ") {
			s.Name = "role: " + s.Name
		}
		all[s.Name] = s
	}
	return all
}

// suspected is an incident of a bucket, of a user with a key and of a role, told.
func suspected() incident.Record {
	r := told(opened(theft))
	r.Alarm.Buckets = []string{lookedAt}
	r.Evidence.Actors[0].Kind, r.Evidence.Actors[0].UserName = actor.IAMUserKey, lookedAt
	r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLESESSION01", RoleName: "etl"})
	r.Outcomes = append(r.Outcomes, containment.Outcome{Action: policy.DenyRoleSession, Target: "etl", AccessKeyID: "ASIAEXAMPLESESSION01", State: containment.Asked, At: noon.Add(10 * time.Minute)})
	return r
}

// looked has each usual suspect of a bucket and a user once as they are made, once with what was opened or shut, and once refused. It returns what was called.
func looked(t *testing.T) []granttest.Call {
	w := newWorld(t, "00000000000c", 1)
	own, ctx, name := awstest.Config(w.endpoint), t.Context(), aws.String(lookedAt)
	users := iam.NewFromConfig(own)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))
	must(users.CreateUser(ctx, &iam.CreateUserInput{UserName: name}))
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"ACCOUNT"},"Action":"sts:AssumeRole"}]}`
	must(users.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("etl"), AssumeRolePolicyDocument: aws.String(strings.Replace(trust, "ACCOUNT", ours, 1))}))
	r := w.put(suspected())
	stage := func(deny string, want map[string]posture.Answer) {
		t.Helper()
		w.aws.Deny = deny
		batch := w.streamed()
		for range 2 {
			if err := w.k.handle(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		m, got := w.manifest(theft), w.suspects(theft)
		if n := w.versions(theft)["suspects.json"]; n != m.Version || len(m.Files) != 6 || m.Files[4].Name != "suspects.json" || m.Taken == nil {
			t.Errorf("denied %q: %d files of suspects, and the manifest is %+v", deny, n, m)
		}
		page := string(w.file(theft, "page.html", ""))
		for suspect, answer := range want {
			stands := strings.Contains(page, html.EscapeString(strings.TrimPrefix(suspect, "role: ")))
			if got[suspect].Answer != answer || !stands {
				t.Errorf("denied %q: %s: %+v, want %s; on the page: %t", deny, suspect, got[suspect], answer, stands)
			}
		}
	}
	stage("", map[string]posture.Answer{"its public access block is not whole": posture.Stands, "the policy lets other accounts in": posture.RuledOut, "access points lead to it": posture.RuledOut,
		"what is overwritten or deleted is gone": posture.Stands, "a key of it is old": posture.RuledOut, "it may do everything, or give itself that": posture.RuledOut, "it may call services that it does not use": posture.RuledOut,
		"role: others than this account may assume it": posture.RuledOut, "role: it may do everything, or give itself that": posture.RuledOut, "role: it may call services that it does not use": posture.RuledOut})

	w.advisor.Services = append(w.advisor.Services, advisortest.Service{Namespace: "ec2"})
	all := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	must(w.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: name,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: new(true), BlockPublicPolicy: new(true), IgnorePublicAcls: new(true), RestrictPublicBuckets: new(true)}}))
	must(w.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + lookedAt + `/*"}]}`)}))
	must(users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name}))
	must(users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("own"), PolicyDocument: all}))
	made, err := users.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: name, PolicyDocument: all})
	must(made, err)
	must(users.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: name, PolicyArn: made.Policy.Arn}))
	must(users.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: name}))
	must(users.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: name, UserName: name}))
	must(users.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: name, PolicyName: aws.String("own"), PolicyDocument: all}))
	must(users.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("etl"), PolicyName: aws.String("own"), PolicyDocument: all}))
	must(users.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("etl"), PolicyArn: made.Policy.Arn}))
	must(users.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("etl"), PolicyDocument: aws.String(strings.Replace(trust, "ACCOUNT", "444455556666", 1))}))
	r.FollowUps = []incident.FollowUp{{At: noon.Add(15 * time.Minute)}}
	r = w.put(r)
	stage("", map[string]posture.Answer{"role: others than this account may assume it": posture.Stands, "role: it may do everything, or give itself that": posture.Stands, "its public access block is not whole": posture.RuledOut, "the policy lets other accounts in": posture.Stands, "it may do everything, or give itself that": posture.Stands, "it may call services that it does not use": posture.Stands})

	for i, c := range []struct {
		deny string
		want map[string]posture.Answer
	}{
		{"s3:GetBucketPublicAccessBlock", map[string]posture.Answer{"its public access block is not whole": posture.Unread, "the policy lets other accounts in": posture.Stands}},
		{"s3:GetBucketPolicy", map[string]posture.Answer{"the policy lets other accounts in": posture.Unread, "its public access block is not whole": posture.RuledOut}},
		{"s3:ListAccessPoints", map[string]posture.Answer{"access points lead to it": posture.Unread}},
		{"iam:GetPolicyVersion", map[string]posture.Answer{"it may do everything, or give itself that": posture.Unread, "a key of it is old": posture.RuledOut}},
		{"iam:GenerateServiceLastAccessedDetails", map[string]posture.Answer{"it may call services that it does not use": posture.Unread, "no boundary holds it": posture.Stands}},
		{"iam:GetServiceLastAccessedDetails", map[string]posture.Answer{"it may call services that it does not use": posture.Unread}},
		{"iam:GetRole", map[string]posture.Answer{"role: others than this account may assume it": posture.Unread, "role: it may do everything, or give itself that": posture.Stands}},
		{"iam:GetRolePolicy", map[string]posture.Answer{"role: it may do everything, or give itself that": posture.Unread, "it may do everything, or give itself that": posture.Stands}},
		{"iam:ListAccessKeys", map[string]posture.Answer{"a key of it is old": posture.Unread, "it may do everything, or give itself that": posture.Stands}},
	} {
		r.FollowUps = append(r.FollowUps, incident.FollowUp{At: noon.Add(time.Duration(16+i) * time.Minute)})
		r = w.put(r)
		stage(c.deny, c.want)
	}
	return w.aws.Calls(w.names()...)
}

// IAM that never answers takes no more than the time for the suspects: all else is kept, and what was not read says so.
func TestSlowSuspectsHoldUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "00000000000d", 1)
	w.k.lookTime = 3 * time.Second
	w.aws.Services["iam"] = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.put(suspected())
	batch := w.streamed()
	begin := time.Now()
	if err := w.k.handle(t.Context(), batch); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < w.k.lookTime || took > 20*time.Second { // five readings of a user, of five seconds each, if nothing ended them
		t.Errorf("it took %s", took)
	}
	if m := w.manifest(theft); m.ListDue || m.Taken == nil || len(m.Files) != 6 {
		t.Errorf("the manifest is %+v", m)
	}
	if s := w.suspects(theft)["a key of it is old"]; s.Of != lookedAt || s.Answer != posture.Unread {
		t.Errorf("of the user it says %+v", s)
	}
}

// An incident that cannot be kept holds up no other of the batch, and has the batch come again.
func TestOneThatCannotBeKeptHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "00000000000e", 1)
	const other = "20260304-120000-0012"
	w.put(told(opened(theft)))
	w.put(told(opened(other)))
	batch := w.streamed()
	if len(batch.Records) < 2 {
		t.Fatal("the stream has less than two records")
	}
	if _, err := w.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String(theft + "/manifest.json"), Body: strings.NewReader("<script>")}); err != nil {
		t.Fatal(err)
	}
	gone := batch.Records[0]
	gone.Change.Keys = map[string]events.DynamoDBAttributeValue{"pk": events.NewStringAttribute("incident#20260304-120000-0099"), "sk": events.NewStringAttribute("record")}
	brakes := batch.Records[0]
	brakes.Change.Keys = map[string]events.DynamoDBAttributeValue{"pk": events.NewStringAttribute("brakes"), "sk": events.NewStringAttribute("brakes")}
	batch.Records = append(batch.Records, gone, brakes, events.DynamoDBEventRecord{})
	err := w.k.handle(t.Context(), batch)
	if err == nil || !strings.Contains(err.Error(), "is no manifest of this incident") || !errors.Is(err, incident.ErrNotFound) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v", err)
	}
	if n := w.versions(other); n["manifest.json"] != 1 || len(n) != 7 {
		t.Errorf("of the other there are %v", n)
	}
}

func TestTheEnvironment(t *testing.T) {
	if _, err := build(awstest.Config("http://127.0.0.1"), []string{"NIGHTLATCH_TABLE=incidents", "NIGHTLATCH_MODE=act"}); err == nil || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("%v", err)
	}
}

// names are the deployment's own in its calls, and what stands for them.
func (w *world) names() []string {
	return []string{"arn:aws:dynamodb:eu-west-1:" + ours + ":table/" + w.table, "${Table}", "arn:aws:s3:::" + w.bucket, "${CaseBucket}", "arn:aws:s3:::" + athenatest.Results, "${ResultBucket}", store, "${EventDataStore}", ours, "${Account}", theft, "INCIDENT"}
}
