package duck

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

const (
	millionFiles   = 200
	millionPerFile = 5000
	millionKeys    = 300
	// millionDir names, for the child process, the directory to load.
	millionDir = "NIGHTLATCH_DUCK_MILLION"
	// millionMark ends a directory that was generated whole; its number changes with the generator.
	millionMark = "complete-2"
)

// millionFigures is what the child process reports.
type millionFigures struct {
	Events       int64
	Load, Ask    time.Duration
	PeakMemoryKB int64
}

// BenchmarkMillion loads 1,000,000 data events from 200 files and asks both questions of an incident. It does so in a process
// of its own, so that generating the files, which is not timed, does not count towards the peak of memory.
func BenchmarkMillion(b *testing.B) {
	dir := millionTrail(b)
	var sum millionFigures
	runs := 0
	for b.Loop() {
		child := exec.CommandContext(b.Context(), os.Args[0])
		child.Env = append(os.Environ(), millionDir+"="+dir)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("the measured process: %v\n%s", err, out)
		}
		_, figures, _ := strings.Cut(string(out), "figures ")
		figures, _, _ = strings.Cut(figures, "\n")
		var got millionFigures
		if err := json.Unmarshal([]byte(figures), &got); err != nil {
			b.Fatalf("the measured process said %q: %v", out, err)
		}
		runs++
		sum.Load, sum.Ask, sum.Events = sum.Load+got.Load, sum.Ask+got.Ask, sum.Events+got.Events
		sum.PeakMemoryKB = max(sum.PeakMemoryKB, got.PeakMemoryKB)
	}
	b.ReportMetric(float64(sum.Events)/(sum.Load+sum.Ask).Seconds(), "events/s")
	b.ReportMetric(sum.Load.Seconds()/float64(runs), "s/load")
	b.ReportMetric(sum.Ask.Seconds()/float64(runs), "s/ask")
	b.ReportMetric(float64(sum.PeakMemoryKB)/1024, "peak-MiB")
}

