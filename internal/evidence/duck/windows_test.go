package duck_test

// Many windows in one question: each has the answer that it has alone.

import (
	"fmt"
	"go/token"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/enginetest"
)

func window(id string, from, to time.Time, buckets ...string) evidence.Window {
	return evidence.Window{ID: id, Buckets: buckets, From: from, To: to}
}

// alike are tallies without what is not compared: unexported fields.
func alike(t *testing.T, what string, got, want evidence.Tally) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && !token.IsExported(f.Name())
	}, cmp.Ignore())); diff != "" {
		t.Errorf("%s (-alone +in company):\n%s", what, diff)
	}
}

// anyRecords are n calls of all kinds on a few buckets around noon. There are reads, listings, refusals, copies between watched buckets and
// out of them, access points, records of one call that disagree, and records that come twice.
func anyRecords(rnd *rand.Rand, n int) []record {
	bucketOf := func() string { return []string{bucket, "images", "ledger", "other"}[rnd.IntN(4)] }
	all := each(n, func(i int) []change {
		b := bucketOf()
		changes := []change{id(fmt.Sprintf("any-%04d", i)), in(b), resources("arn:aws:s3:::"+b+"/k", "arn:aws:s3:::"+b), size(rnd.IntN(1000)), object(fmt.Sprint("k", rnd.IntN(9))),
			at(noon.Add(time.Duration(rnd.IntN(3600)-1800) * time.Second)), keyID(fmt.Sprintf("AKIAEXAMPLEANY00000%d", rnd.IntN(4))),
			from(fmt.Sprintf("198.51.%d.7", rnd.IntN(3))), agent([]string{"curl", "wget"}[rnd.IntN(2)])}
		switch rnd.IntN(10) {
		case 0:
			changes = append(changes, name("ListObjects"))
		case 1:
			changes = append(changes, failed("AccessDenied"))
		case 2, 3:
			changes = append(changes, copied(bucketOf()+"/k"), in(b))
		case 4: // through an access point, or named otherwise than its resources
			changes = append(changes, in("arn:aws:s3:eu-west-1:111122223333:accesspoint/reports"))
		case 5:
			changes = append(changes, in(bucketOf()))
		case 6: // another record of the same call, which may stand elsewhere in time and place
			changes = append(changes, set("sharedEventID", fmt.Sprint("shared-", rnd.IntN(5))))
		case 7:
			changes = append(changes, size(nil), presigned)
		case 8: // a record that names no bucket is in no window, also where that names none
			changes = append(changes, resources(), in([]string{b, ""}[rnd.IntN(2)]))
		case 9:
			changes = append(changes, keyID(""), set("sharedEventID", fmt.Sprint("shared-", rnd.IntN(5))))
		}
		return changes
	})
	return append(all, all[:n/10]...)
}

// someWindows are windows of all kinds on their buckets, and n at random.
func someWindows(rnd *rand.Rand, n int) []evidence.Window {
	buckets := []string{bucket, "images", "ledger"}
	windows := []evidence.Window{
		window("minute", noon, noon.Add(time.Minute), bucket),
		window("day", noon.Add(-12*time.Hour), noon.Add(12*time.Hour), bucket),
		window("overlapping", noon.Add(30*time.Second), noon.Add(5*time.Minute), bucket, "images"),
		window("all", noon.Add(-time.Minute), noon.Add(time.Minute), buckets...),
		window("all, in another order", noon.Add(-time.Minute), noon.Add(time.Minute), "ledger", "images", bucket),
		window("the same", noon, noon.Add(time.Minute), bucket),
		window("another", noon, noon.Add(time.Minute), "images"),
		window("nobody", noon, noon.Add(time.Minute), "quiet"),
		window("no time", noon, noon, bucket),
		window("no bucket", noon, noon.Add(time.Minute)),
		window("what is no bucket", noon, noon.Add(time.Minute), "", "x' OR 1=1 --", bucket+" images", bucket+"/images"),
	}
	for i := range n {
		from := noon.Add(time.Duration(rnd.IntN(3600)-1800) * time.Second)
		some := slices.Clone(buckets)
		rnd.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		windows = append(windows, window(fmt.Sprint("any-", i), from, from.Add(time.Duration(rnd.IntN(900))*time.Second), some[:1+rnd.IntN(3)]...))
	}
	return windows
}

