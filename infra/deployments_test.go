package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/policy"
)

// company is a file of deployments in a folder of its own.
func company(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "company.json")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAFileOfDeploymentsIsStacks(t *testing.T) {
	file := company(t, `{"shared": {"email": "soc@example.com", "trail": "create", "retention": 30, "policy": "own.cedar"},
"deployments": [
{"account": "111122223333", "region": "eu-west-1", "buckets": ["aaa", "bbb"], "mode": "act", "protected": "arn:aws:iam::111122223333:user/ops"},
{"account": "444455556666", "region": "us-gov-west-1", "buckets": "*", "policy": null}]}`)
	own := filepath.Join(filepath.Dir(file), "own.cedar")
	if err := os.WriteFile(own, []byte(`@id("never") @because("nothing is ever done") forbid (principal, action, resource);`), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := planned(map[string]any{deploymentsKey: file, "aws:cdk:version-reporting": false}, "999900000000", "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.stacks) != 2 || p.stacks[0].Home != home || p.stacks[0].name() != "Nightlatch-111122223333-eu-west-1" || p.stacks[0].Mode != "act" || p.stacks[0].RetentionDays != 30 || p.stacks[0].Policy != own || len(p.stacks[0].Buckets) != 2 {
		t.Errorf("the first is %+v", p.stacks[0])
	}
	if p.stacks[1].Home != (Home{"aws-us-gov", "us-gov-west-1", "444455556666"}) || p.stacks[1].Mode != "ask" || p.stacks[1].Policy != "" || !p.stacks[1].every() {
		t.Errorf("the second is %+v", p.stacks[1])
	}
	var said strings.Builder
	p.warn(&said)
	if text := said.String(); strings.Count(text, "watchers is not given") != 1 || !strings.Contains(text, "own.cedar has no rule") || !strings.Contains(text, "this is about Nightlatch-111122223333-eu-west-1\n") {
		t.Errorf("it warns\n%s", text)
	}
}

// What is of another partition cannot be reached, and is refused.
func TestAnotherPartitionIsRefused(t *testing.T) {
	_, err := planFile("f", []byte(`{"shared": {"email": "soc@example.com", "buckets": "aaa", "trail": "create"},
"hub": {"account": "999900000000", "region": "eu-west-1", "email": "soc@example.com"}, "deployments": [
{"account": "111122223333", "region": "us-gov-west-1"},
{"account": "111122223333", "region": "eu-west-1", "managementTrail": "arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/all"}]}`))
	for _, want := range []string{`f:3: deployments[0] (111122223333 us-gov-west-1): hub is "arn:aws:events:eu-west-1:999900000000:event-bus/NightlatchHub", of the partition aws, and the stack goes to us-gov-west-1, of aws-us-gov`,
		`f:4: deployments[1] (111122223333 eu-west-1): managementTrail is "arn:aws-cn:`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	s := read(t, onlyAthena(aTrail)...)
	if err := s.deployTo(account, "us-gov-west-1"); err == nil || !strings.Contains(err.Error(), "trail is") {
		t.Errorf("a trail of aws in GovCloud: got %v", err)
	}
}

// Where mode act would ask about everything, that is said before it is deployed.
func TestActWithoutManagementEventsIsSaid(t *testing.T) {
	const elsewhere = "arn:aws:cloudtrail:us-east-1:111122223333:trail/all"
	for _, c := range []struct {
		said    bool
		changes []string
	}{{true, onlyAthena(made, "mode", "act")}, {false, onlyAthena(made)}, {false, onlyAthena(made, "mode", "act", "managementTrail", elsewhere)}, {false, []string{"mode", "act", "trail", made}}, {false, onlyAthena(aTrail, "mode", "act")}} {
		var said strings.Builder
		plan{stacks: []Settings{read(t, c.changes...)}}.warn(&said)
		if strings.Contains(said.String(), noDeeds) != c.said {
			t.Errorf("%q: it says\n%s", c.changes, said.String())
		}
	}
}

// Every mistake is told at once, with its place, and what all share once.
func TestEveryMistakeOfTheDeploymentsIsTold(t *testing.T) {
	file := company(t, `{"shared": {"email": "nobody", "trail": "create",
"memory": 64},
"deployments": [
{"account": "111122223333", "region": "eu-west-1", "buckets": "aaa"},
{"account": "111122223333", "region": "us-east-1", "buckets": "B!", "mode": "loud",
 "protected": "arn:aws:iam::444455556666:user/x"},
{"account": "444455556666", "region": "us-east-1", "bucket": "aaa"},
{"account": "444455556666", "region": "eu-west-1", "buckets": "aaa", "trail": null},
{"account": "444455556666", "region": "eu-west-3", "buckets": "aaa", "policy": "none.cedar"}],
"hub": {"account": "999900000000", "region": "eu-west-1", "emial": "soc@example.com",
 "organization": "r-1"}}`)
	_, err := planned(map[string]any{deploymentsKey: file}, "", "")
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`:1: email is "nobody", and should be`, `:2: memory is "64", and should be`,
		`:5: deployments[1] (111122223333 us-east-1): buckets is "B!"`, `:5: deployments[1] (111122223333 us-east-1): mode is "loud"`,
		`:6: deployments[1] (111122223333 us-east-1): protected is`, `:7: deployments[2] (444455556666 us-east-1): bucket is not a setting (did you mean buckets?)`,
		`:7: deployments[2] (444455556666 us-east-1): buckets is missing`, `:8: deployments[3] (444455556666 eu-west-1): neither trail nor eventDataStore is given, and Nightlatch asks one of them who read the buckets: give trail=ARN or trail=create (`,
		`:9: deployments[4] (444455556666 eu-west-3): policy is "` + filepath.Dir(file) + `/none.cedar"`,
		`:10: hub (999900000000 eu-west-1): emial is not a setting (did you mean email?)`, `:10: hub (999900000000 eu-west-1): email is missing: give email=…`, `:11: hub (999900000000 eu-west-1): organization is "r-1"`,
	} {
		if !strings.Contains(err.Error(), "company.json"+want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if n := strings.Count(err.Error(), `email is "nobody"`); n != 1 || strings.Count(err.Error(), "\n") != 11 {
		t.Errorf("what is shared is told %d times:\n%v", n, err)
	}
	for given, want := range map[string]map[string]any{
		"mode is given beside deployments=": {deploymentsKey: file, "mode": "act"}, "deplyments is not a setting (did you mean deployments?)": {"deplyments": file},
		"no such file": {deploymentsKey: "none.json"}, "deployments is 7, and should be the path": {deploymentsKey: 7.0}, "colour is not a setting": {deploymentsKey: file, "colour": "red"},
	} {
		if _, err := planned(want, "", ""); err == nil || !strings.Contains(err.Error(), given) {
			t.Errorf("got %v, want %s", err, given)
		}
	}
}

// built is code that was not compiled, as buildAll leaves it.
func built(t testing.TB, size int) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range functionsOf(plan{stacks: []Settings{{Canary: "x", Mode: "act", Steps: []policy.Action{policy.BlockOnBucket}}}, hub: &Hub{}}) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, size)
		for j := range text {
			text[j] = byte(j*j>>3) ^ byte(i)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "bootstrap"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := pack(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fleet is a file of as many accounts in as many regions.
func fleet(accounts, regions int) string {
	var list []string
	for a := range accounts {
		for r := range regions {
			list = append(list, fmt.Sprintf(`{"account": "%012d", "region": "%s", "buckets": "b-%d-%d"}`, 111100000000+a, []string{"eu-west-1", "eu-central-1", "us-east-1", "us-west-2"}[r], a, r))
		}
	}
	return "{\"shared\": {\"email\": \"soc@example.com\", \"trail\": \"create\"},\n\"deployments\": [\n" + strings.Join(list, ",\n") + "]}"
}

// Each stack of a file has a template of its own, all are called Nightlatch where they go, and what is the same in two is kept once.
func TestTheStacksOfAFileAreSynthesized(t *testing.T) {
	file := strings.Replace(fleet(1, 2), "{", `{"hub": {"account": "999900000000", "region": "eu-central-1", "email": "soc@example.com"},`, 1)
	p, err := planned(map[string]any{deploymentsKey: company(t, file)}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	dir, code := t.TempDir(), built(t, 1000)
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(dir)})
	if err := p.into(app, code, io.Discard); err != nil {
		t.Fatal(err)
	}
	app.Synth(nil)
	var manifest struct {
		Artifacts map[string]struct {
			Type, Environment string
			Properties        struct{ StackName string }
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	for _, s := range p.stacks {
		a := manifest.Artifacts[s.name()]
		if err != nil || a.Environment != "aws://"+s.Home.Account+"/"+s.Home.Region || a.Properties.StackName != stackName {
			t.Errorf("%s is %+v, %v", s.name(), a, err)
		}
		var template struct {
			Metadata struct {
				Nightlatch struct{ Settings map[string]string }
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, s.name()+".template.json"))
		if err == nil {
			err = json.Unmarshal(text, &template)
		}
		if got := template.Metadata.Nightlatch.Settings; err != nil || got["buckets"] != s.Buckets[0].Name || got["trail"] != "create" || len(got) != 4 || got["hub"] != "arn:aws:events:eu-central-1:999900000000:event-bus/NightlatchHub" {
			t.Errorf("%s was made with %v, %v", s.name(), got, err)
		}
	}
	archives, _ := filepath.Glob(filepath.Join(dir, "asset.*.zip"))
	if a := manifest.Artifacts[hubName]; a.Environment != "aws://999900000000/eu-central-1" || a.Type != "aws:cloudformation:stack" {
		t.Errorf("the hub is %+v", a)
	}
	// Three of six functions have the buckets beside them, and the hub has one.
	if len(archives) != 6+3+1 {
		t.Errorf("the two have %d archives", len(archives))
	}
	if left, _ := os.ReadDir(filepath.Join(code, p.stacks[0].name())); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// What a month costs is said of each before anything is deployed.
func TestWhatTheStacksCost(t *testing.T) {
	p, err := planFile("f", []byte(`{"shared": {"email": "soc@example.com"}, "deployments": [
{"account": "111122223333", "region": "eu-west-1", "buckets": "0aa,1aa,2aa,3aa,4aa,5aa,6aa,7aa,8aa,9aa", "trail": "create"},
{"account": "111122223333", "region": "us-east-1", "buckets": "0aa,1aa,2aa,3aa,4aa,5aa,6aa,7aa,8aa,9aa", "eventDataStore": "create"},
{"account": "111122223333", "region": "us-east-2", "buckets": "a-bucket=1GiB/1m,*=1GiB/1m", "total": "none", "trail": "arn:aws:cloudtrail:us-east-2:111122223333:trail/main", "metricsFilter": "EntireBucket"}], "hub": {"account": "999900000000", "region": "eu-west-1", "email": "soc@example.com"}}`))
	if err != nil {
		t.Fatal(err)
	}
	// The first two are the table's, in README.md.
	for _, want := range []string{"Nightlatch-111122223333-eu-west-1, mode ask: about $66.26 a month\n", "Nightlatch-111122223333-us-east-1, mode ask: about $70.73 a month\n",
		"us-east-2, mode ask: about $3.32 a month, and $0.16 for each bucket that * watches\n", "NightlatchHub: about $2.66 a month\n", "Nightlatch: 4 stacks: about $142.97 a month, and what * watches\n"} {
		if got := p.costs(); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %q", got, want)
		}
	}
	if got := dollars(1234567.891); got != "$1,234,567.89" {
		t.Errorf("got %s", got)
	}
}

// A stack more costs the synthesis at most five seconds of CPU: `go test -run '^$' -bench Synthesis ./infra`. Node's share is in it.
func BenchmarkSynthesis(b *testing.B) {
	cpu := func() time.Duration { // of this process and of those that it has waited for; the CDK runs in one that goes on
		var own syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
			b.Fatal(err)
		}
		return time.Duration(own.Utime.Nano()+own.Stime.Nano()) + nodes(b)
	}
	code := built(b, 19<<20)
	for b.Loop() {
		p, err := planned(map[string]any{deploymentsKey: company(b, fleet(40, 4))}, "", "")
		if err != nil {
			b.Fatal(err)
		}
		dir := b.TempDir()
		app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(dir)})
		begun := cpu()
		var first time.Duration
		rest := p.stacks[1:]
		for i, part := range []plan{{stacks: p.stacks[:1]}, {stacks: rest, hub: p.hub}} {
			if err := part.into(app, code, io.Discard); err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				first = cpu() - begun
			}
		}
		app.Synth(nil)
		all := cpu() - begun
		b.ReportMetric(first.Seconds(), "cpu-s/first")
		b.ReportMetric(all.Seconds(), "cpu-s/all")
		b.ReportMetric((all-first).Seconds()/float64(len(p.stacks)-1), "cpu-s/further")
		b.ReportMetric(float64(nodePeak(b))/(1<<20), "MiB/node")
	}
}

// nodes is the CPU time of the processes that this one has started, as /proc has it.
func nodes(b *testing.B) (sum time.Duration) {
	for _, stat := range children(b) {
		const tick = 10 * time.Millisecond // USER_HZ
		fields := strings.Fields(stat[strings.LastIndex(stat, ")")+2:])
		for _, f := range fields[11:13] {
			var n int64
			fmt.Sscan(f, &n)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// children are the lines of /proc/PID/stat of all processes below this one.
func children(b *testing.B) map[string]string {
	all := map[string]string{}
	parents := map[string]string{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid := filepath.Base(filepath.Dir(file))
		all[pid] = string(text)
		parents[pid] = strings.Fields(string(text)[strings.LastIndex(string(text), ")")+2:])[1]
	}
	below := map[string]string{}
	for pid := range all {
		for at := parents[pid]; at != "" && at != "0"; at = parents[at] {
			if at == fmt.Sprint(os.Getpid()) {
				below[pid] = all[pid]
				break
			}
		}
	}
	return below
}

// nodePeak is the most memory that one of the processes below this one has had, in bytes.
func nodePeak(b *testing.B) (most int64) {
	for pid := range children(b) {
		text, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				var n int64
				fmt.Sscan(kb, &n)
				most = max(most, n<<10)
			}
		}
	}
	return most
}
