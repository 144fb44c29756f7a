package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var updateSample = flag.Bool("update", false, "write the sample trail in events/trail anew")

const (
	sampleDir = "../../events/trail"
	// sampleMost is what the sample's files may add up to: it is cloned with the source.
	sampleMost = 150 << 10
	// The account, the bucket, the bytes, the calls and the key of the alarms and questions in events/.
	sampleAccount, sampleRegion = "444455556666", "eu-central-1"
	sampleBucket, sampleOwner   = "example-exports", "dana.okafor"
	sampleBytes, sampleCalls    = 2147483648, 300
	sampleKey                   = "AKIAIOSFODNN7EXAMPLE"
)

// sampleTheft is the minute that the alarms in events/ are about.
var sampleTheft = time.Date(2026, 5, 12, 2, 13, 0, 0, time.UTC)

// The sample trail is what this story says, to the byte: to change it, change the story, and write it with -update.
func TestTheSampleTrail(t *testing.T) {
	want := newSample().files(t)
	if *updateSample {
		writeSample(t, want)
	}
	got, size := readSample(t)
	page, err := os.ReadFile(filepath.Join(sampleDir, "../README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if says := fmt.Sprintf("%d records in %d files", len(newSample().records), len(want)); !bytes.Contains(page, []byte(says)) {
		t.Errorf("events/README.md does not say %q", says)
	}
	for name, text := range want {
		if !bytes.Equal(got[name], text) {
			t.Errorf("%s is not what the story says: go test ./internal/sandbox -run TestTheSampleTrail -update", name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is not of the story", name)
	}
	if size > sampleMost {
		t.Errorf("the sample has %d bytes, want at most %d", size, sampleMost)
	}
}

// The trail explains the alarm to the byte, and the metric counted the same responses.
func TestTheSampleHasTheAlarmsBytes(t *testing.T) {
	var sum, calls int64
	for _, r := range newSample().records {
		if r.RequestParameters["bucketName"] == sampleBucket && r.EventTime.Truncate(time.Minute).Equal(sampleTheft) {
			sum += r.AdditionalData["bytesTransferredOut"].(int64)
			calls++
		}
	}
	if sum != sampleBytes || calls != sampleCalls {
		t.Errorf("got %d bytes in %d calls, want %d in %d", sum, calls, sampleBytes, sampleCalls)
	}
}

// sample is two weeks of a small account, and the night in which a key of its is used by somebody else.
type sample struct {
	*story
	records []record
}

func newSample() *sample {
	s := &sample{story: &story{rng: rand.New(rand.NewPCG(11, 2026)), roles: map[string]string{}}}
	s.colleague()
	s.dashboard()
	s.etl()
	s.service()
	s.theft(s.owner())
	return s
}

func (s *sample) get(c caller, at time.Time, bucket, kind string, mean int64) {
	s.records = append(s.records, c.call(s.rng, at, "GetObject", bucket, s.key(kind), s.size(mean)))
}

// onDays calls visit for each of the days before the theft that is one of these, at an hour of work.
func (s *sample) onDays(days []time.Weekday, visit func(time.Time)) {
	for ago := 14; ago > 0; ago-- {
		day := sampleTheft.Truncate(24*time.Hour).AddDate(0, 0, -ago)
		if slices.Contains(days, day.Weekday()) {
			visit(day.Add(8*time.Hour + time.Duration(s.rng.Int64N(int64(8*time.Hour)))))
		}
	}
}

// owner works from the office, Tuesday to Friday: her key rests since the Friday before the theft.
func (s *sample) owner() identity {
	c := caller{who: iamUser(s.rng, sampleOwner, sampleKey), ip: within("203.0.113"), agent: "aws-cli/2.31.4 md/prompt#off"}
	s.onDays([]time.Weekday{time.Tuesday, time.Wednesday, time.Thursday, time.Friday}, func(at time.Time) {
		for i := range 4 {
			s.get(c, at.Add(time.Duration(i)*7*time.Minute), sampleBucket, "reports", 5<<20)
		}
	})
	return c.who
}

// colleague works from the same office, Monday to Friday.
func (s *sample) colleague() {
	c := caller{who: iamUser(s.rng, "bruno.keller", keyID("AKIA", s.rng)), ip: within("203.0.113"), agent: "aws-cli/2.31.4 md/prompt#off"}
	s.onDays([]time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}, func(at time.Time) {
		for i := range 3 {
			s.get(c, at.Add(time.Duration(i)*11*time.Minute), sampleBucket, "reports", 3<<20)
		}
	})
}

// dashboard reads two buckets, day and night.
func (s *sample) dashboard() {
	c := caller{who: iamUser(s.rng, "svc-dashboard", keyID("AKIA", s.rng)), ip: always("192.0.2.17"), agent: "aws-sdk-js/3.900.0 os/linux"}
	for at := sampleTheft.AddDate(0, 0, -14); at.Before(sampleTheft.Add(time.Hour)); at = at.Add(4 * time.Hour) {
		s.get(c, at.Add(20*time.Second), sampleBucket, "kpi", 300<<10)
		s.get(c, at.Add(21*time.Second), "example-reports", "kpi", 300<<10)
	}
}

// etl is a role that works at night, behind a VPC endpoint, and does so in the night of the theft.
func (s *sample) etl() {
	for ago := 14; ago >= 0; ago-- {
		start := sampleTheft.AddDate(0, 0, -ago).Add(-10 * time.Minute)
		c := caller{who: s.session("etl-nightly", "glue-job-"+start.Format("20060102")), ip: within("10.20.200"),
			agent: "aws-sdk-java/2.31.0", endpoint: "vpce-0a1b2c3d4e5f60718", account: accountID}
		for i := range 8 {
			s.get(c, start.Add(time.Duration(i)*2*time.Minute+31*time.Second), sampleBucket, "exports", 4<<20)
		}
		if ago == 0 {
			for i := range 3 {
				s.get(c, sampleTheft.Add(time.Duration(8+i*13)*time.Second), sampleBucket, "exports", 4<<20)
			}
		}
	}
}

// service is an AWS service that reads in its own name.
func (s *sample) service() {
	const name = "replication.s3.amazonaws.com"
	c := caller{who: identity{Type: "AWSService", InvokedBy: name}, ip: always(name), agent: name}
	for at := sampleTheft.AddDate(0, 0, -14); at.Before(sampleTheft.Add(time.Hour)); at = at.Add(6 * time.Hour) {
		s.get(c, at.Add(44*time.Second), sampleBucket, "ledger", 1<<20)
	}
}

// theft is two listings and as many objects as make the metric's bytes and calls, in less than a minute, from where the owner never was.
func (s *sample) theft(owner identity) {
	c := caller{who: owner, ip: always("198.51.100.77"), agent: "aws-cli/2.31.4 md/installer#exe md/prompt#off os/linux#6.16.8+kali-amd64"}
	left, calls := int64(sampleBytes), sampleCalls
	take := func(name, key string, after time.Duration, n int64) {
		s.records = append(s.records, c.call(s.rng, sampleTheft.Add(after), name, sampleBucket, key, n))
		left, calls = left-n, calls-1
	}
	for _, r := range s.records {
		if r.RequestParameters["bucketName"] == sampleBucket && r.EventTime.Truncate(time.Minute).Equal(sampleTheft) {
			left, calls = left-r.AdditionalData["bytesTransferredOut"].(int64), calls-1
		}
	}
	take("ListObjects", "", 0, s.size(200<<10))
	take("ListObjects", "", time.Second, s.size(200<<10))
	objects, mean := calls, left/int64(calls)
	for i := range objects {
		n := left
		if calls > 1 {
			// No more than what leaves something for each of the rest.
			n = min(s.size(mean), left-int64(calls-1)*(mean/2))
		}
		take("GetObject", s.key("exports"), 2*time.Second+time.Duration(i)*56*time.Second/time.Duration(objects), n)
	}
}

// files are the trail as CloudTrail delivers it: the past in one file a day, the night in one for each five minutes of delivery, which is
// two to seven minutes late and in no order.
func (s *sample) files(t *testing.T) map[string][]byte {
	t.Helper()
	delivered := map[time.Time][]record{}
	for _, r := range s.records {
		due := r.EventTime.Truncate(24 * time.Hour).Add(23*time.Hour + 55*time.Minute)
		if sampleTheft.Sub(r.EventTime) < 30*time.Minute {
			due = r.EventTime.Add(2*time.Minute + time.Duration(s.rng.Int64N(int64(5*time.Minute)))).Truncate(5 * time.Minute).Add(5 * time.Minute)
		}
		delivered[due] = append(delivered[due], r)
	}
	texts := map[string][]byte{}
	for due, records := range delivered {
		slices.SortFunc(records, func(x, y record) int { return strings.Compare(x.EventID, y.EventID) })
		text, err := json.Marshal(map[string]any{"Records": records})
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("AWSLogs/%[1]s/CloudTrail/%[2]s/%[3]s/%[1]s_CloudTrail_%[2]s_%[4]s_%016[5]x.json.gz",
			sampleAccount, sampleRegion, due.Format("2006/01/02"), due.Format("20060102T1504Z"), due.Unix())
		// The helpers of the midnight write its account and region.
		texts[name] = []byte(strings.NewReplacer(accountID, sampleAccount, region, sampleRegion).Replace(string(text)))
	}
	return texts
}

func writeSample(t *testing.T, texts map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(sampleDir); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		path := filepath.Join(sampleDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var zipped bytes.Buffer
		z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, zipped.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readSample returns the sample's files, unzipped, and what they take on the disk.
func readSample(t *testing.T) (texts map[string][]byte, size int) {
	t.Helper()
	texts = map[string][]byte{}
	err := fs.WalkDir(os.DirFS(sampleDir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		zipped, err := os.ReadFile(filepath.Join(sampleDir, name))
		if err != nil {
			return err
		}
		size += len(zipped)
		z, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		texts[name], err = io.ReadAll(z)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts, size
}