func TestEachWindowIsAnsweredAsIfItWereAlone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	e := trail(t, anyRecords(rnd, 600))
	windows := someWindows(rnd, enginetest.Draws(8, 25))
	q := evidence.Bytes{Windows: windows, Margin: alarm.Margin}
	inCompany := rows(t, e, q)
	together, err := evidence.ReadBytes(inCompany, q, actor.Accounts(account))
	if err != nil {
		t.Fatal(err)
	}
	byNumber := map[string][]evidence.Row{}
	for _, r := range inCompany {
		byNumber[r["window_no"]] = append(byNumber[r["window_no"]], r)
	}
	numbers := q.Numbers()
	moved, seen := 0, map[string]bool{}
	for i, w := range windows {
		q := evidence.Bytes{Windows: windows[i : i+1], Margin: alarm.Margin}
		byItself := rows(t, e, q)
		tallies, err := evidence.ReadBytes(byItself, q, actor.Accounts(account))
		if err != nil {
			t.Fatal(err)
		}
		alone := tallies[w.ID]
		alike(t, w.ID, together[w.ID], alone)
		// Row by row, whatever a tally leaves out.
		n := fmt.Sprint(numbers[w.ID])
		for _, r := range byItself {
			r["window_no"] = n
		}
		equal(t, byNumber[n], byItself)
		if alone.Bytes > 0 {
			moved++
		}
		seen[alone.Digest] = true
	}
	if least := (len(windows) + 4) / 2; moved < least || len(seen) < least {
		t.Errorf("%d windows with bytes, %d different answers: nothing was compared", moved, len(seen))
	}
	for _, quiet := range []string{"nobody", "no bucket", "what is no bucket"} {
		alike(t, quiet, together[quiet], evidence.Tally{Digest: together["nobody"].Digest})
	}
}

func TestACopyIsOutOfEachWindowThatItLeaves(t *testing.T) {
	e := trail(t, calls(call(copied("exports/k"), in("images"))))
	got := map[string]sums{}
	for id, tally := range talliedAll(t, e, account, window("source", noon, end, bucket), window("target", noon, end, "images"), window("both", noon, end, bucket, "images"),
		window("later", end, end.Add(time.Minute), bucket)) {
		got[id] = sumsOf(tally)
	}
	equal(t, got, map[string]sums{"source": {Calls: 1, Copies: 1}, "target": {Bytes: 300, Listing: 300, Calls: 1},
		"both": {Bytes: 300, Listing: 300, Calls: 1, Copies: 1}, "later": {}})
}

// The two records of one call are one in each window, also where a window holds only one of them.
func TestTwoRecordsOfACallAreOneInEachWindow(t *testing.T) {
	e := trail(t, calls(
		call(id("1"), set("sharedEventID", "s"), at(noon.Add(59*time.Second))),
		call(id("2"), set("sharedEventID", "s"), at(noon.Add(20*time.Minute)), keyID(""), set("recipientAccountId", "444455556666"))))
	got := talliedAll(t, e, account, window("first", noon, noon.Add(time.Minute), bucket), window("second", noon.Add(20*time.Minute), noon.Add(21*time.Minute), bucket),
		window("both", noon, noon.Add(time.Hour), bucket))
	keys := map[string]string{}
	for id, tally := range got {
		equal(t, sumsOf(tally), one)
		keys[id] = tally.Actors[0].AccessKeyID
	}
	equal(t, keys, map[string]string{"first": key, "second": "", "both": key})
}

// The companions change from round to round; the digest of a window must not.
func TestCompanionsChangeNoDigest(t *testing.T) {
	e := trail(t, calls(call(), call(in("images"), resources("arn:aws:s3:::images/k"), keyID("AKIAEXAMPLEOTHER0001")), call(at(end))))
	mine := window("mine", noon, end, bucket)
	alone := tallied(t, e, mine, account)
	for name, others := range map[string][]evidence.Window{
		"an earlier one":           {window("a", noon.Add(-time.Hour), noon, bucket)},
		"one of the same bucket":   {window("a", noon, end.Add(time.Minute), bucket)},
		"one of another bucket":    {window("a", noon, end, "images")},
		"one of both":              {window("a", noon, end, bucket, "images")},
		"one in which nobody took": {window("a", noon, end, "quiet")},
		"the same":                 {window("a", noon, end, bucket)},
	} {
		for _, windows := range [][]evidence.Window{append(slices.Clone(others), mine), append([]evidence.Window{mine}, others...)} {
			alike(t, name, talliedAll(t, e, account, windows...)["mine"], alone)
		}
	}
}

func TestAThousandAlarmsOfOneMinute(t *testing.T) {
	q := evidence.Bytes{Margin: alarm.Margin}
	records := each(1000, func(i int) []change {
		b := fmt.Sprintf("customer-exports-%03d", i)
		q.Windows = append(q.Windows, window(fmt.Sprint(i), noon, noon.Add(time.Minute), b))
		return []change{in(b), resources("arn:aws:s3:::" + b + "/k"), size(1 + i), keyID(fmt.Sprintf("AKIAEXAMPLETHOUS%04d", i))}
	})
	e := trail(t, records)
	got := map[string]int64{}
	begin, batches := time.Now(), q.Batches()
	for _, batch := range batches {
		tallies, err := evidence.ReadBytes(rows(t, e, batch), batch, actor.Accounts(account))
		if err != nil {
			t.Fatal(err)
		}
		for id, tally := range tallies {
			if len(tally.Actors) != 1 {
				t.Fatalf("window %s has %d actors", id, len(tally.Actors))
			}
			got[id] = tally.Bytes
		}
	}
	t.Logf("%d questions, %s", len(batches), time.Since(begin).Round(time.Millisecond))
	want := map[string]int64{}
	for i := range 1000 {
		want[fmt.Sprint(i)] = int64(1 + i)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
