package backtest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/settings"
	"nightlatch/internal/workers"
)

// call is what a reckoning by hand reads of a record.
type call struct {
	EventID, SharedEventID, EventSource, EventName, EventCategory string
	EventTime                                                     time.Time
	Shipped                                                       time.Time `json:"@timestamp"` // what a log shipper writes in its place
	ManagementEvent                                               *bool
	RequestParameters                                             struct{ BucketName string }
	Resources                                                     []struct{ ARN string }
	AdditionalEventData                                           struct{ BytesTransferredOut any }
}

// bucket is the bucket that a data event is about; "" for any other call.
func (c call) bucket() string {
	data := c.EventCategory == "Data" || c.EventCategory == "" && c.ManagementEvent != nil && !*c.ManagementEvent ||
		c.EventCategory == "" && c.ManagementEvent == nil && slices.Contains([]string{"GetObject", "ListObjects", "HeadObject", "PutObject"}, c.EventName)
	if c.EventSource != "s3.amazonaws.com" || !data {
		return ""
	}
	for _, r := range c.Resources {
		if _, path, ok := strings.Cut(r.ARN, ":::"); ok && c.EventName != "CopyObject" {
			name, _, _ := strings.Cut(path, "/")
			return name
		}
	}
	return c.RequestParameters.BucketName
}

func (c call) bytes() int64 {
	var n float64
	fmt.Sscan(fmt.Sprint(c.AdditionalEventData.BytesTransferredOut), &n)
	return int64(n)
}

// byHand adds up a folder's records without the engine: by bucket, the minutes in time order.
func byHand(t *testing.T, dir string) map[string][]alarm.Point {
	t.Helper()
	seen := map[string]bool{}
	sums := map[string]map[time.Time]int64{}
	add := func(c call) {
		id, b := cmp.Or(c.SharedEventID, c.EventID), c.bucket()
		if b == "" || seen[id] {
			return
		}
		seen[id] = true
		if c.EventTime.IsZero() {
			c.EventTime = c.Shipped
		}
		if sums[b] == nil {
			sums[b] = map[time.Time]int64{}
		}
		sums[b][c.EventTime.Truncate(time.Minute)] += c.bytes()
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "alarm.json" || !strings.Contains(path, ".json") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return records(text, add)
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]alarm.Point{}
	for b, minutes := range sums {
		for at, n := range minutes {
			all[b] = append(all[b], alarm.Point{Start: at, Bytes: n})
		}
		slices.SortFunc(all[b], func(x, y alarm.Point) int { return x.Start.Compare(y.Start) })
	}
	return all
}

// records reads a file: {"Records":[…]}, a list, or one record after the other.
func records(text []byte, each func(call)) error {
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		r, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return err
		}
		if text, err = io.ReadAll(r); err != nil {
			return err
		}
	}
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var one json.RawMessage
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var file struct{ Records []call }
		var list []call
		var c call
		switch {
		case json.Unmarshal(one, &list) == nil:
		case json.Unmarshal(one, &file) == nil && file.Records != nil:
			list = file.Records
		case json.Unmarshal(one, &c) == nil:
			list = []call{c}
		}
		for _, c := range list {
			each(c)
		}
	}
}