// TestMain is also the process that BenchmarkMillion measures.
func TestMain(m *testing.M) {
	if dir := os.Getenv(millionDir); dir != "" {
		if err := measureMillion(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// measureMillion loads the files, asks both questions of an incident, and prints the figures.
func measureMillion(dir string) error {
	ctx := context.Background()
	begin := time.Now()
	e, err := Open(ctx, Settings{})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Load(ctx, dir); err != nil {
		return err
	}
	got := millionFigures{Events: e.Events(), Load: time.Since(begin)}
	begin = time.Now()
	from := time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)
	buckets := []string{"customer-exports", "customer-archive"}
	for _, q := range []evidence.Question{
		evidence.Bytes{Windows: []evidence.Window{{ID: "one", Buckets: buckets, From: from, To: from.Add(5 * time.Minute)}}, Margin: 5 * time.Minute},
		evidence.Usage{Buckets: buckets, Before: from},
	} {
		answer, err := e.Ask(ctx, q)
		if err != nil {
			return err
		}
		if len(answer.Rows) < 50 || len(answer.Lost) != 0 {
			return fmt.Errorf("%s: got %d rows and lost %q", q.Name(), len(answer.Rows), answer.Lost)
		}
	}
	got.Ask = time.Since(begin)
	got.PeakMemoryKB = peakMemoryKB()
	if got.Events != millionFiles*millionPerFile {
		return fmt.Errorf("got %d events", got.Events)
	}
	out, err := json.Marshal(got)
	fmt.Printf("figures %s\n", out)
	return err
}

// peakMemoryKB is the most memory this process has held, where the system tells: Linux does.
func peakMemoryKB() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	fmt.Sscan(rest, &kb)
	return kb
}

// millionTrail makes the files once for this machine.
func millionTrail(b *testing.B) string {
	dir := filepath.Join(os.TempDir(), "nightlatch-duck-million")
	if _, err := os.Stat(filepath.Join(dir, millionMark)); err == nil {
		return dir
	}
	err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range millionFiles {
		name := filepath.Join(dir, fmt.Sprintf("111122223333_CloudTrail_eu-west-1_%05d.json.gz", i))
		if at, err = millionFile(name, at, random); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, millionMark), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

func millionFile(name string, at time.Time, random *rand.Rand) (time.Time, error) {
	f, err := os.Create(name)
	if err != nil {
		return at, err
	}
	zipped := gzip.NewWriter(f)
	w := bufio.NewWriter(zipped)
	w.WriteString(`{"Records":[`)
	for i := range millionPerFile {
		if i > 0 {
			w.WriteString(",")
		}
		at = at.Add(time.Duration(random.IntN(400)) * time.Millisecond)
		millionEvent(w, at, random)
	}
	w.WriteString(`]}`)
	return at, errors.Join(w.Flush(), zipped.Close(), f.Close())
}

// millionEvent writes one S3 data event: of several callers, names, buckets and agents, some of them errors.
func millionEvent(w *bufio.Writer, at time.Time, random *rand.Rand) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	key := random.IntN(millionKeys)
	bucket := pick("customer-exports", "customer-exports", "customer-exports", "customer-archive", "build-cache")
	object := fmt.Sprintf("exports/2026/%d/part-%d.parquet", key, random.IntN(100000))
	identity := fmt.Sprintf(`{"type":"IAMUser","principalId":"AIDA%016d","arn":"arn:aws:iam::111122223333:user/user-%d","accountId":"111122223333","accessKeyId":"AKIA%016d","userName":"user-%d"}`, key, key, key, key)
	if key%3 == 0 {
		identity = fmt.Sprintf(`{"type":"AssumedRole","principalId":"AROA%016d:i-%017x","arn":"arn:aws:sts::111122223333:assumed-role/role-%d/i-%017x","accountId":"111122223333","accessKeyId":"ASIA%016d","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA%016d","arn":"arn:aws:iam::111122223333:role/role-%d","accountId":"111122223333","userName":"role-%d"},"webIdFederationData":{},"attributes":{"creationDate":"%s","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}}`,
			key, key, key, key, key, key, key, key, at.Add(-time.Hour).Format(time.RFC3339))
	}
	failure := ""
	if random.IntN(50) == 0 {
		failure = `"errorCode":"AccessDenied","errorMessage":"Access Denied",`
	}
	fmt.Fprintf(w, `{"eventVersion":"1.11","userIdentity":%s,"eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"203.0.%d.%d","userAgent":"%s",%s`,
		identity, at.Format(time.RFC3339), pick("GetObject", "GetObject", "GetObject", "HeadObject", "PutObject", "ListObjects"), key%200, random.IntN(250),
		pick("[aws-sdk-go-v2/1.30.1 os/linux lang/go#1.22 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.0]", "[aws-cli/2.15.30 Python/3.11.8 Linux/6.1.79 exe/x86_64.amzn.2023 prompt/off command/s3.cp]", "[Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.1.79 lang/python#3.12.2]"), failure)
	fmt.Fprintf(w, `"requestParameters":{"bucketName":"%[1]s","Host":"%[1]s.s3.eu-west-1.amazonaws.com","key":"%[2]s"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"SSEApplied":"SSE_S3","AuthenticationMethod":"%[3]s","x-amz-id-2":"RBVZE1aP5ZIWKUdG1hjRObcaPvsi1R4sMQr7GV+WPWocwL/I0cZVMkXnNBc55YA7mS056DtQ%08[4]x","bytesTransferredOut":%[5]d},`,
		bucket, object, pick("AuthHeader", "AuthHeader", "QueryString"), random.Uint32(), random.IntN(1<<24))
	fmt.Fprintf(w, `"requestID":"%016X","eventID":"%08x-26ab-4b1b-8f54-%012x","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::%[4]s/%[5]s"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%[4]s"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%[4]s.s3.eu-west-1.amazonaws.com"}}`,
		random.Uint64(), random.Uint32(), random.Int64N(1<<48), bucket, object)
}
