package casefolder

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

const (
	// benchObjects may say how many objects the benchmark's thief takes, benchDir is where, for the process that is measured.
	benchObjects, benchDir = "NIGHTLATCH_BENCH_OBJECTS", "NIGHTLATCH_BENCH_CASE"
	benchFile              = 10_000 // records
)

// BenchmarkList prints what the list of a million objects takes, by a process of its own that loads their trail and writes the case folder.
//
//	NIGHTLATCH_BENCH_OBJECTS=5000000 go test ./internal/casefolder -run '^$' -bench List -benchtime 1x
func BenchmarkList(b *testing.B) {
	objects := 1_000_000
	if n, err := strconv.Atoi(os.Getenv(benchObjects)); err == nil {
		objects = n
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("nightlatch-bench-list-%d", objects))
	if _, err := os.Stat(dir); err != nil {
		if err := errors.Join(writeObjects(dir+".part", objects), os.Rename(dir+".part", dir)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), benchDir+"="+dir)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		b.Logf("%d objects, %s of CPU\n%s", objects, child.ProcessState.UserTime()+child.ProcessState.SystemTime(), out)
	}
}

// measured loads the trail and writes the folder, and prints what each took.
func measured() int {
	begin := time.Now()
	step := func(what string) {
		fmt.Printf("%-8s %6.1f s, the most memory so far %s\n", what, time.Since(begin).Seconds(), peakMemory())
		begin = time.Now()
	}
	ctx, dir := context.Background(), os.Getenv(benchDir)
	err := func() error {
		engine, err := duck.Open(ctx, duck.Settings{})
		if err != nil {
			return err
		}
		defer engine.Close()
		if err := engine.Load(ctx, dir); err != nil {
			return err
		}
		step("load")
		out, err := os.MkdirTemp("", "nightlatch-bench-case-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(out)
		r := incident.Record{ID: "bench", Alarm: alarm.Alarm{Buckets: []string{"exports"}, From: noon, To: noon.Add(time.Hour)},
			Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: key, AccessKeyID: key, State: containment.Asked}}}
		folder, err := Write(ctx, out, r, nil, engine.Each)
		if err != nil {
			return err
		}
		step("list")
		info, err := os.Stat(filepath.Join(folder, listName))
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, manifestName))
		fmt.Printf("%d MiB of list\n%.900s\n", info.Size()>>20, text)
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// peakMemory is what the process has held at most, of all kinds, where the system says it.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "not known on " + runtime.GOOS
	}
	for line := range strings.Lines(string(status)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return fmt.Sprintf("%d MiB", kb>>10)
		}
	}
	return "not known"
}

// writeObjects writes a trail in which one key reads that many objects in an hour, and others read some.
func writeObjects(dir string, objects int) error {
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	for first := 0; first < objects; first += benchFile {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%08d.json.gz", first)))
		if err != nil {
			return err
		}
		z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(z)
		w.WriteString(`{"Records":[`)
		for i := first; i < min(objects, first+benchFile); i++ {
			if i > first {
				w.WriteString(",")
			}
			writeObject(w, i, objects)
		}
		w.WriteString("]}")
		if err := errors.Join(w.Flush(), z.Close(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func writeObject(w *bufio.Writer, i, of int) {
	at := noon.Add(time.Duration(float64(time.Hour) * float64(i) / float64(of)))
	object := fmt.Sprintf("customers/%04d/%016x/statement-%d.parquet", i%5000, uint64(i)*0x9e3779b97f4a7c15, i)
	fmt.Fprintf(w, `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEMARA","arn":"arn:aws:iam::111122223333:user/mara","accountId":"111122223333","accessKeyId":"%s","userName":"mara"},"eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"198.51.%d.%d","userAgent":"[aws-cli/2.31.4]",`,
		key, at.Format(time.RFC3339), 100+i%2, i%250)
	fmt.Fprintf(w, `"requestParameters":{"bucketName":"exports","Host":"exports.s3.eu-west-1.amazonaws.com","key":"%[1]s"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":%[2]d},"requestID":"%016[3]X","eventID":"%08[4]x-26ab-4b1b-8f54-%012[3]x","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::exports/%[1]s"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::exports"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}`,
		object, 1000+i%100_000, i, uint32(i)*2654435761)
}