// loaded is a backtest over a folder.
func loaded(t testing.TB, dir string) Backtest {
	t.Helper()
	e, err := duck.Open(t.Context(), duck.Settings{Temp: t.TempDir(), Parts: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Load(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	b := Backtest{Trail: e, Progress: func(string, int, int) {}}
	if b.From, b.To, _, err = sandbox.Reach(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return b
}

// proves compares which minutes fire with a reckoning by hand, at thresholds at which some do.
func proves(t *testing.T, dir string, least int) {
	b := loaded(t, dir)
	got, unwatched, err := b.series(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := byHand(t, dir)
	if len(got)+len(unwatched) != len(want) || len(want) == 0 && least > 0 {
		t.Errorf("got %d buckets and %q, want %d", len(got), unwatched, len(want))
	}
	fired := 0
	for _, s := range got {
		hand := want[s.Bucket]
		if !slices.EqualFunc(s.Minutes, hand, func(x, y alarm.Point) bool { return x.Start.Equal(y.Start) && x.Bytes == y.Bytes }) {
			t.Fatalf("%s: the minutes add up to %v, want %v", s.Bucket, s.Minutes, hand)
		}
		sizes := []int64{}
		for _, p := range hand {
			sizes = append(sizes, p.Bytes)
		}
		slices.Sort(sizes)
		for _, bytes := range []int64{0, sizes[len(sizes)/2], sizes[len(sizes)*9/10], sizes[len(sizes)-1] - 1} {
			for _, threshold := range []settings.Threshold{{Bytes: bytes, Period: settings.Minute}, {Bytes: bytes * int64(len(sizes)) / 3, Period: settings.Day}} {
				if threshold.Period == settings.Day && len(hand) > 2000 {
					continue // a day's sums by hand take hours
				}
				begun, ended := brute(hand, threshold)
				fired += len(begun)
				for i, f := range Fire(s.Minutes, threshold) {
					if i >= len(begun) || !f.At.Equal(begun[i]) || !f.Until.Equal(ended[i]) {
						t.Fatalf("%s above %s: alarm %d is %+v, want %v to %v", s.Bucket, threshold, i, f, begun, ended)
					}
				}
				if n := len(Fire(s.Minutes, threshold)); n != len(begun) {
					t.Fatalf("%s above %s: %d alarms, want %d", s.Bucket, threshold, n, len(begun))
				}
			}
		}
	}
	if fired < least {
		t.Errorf("only %d alarms: this trail shows little", fired)
	}
}

func TestTheSampleTrailFiresAsReckonedByHand(t *testing.T) {
	proves(t, "../../events/trail", 20)
}

func TestPublishedTrailsFireAsReckonedByHand(t *testing.T) {
	// Two of them hold management events alone: their bytes are in no metric.
	for name, least := range map[string]int{"otrf-ec2-proxy-s3-exfiltration": 1, "invictus-stratus-run": 0, "stratus-detonations": 0} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../../../shared/trails", name)
			if _, err := os.Stat(dir); err != nil {
				t.Skipf("the published trails are not here: %v", err)
			}
			proves(t, dir, least)
		})
	}
}

// A busy trail of several days: all of it where NIGHTLATCH_TESTS is "all".
func TestAGeneratedTrailFiresAsReckonedByHand(t *testing.T) {
	events := 20_000
	if os.Getenv("NIGHTLATCH_TESTS") == "all" {
		events = 300_000
	}
	dir := t.TempDir()
	generate(t, dir, events, 5_000, 14*24*time.Hour/300_000)
	proves(t, dir, 20)
}

// generate writes a trail, some of whose records are delivered twice.
func generate(t testing.TB, dir string, events, perFile int, apart time.Duration) {
	t.Helper()
	failed := make([]error, (events+perFile-1)/perFile)
	workers.Pool{Size: runtime.GOMAXPROCS(0)}.Each(len(failed), func(i int) { failed[i] = generateFile(dir, i, perFile, apart) })
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
}

func generateFile(dir string, i, events int, apart time.Duration) error {
	random := rand.New(rand.NewPCG(3, uint64(i)))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i*events) * apart)
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("111122223333_CloudTrail_eu-west-1_%05d.json.gz", i)))
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(f)
	w := bufio.NewWriter(zipped)
	var line bytes.Buffer
	for range events {
		line.Reset()
		one := bufio.NewWriter(&line)
		at = at.Add(time.Duration(random.Int64N(int64(2 * apart))))
		enginetest.WriteEvent(one, at, random)
		one.Flush()
		for range 1 + random.IntN(50)/49 {
			w.Write(line.Bytes())
			w.WriteString("\n")
		}
	}
	return errors.Join(w.Flush(), zipped.Close(), f.Close())
}
