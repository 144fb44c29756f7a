package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// environment is what the function is deployed with, against endpoints that nobody listens on.
func environment(more ...string) []string {
	return append([]string{
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=ASIAEXAMPLERESPONDER", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x",
		"NIGHTLATCH_EVENT_DATA_STORE=" + storeARN, "NIGHTLATCH_TOPIC=arn:aws:sns:eu-west-1:123456789012:nightlatch",
		"NIGHTLATCH_ACCOUNTS=123456789012",
	}, more...)
}

const storeARN = "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"

var okEvent = []byte(`{"source":"aws.cloudwatch","alarmArn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x","accountId":"123456789012","region":"eu-west-1",
"alarmData":{"alarmName":"x","state":{"value":"OK","timestamp":"2026-03-04T00:09:00.000+0000"}}}`)

func TestTheBinaryIsSmallAndPure(t *testing.T) {
	info, err := os.Stat(bootstrap(t, "."))
	if err != nil {
		t.Fatal(err)
	}
	// The schemas of all calls of the SDK's later clients would be 1.5 more (go.mod says which clients are older, and why). 0.9 are S3's, which says
	// what a metric's filter selects, and 0.1 two of its calls more, which say who may write a trail's files. 0.1 are our own
	// questions and messages since, 0.2 the lineage of a credential, and 0.2 what would break and what is minted. 1.0 is Lambda's client, which
	// orders of the cutter. 0.1 are whom a step hits, and keys that were made. 0.3 are the
	// webhook and Slack, with the client that reads their secrets, and 0.4 EventBridge's client.
	if mb := float64(info.Size()) / 1e6; mb > 19.5 {
		t.Errorf("the binary is %.1f MB, want at most 19.5", mb)
	} else {
		t.Logf("the binary is %.1f MB", mb)
	}
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{"github.com/aws/jsii", "github.com/aws/aws-cdk-go", "github.com/duckdb", "nightlatch/internal/sandbox"} {
		if strings.Contains(string(deps), banned) {
			t.Errorf("the function links %s", banned)
		}
	}
}

func TestAnEventThatIsNoneIsAnswered(t *testing.T) {
	f := start(t, newRuntimeAPI(t, 20*time.Second), bootstrap(t, "."), environment()...)
	if got := f.invoke(t, okEvent); got.failed || got.body != `{"ignored":"the state is OK, not ALARM"}` {
		t.Errorf("got %+v, want the reason", got)
	}
	if got := f.invoke(t, []byte(`{"hello":1}`)); !got.failed || !strings.Contains(got.body, `its fields are \"hello\"`) {
		t.Errorf("got %+v, want an error that names what arrived", got)
	}
}

// Without a cutter no step is done that needs one; with steps alone they are planned, as in mode observe. What is planned knows where it is done: in
// which paths, and on which of the watched buckets.
func TestTheCutterIsOrderedWhereItIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		more  []string
		steps int
		cuts  bool
	}{
		"none":    {nil, 0, false},
		"observe": {[]string{"NIGHTLATCH_STEPS=block-on-bucket"}, 1, false},
		"steps":   {[]string{"NIGHTLATCH_STEPS=block-on-bucket,deny-role-session", "NIGHTLATCH_STEP_PATHS=/team/,/a/", "NIGHTLATCH_CUTTER=Nightlatch-Cutter-x1"}, 2, true},
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, settings.WatchedFile), []byte(`{"Buckets":["exports","*"]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := build(awstest.Config("http://127.0.0.1:1"), environment(c.more...), root)
		if err != nil || len(r.Steps) != c.steps || (r.Cutter != nil) != c.cuts || !slices.Equal(r.Reach.Buckets, []string{"exports"}) {
			t.Errorf("%s: got %v, %q on %+v and a cutter: %t", name, err, r.Steps, r.Reach, r.Cutter != nil)
		}
		if paths := []string{"/team/", "/a/"}; c.cuts && !slices.Equal(r.Reach.Paths, paths) || !c.cuts && r.Reach.Paths != nil {
			t.Errorf("%s: the paths are %q", name, r.Reach.Paths)
		}
	}
	if r, err := build(awstest.Config("http://127.0.0.1:1"), environment(), t.TempDir()); err != nil || r.Reach.Buckets != nil {
		t.Errorf("without the list of the buckets it says that none is named: %+v, %v", r.Reach, err)
	}
}

func TestWrongSettingsStopTheFunctionWithOneSentenceEach(t *testing.T) {
	cmd := exec.Command(bootstrap(t, "."))
	cmd.Env = environment("NIGHTLATCH_MODE=kill", "NIGHTLATCH_MOOD=x", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1")
	out, err := cmd.CombinedOutput()
	if want := "nightlatch: NIGHTLATCH_MODE is \"kill\", and should be observe, ask or act\nnightlatch: NIGHTLATCH_MOOD is not a setting\n"; err == nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// BenchmarkStart prints how long a process takes from its start to its first answer over the Runtime API, and the CPU that it has taken by then: the
// responder, with its policy and its buckets beside it as deployed, against a hello world, turn by turn in one run. Medians, with quartiles.
func BenchmarkStart(b *testing.B) {
	root := b.TempDir()
	beside := map[string][]byte{"policy.cedar": policy.ShippedText(), settings.WatchedFile: []byte(`{"buckets":["exports"]}`)}
	for name, text := range beside {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	binaries := map[string]string{"hello": bootstrap(b, "./testdata/hello"), "responder": bootstrap(b, ".")}
	took, busy := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for name, binary := range binaries {
			api := newRuntimeAPI(b, 20*time.Second)
			begin := time.Now()
			f := start(b, api, binary, environment("LAMBDA_TASK_ROOT="+root, "GOGC=200")...)
			f.invoke(b, okEvent)
			took[name] = append(took[name], float64(time.Since(begin).Microseconds())/1000)
			busy[name] = append(busy[name], float64(f.end().Microseconds())/1000)
		}
	}
	at := func(all []float64, quarters int) float64 {
		return slices.Sorted(slices.Values(all))[(len(all)-1)*quarters/4]
	}
	for name := range binaries {
		for quarters, of := range []string{1: "1st-quartile", 2: "median", 3: "3rd-quartile"} {
			if of != "" {
				b.ReportMetric(at(took[name], quarters), name+"-ms-"+of)
			}
		}
		b.ReportMetric(at(busy[name], 2), name+"-cpu-ms")
	}
	b.ReportMetric(at(took["responder"], 2)/at(took["hello"], 2), "times")
	b.ReportMetric(at(busy["responder"], 2)/at(busy["hello"], 2), "times-cpu")
}
