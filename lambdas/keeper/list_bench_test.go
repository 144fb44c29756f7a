package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/awstest"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/incident"
)

// listObjects may say how many objects the benchmark's thief has taken; listEndpoint is AWS, for the process that is measured.
const listObjects, listEndpoint = "NIGHTLATCH_BENCH_OBJECTS", "NIGHTLATCH_BENCH_ENDPOINT"

const listTable = "Nightlatch-8d6f2a40-0000-11f1-9c1c-0000000000ff"

// BenchmarkList prints what the list of a million objects takes of the function's time and memory, out of Athena's answer, by a process of its own.
//
//	NIGHTLATCH_BENCH_OBJECTS=5000000 go test ./lambdas/keeper -run '^$' -bench List -benchtime 1x -timeout 0
func BenchmarkList(b *testing.B) {
	objects, _ := strconv.Atoi(cmp.Or(os.Getenv(listObjects), "1000000"))
	file := filepath.Join(b.TempDir(), "rows.csv")
	if err := writeRows(file, objects); err != nil {
		b.Fatal(err)
	}
	path, err := exec.LookPath(cmp.Or(os.Getenv("NIGHTLATCH_MOTO"), "moto_server"))
	if err != nil {
		b.Skip("there is no moto_server")
	}
	moto := exec.Command(path, "-H", "127.0.0.1", "-p", "18099")
	if err := moto.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { moto.Process.Kill(); moto.Wait() }()
	at := &url.URL{Scheme: "http", Host: "127.0.0.1:18099"}
	bucket := "nightlatch-cases-" + strings.TrimPrefix(listTable, "Nightlatch-")
	own := s3.NewFromConfig(awstest.Config(at.String()))
	for range 100 {
		if _, err = own.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, failed := own.PutBucketVersioning(b.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err := errors.Join(err, failed); err != nil {
		b.Fatal(err)
	}
	files := athenatest.New(athena.Table{Location: "s3://files/AWSLogs/", Accounts: []string{ours}}, func(string) ([]map[string]string, int64, error) { return nil, 1000, nil })
	defer files.Close()
	files.File(file)
	proxy := httputil.NewSingleHostReverseProxy(at)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+athenatest.Results+"/") || strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonAthena") {
			files.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	for b.Loop() {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), listEndpoint+"="+front.URL)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		b.Logf("%d objects, %s of CPU\n%s", objects, child.ProcessState.UserTime()+child.ProcessState.SystemTime(), out)
	}
	out, err := own.GetObject(b.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(theft + "/manifest.json")})
	if err != nil {
		b.Fatal(err)
	}
	var m casefolder.Manifest
	if err := json.NewDecoder(out.Body).Decode(&m); err != nil {
		b.Fatal(err)
	}
	b.Logf("%+v in %d bytes", m.Taken.Sums, m.Files[len(m.Files)-1].Bytes)
}

// measured keeps the folder as the function does, and prints what that took.
func measured() int {
	k, err := build(awstest.Config(os.Getenv(listEndpoint)), []string{"NIGHTLATCH_TABLE=" + listTable, "NIGHTLATCH_ACCOUNTS=" + ours, "NIGHTLATCH_TRAIL_LOCATION=s3://files/AWSLogs/"})
	if err == nil {
		begin := time.Now()
		from := casefolder.Sources{Each: k.each, Look: k.suspects, Draw: func(context.Context, incident.Record) ([]evidence.Slot, error) { return nil, nil }} // every answer is the file
		_, err = casefolder.Keep(context.Background(), context.Background(), k.shelf(theft), told(opened(theft)), from)
		fmt.Printf("%.1f s\n", time.Since(begin).Seconds())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
	return 0
}

// writeRows writes an answer of Athena's with that many objects.
func writeRows(file string, objects int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, `"bucket","object","version","name","destination","access_key_id","principal_id","arn","account_id","invoked_by","vpc_endpoint","signing","network","source_ip","times","bytes","unsized","torn","first_seen","last_seen"`)
	for i := range objects {
		fmt.Fprintf(w, `"exports","customers/%08d/%016x/statement.parquet","","GetObject","","%s","AIDAEXAMPLEMARA","arn:aws:iam::%s:user/mara","%s","","","header","198.51.100","198.51.100.%d","1","%d.0","0","0","%d","%d"`+"\n",
			i, uint64(i)*0x9e3779b97f4a7c15, key, ours, ours, i%250, 1000+i%100_000, noon.Unix()+int64(i%3600), noon.Unix()+int64(i%3600))
	}
	return errors.Join(w.Flush(), f.Close())
}
