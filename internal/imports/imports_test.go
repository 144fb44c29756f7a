// Package imports holds the table of who may import whom, as a test, and what others' code the programs link, as pages that a test keeps.
// It has no code of its own.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// leaves know nothing of the others; every package may import them.
var leaves = []string{"grant", "settings", "actor", "prose", "clock", "workers", "patience", "version", awserr, lazyregexp}

// lazyregexp is as regexp of the standard library, for leaves too.
const lazyregexp = "lazyregexp"

// awserr reads the SDK's errors for the adapters, and for nobody else.
const awserr = "awserr"

// proof is what a human signs and the approver has STS judge.
const proof = "proof"

// outside calls URLs that stand in secrets, for the adapters whose client it is.
const outside = "outside"

// stages stand in the order in which an incident goes through them: each may import those before it.
var stages = []string{"policy", "alarm", "evidence", "containment", "incident", "report", "notify"}

// rooms are what an incident's way leads through, with what each may import beside leaves. None imports the sequence.
var rooms = map[string][]string{
	"investigation": {"alarm", "evidence", "policy", "containment"},                                       // it asks, and knows no incident
	"judgement":     {"alarm", "evidence", "policy", "containment", "incident"},                           // it decides, and asks nobody
	"approval":      append(slices.Clone(stages), "investigation"),                                        // what humans decide
	"responder":     append(slices.Clone(stages), "investigation", "judgement"),                           // the sequence
	"cut":           {"policy", "containment"},                                                            // what the cutter does with an order
	"notices":       {"incident", "report", "notify"},                                                     // what the team is told of tampering
	"hub":           {"alarm", "containment", "incident", "report", "notify"},                             // what one team is told of many accounts
	"report/html":   {"evidence", "incident", "report", "posture"},                                        // an incident as a page
	"doctor/html":   {"doctor", "report/html"},                                                            // what the checks found as a page
	"casefolder":    {"alarm", "evidence", "containment", "incident", "posture", "report", "report/html"}, // an incident as a folder
	"rehearsal":     {"alarm", "evidence", "policy", "containment", "incident", "report"},                 // when a rehearsal is due, and what became of it
	"posture":       nil,                                                                                  // the usual suspects; it knows no incident
	"doctor":        append(slices.Clone(stages), "trail", "enroll", "rehearsal"),                         // whether all of it would work; it reads what others read, and decides nothing
}

// deploying is what goes on while a stack is deployed, and knows nothing of incidents.
var deploying = []string{"enroll", "trail", "deployments"}

// adapters have a parent, whose interface they implement, and the SDK clients that they alone may use. Two have no parent. The deployment finds
// what was deployed and speaks to its approver, for a human at the command line. It knows nothing of incidents. The proof is what these two say
// to each other: one package signs and judges it. It reads the only answer of AWS's that no client reads.
var adapters = map[string]struct{ parent, client string }{
	"alarm/cloudwatch":       {"alarm", "github.com/aws/aws-sdk-go-v2/service/cloudwatch"},
	"evidence/lake":          {"evidence", "github.com/aws/aws-sdk-go-v2/service/cloudtrail"},
	"evidence/athena":        {"evidence", "github.com/aws/aws-sdk-go-v2/service/athena"},
	"evidence/trailbucket":   {"evidence", "github.com/aws/aws-sdk-go-v2/service/s3"},
	"evidence/duck":          {"evidence", "github.com/duckdb/"},
	"containment/awsaccount": {"containment", "github.com/aws/aws-sdk-go-v2/service/iam"},
	"containment/cutter":     {"containment", "github.com/aws/aws-sdk-go-v2/service/lambda"},
	"incident/dynamo":        {"incident", "github.com/aws/aws-sdk-go-v2/service/dynamodb"},
	"incident/scheduler":     {"incident", "github.com/aws/aws-sdk-go-v2/service/scheduler"},
	"deployment":             {"", "github.com/aws/aws-sdk-go-v2/service/cloudformation"},
	proof:                    {"", "encoding/xml"},
	"notify/sns":             {"notify", "github.com/aws/aws-sdk-go-v2/service/sns"},
	"enroll/s3bucket":        {"enroll", "github.com/aws/aws-sdk-go-v2/service/s3"},
	"trail/cloudtrail":       {"trail", "github.com/aws/aws-sdk-go-v2/service/organizations"},
	"posture/awsposture":     {"posture", "github.com/aws/aws-sdk-go-v2/service/s3control"},
	"doctor/heartbeat":       {"doctor", outside},
	"notify/webhook":         {"notify", outside},
	"notify/slack":           {"notify", outside},
	"notify/events":          {"notify", "github.com/aws/aws-sdk-go-v2/service/eventbridge"},
	outside:                  {"", "github.com/aws/aws-sdk-go-v2/service/secretsmanager"},
	"doctor/awsstack":        {"doctor", "github.com/aws/aws-sdk-go-v2/service/sqs"},
	"rehearsal/awscanary":    {"rehearsal", "github.com/aws/aws-sdk-go-v2/service/secretsmanager"},
	"casefolder/casebucket":  {"casefolder", "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"},
}

// shared are the SDK clients that more than one adapter uses. CloudTrail is the service of trails and of CloudTrail Lake: one adapter reads how a
// trail is configured, another asks what it has recorded. S3 knows what a metric counts: one adapter sets that up, another reads it; a third
// reads who may write a trail's files, a fourth shuts somebody out of a bucket, and a fifth keeps case folders.
// What the doctor compares with the deployed stack is alarms, roles, functions, the table, the schedules and buckets, which others read or use for an
// incident.
var shared = map[string][]string{
	"github.com/aws/aws-sdk-go-v2/service/cloudformation":       {"deployment", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types": {"doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch":           {"alarm/cloudwatch", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types":     {"alarm/cloudwatch", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager":       {outside, "rehearsal/awscanary"},
	"github.com/aws/aws-sdk-go-v2/service/iam":                  {"containment/awsaccount", "doctor/awsstack", "posture/awsposture", "rehearsal/awscanary"},
	"github.com/aws/aws-sdk-go-v2/service/iam/types":            {"containment/awsaccount", "doctor/awsstack", "posture/awsposture"},
	"github.com/aws/aws-sdk-go-v2/service/eventbridge":          {"notify/events", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types":    {"notify/events", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/dynamodb":             {"incident/dynamo", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types":       {"incident/dynamo", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/lambda":               {"containment/cutter", "doctor/awsstack", "rehearsal/awscanary", "deployment"},
	"github.com/aws/aws-sdk-go-v2/service/lambda/types":         {"containment/cutter", "doctor/awsstack", "deployment"},
	"github.com/aws/aws-sdk-go-v2/service/scheduler":            {"incident/scheduler", "doctor/awsstack"},
	"github.com/aws/aws-sdk-go-v2/service/s3control":            {"posture/awsposture"}, // whose path begins as that of S3
	"github.com/aws/aws-sdk-go-v2/service/s3control/types":      {"posture/awsposture"},
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail":           {"evidence/lake", "trail/cloudtrail"},
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types":     {"evidence/lake", "trail/cloudtrail"}, // whose selectors are read of a trail and of a store
	"github.com/aws/aws-sdk-go-v2/service/s3":                   {"enroll/s3bucket", "alarm/cloudwatch", "evidence/trailbucket", "evidence/athena", "containment/awsaccount", "posture/awsposture", "casefolder/casebucket", "doctor/awsstack", "rehearsal/awscanary"},
	"github.com/aws/aws-sdk-go-v2/service/s3/types":             {"enroll/s3bucket", "alarm/cloudwatch", "evidence/trailbucket", "containment/awsaccount", "posture/awsposture"},
}

// engines puts the engines together for the functions that ask: it knows those adapters and the settings, and nothing of what is asked for.
const engines = "engines"

// channels puts the channels of incidents together for the functions that notify of them.
const channels = "channels"

// checks puts the doctor's checks together with the adapters that read for them: one list for the function and the command.
const checks = "checks"

// backtest has the responder answer what has been: it stands beside the scenarios, which are made up.
const backtest = "backtest"

// bans are what only some may import, and why.
var bans = []struct {
	prefix  string
	allowed func(pkg string) bool
	why     string
}{
	{"github.com/aws/aws-sdk-go-v2", func(p string) bool {
		return isAdapter(p) || p == awserr || p == engines || p == checks || p == channels || isLambda(p)
	}, "SDK types stay inside adapters, so that deciding can be tested without AWS"},
	{"github.com/aws/smithy-go", func(p string) bool { return isAdapter(p) || p == awserr }, "AWS errors are classified once, next to the adapter"},
	{"nightlatch/internal/awserr", isAdapter, "the sentence that a user sees is the adapter's"},
	{"nightlatch/internal/" + proof, func(p string) bool { return p == "deployment" || p == "lambdas/approver" }, "who signs a request, and who asks whose it is"},
	{"github.com/aws/aws-lambda-go", isLambda, "the Lambda runtime belongs to the roots"},
	{"github.com/aws/jsii-runtime-go", isInfra, "jsii needs Node: it has no place outside the deployment"},
	{"github.com/aws/aws-cdk-go", isInfra, "the CDK needs Node: it has no place outside the deployment"},
	{"github.com/cdklabs/cdk-nag-go", func(string) bool { return false }, "cdk-nag judges the stack in a test, and is no part of it"},
	{"github.com/duckdb/", func(p string) bool { return p == "evidence/duck" }, "DuckDB is 60 MB of C++ that no Lambda should carry"},
	{"github.com/cedar-policy/", func(p string) bool { return p == "policy" }, "Cedar is behind one package"},
	{"github.com/alecthomas/kong", func(p string) bool { return p == "cmd/nightlatch" }, "the command line belongs to the command"},
	{"html/template", func(p string) bool { return p == "report/html" || p == "doctor/html" || p == backtest }, "who writes no page carries no templates: the responder"},
	{"time/tzdata", func(string) bool { return false }, "all times are UTC"},
}

func isAdapter(p string) bool { _, ok := adapters[p]; return ok }
func isLambda(p string) bool  { return strings.HasPrefix(p, "lambdas/") }
func isInfra(p string) bool   { return strings.HasPrefix(p, "infra") }

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = "../.."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[short(p.ImportPath)] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

// short is a package's path without the module's and "internal".
func short(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "nightlatch/"), "internal/")
}

// may reports whether from may import to, both of this module, and why not.
func may(from, to string) (bool, string) {
	adapter, isAdapter := adapters[from]
	_, toAdapter := adapters[to]
	stage := slices.Index(stages, from)
	switch {
	case slices.Contains(leaves, to):
		return to == lazyregexp || !slices.Contains(leaves, from), "leaves know nothing of each other"
	case slices.Contains(leaves, from):
		return false, "leaves import nothing of ours"
	case stage >= 0:
		i := slices.Index(stages, to)
		if from == "alarm" && to == "policy" {
			return false, "an alarm is read before anything is decided"
		}
		return i >= 0 && i < stage, "a stage imports only the stages before it"
	case from == "deployment" && to == proof, to == outside && adapters[from].client == outside:
		return true, ""
	case isAdapter:
		// Its parent, and what its parent's types and interfaces name: the stages up to it, or what the room may import.
		i, parent := slices.Index(stages, to), slices.Index(stages, adapter.parent)
		return to == adapter.parent || i >= 0 && i <= parent || slices.Contains(rooms[adapter.parent], to), "an adapter knows its parent and no other adapter"
	case slices.Contains(deploying, from):
		return false, "what a deployment needs imports leaves only"
	case from == "posture":
		return false, "the suspects are of a bucket and a user, whatever happened"
	case rooms[from] != nil:
		return slices.Contains(rooms[from], to), "each room has its row: asking decides nothing, deciding asks nobody, and none of them knows an adapter or a root"
	case from == "sandbox":
		return slices.Contains(stages, to) || rooms[to] != nil, "the sandbox knows no adapter"
	case from == "sandbox/scenarios":
		return slices.Contains(stages, to) || rooms[to] != nil || to == "sandbox", "the scenarios are answered by the responder, and know no adapter"
	case from == backtest:
		return slices.Contains(stages, to) || rooms[to] != nil || to == "sandbox", "a backtest is answered by the responder in the sandbox, and knows no engine"
	case from == engines:
		return slices.Contains([]string{"evidence", "evidence/lake", "evidence/athena", "evidence/trailbucket"}, to), "the engines are put together of themselves alone"
	case from == channels:
		return to == "notify" || strings.HasPrefix(to, "notify/"), "the channels are put together of themselves alone"
	case from == checks:
		return to == "doctor" || to == "notices" || to == "rehearsal" || slices.Contains(stages, to) || slices.Contains(deploying, to) || toAdapter && to != "evidence/duck" && to != "deployment", "the checks are put together of the doctor and the adapters that read for it"
	case isLambda(from):
		switch {
		case to == "responder" && from == "lambdas/approver":
			return false, "the approver writes down what humans decide, and does nothing of it"
		case from == "lambdas/cutter" && to != "policy" && to != "containment" && to != "containment/awsaccount" && to != "cut":
			return false, "the cutter knows orders and the account, and nothing that could tell it more"
		case to == "cut" && from != "lambdas/cutter":
			return false, "the cutter alone does what is ordered"
		case to == "posture" || to == "posture/awsposture":
			return from == "lambdas/keeper", "the keeper alone goes through the usual suspects: nothing of it may hold up a containment"
		}
		return (slices.Contains(stages, to) || slices.Contains(deploying, to) || toAdapter || rooms[to] != nil || to == engines || to == checks || to == channels) && to != "evidence/duck" && to != "deployment",
			"a Lambda carries no sandbox and no DuckDB, and speaks for no human"
	case from == "cmd/nightlatch":
		return slices.Contains(stages, to) || slices.Contains([]string{"responder", "sandbox", "sandbox/scenarios", backtest, "evidence/duck", "deployment", "incident/dynamo", "containment/awsaccount", "doctor", "doctor/html", "rehearsal", checks, "report/html", "casefolder", "posture", "posture/awsposture", "deployments"}, to),
			"the command talks to AWS to find a deployment, read its incidents and take a step back; the SDK stays in the adapters that do it, and demo and respond use none of them"
	case isInfra(from):
		return to == "policy" || to == "containment" || to == "notices" || to == "hub" || to == "report" || to == "rehearsal" || to == "notify" || to == "deployments" || toAdapter || to == checks, "infra knows settings, the file of deployments, the policy, which steps are ordered, the rules' words, who is to hear, and the adapters' grants"
	}
	return false, "it stands in no row of the table"
}

func TestWhoMayImportWhom(t *testing.T) {
	packages := list(t)
	for name, p := range packages {
		if strings.HasSuffix(name, "test") { // a fake, which only tests import
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "nightlatch/") {
				if ok, why := may(name, short(imported)); !ok {
					t.Errorf("%s imports %s: %s", name, short(imported), why)
				}
			}
			for _, ban := range bans {
				if strings.HasPrefix(imported, ban.prefix) && !ban.allowed(name) {
					t.Errorf("%s imports %s: %s", name, imported, ban.why)
				}
			}
			for other, a := range adapters {
				if strings.HasPrefix(imported, a.client) && other != name && !slices.Contains(shared[imported], name) {
					t.Errorf("%s imports %s: only %s does", name, imported, other)
				}
			}
		}
	}
	for _, name := range slices.Concat(leaves, stages, deploying, slices.Collect(maps.Keys(rooms)), []string{"sandbox", "sandbox/scenarios", backtest, "deployment", proof, engines, checks, channels, "cmd/nightlatch", "lambdas/responder", "lambdas/approver", "lambdas/enroller", "lambdas/notices", "lambdas/doctor", "lambdas/cutter", "lambdas/keeper", "lambdas/hub"}) {
		if _, ok := packages[name]; !ok {
			t.Errorf("the table names %s, which does not exist", name)
		}
	}
}

func TestWhatALambdaLinks(t *testing.T) {
	for name, p := range list(t) {
		if !isLambda(name) {
			continue
		}
		for _, dep := range p.Deps {
			for _, banned := range []string{"github.com/duckdb/", "github.com/aws/jsii-runtime-go", "github.com/aws/aws-cdk-go", "nightlatch/internal/sandbox", "nightlatch/internal/backtest", "nightlatch/internal/evidence/lake/laketest",
				"nightlatch/internal/evidence/athena/athenatest", "nightlatch/internal/awstest", "nightlatch/internal/enroll/s3bucket/s3test", "nightlatch/internal/trail/cloudtrail/trailtest",
				"nightlatch/internal/grant/granttest", "nightlatch/internal/posture/awsposture/advisortest", "nightlatch/internal/incident/storetest", "nightlatch/internal/incident/dynamo/dynamotest", "nightlatch/internal/deployment"} {
				if (name == "lambdas/approver" || name == "lambdas/cutter") && strings.HasPrefix(dep, "nightlatch/internal/responder") {
					t.Errorf("%s links the sequence", name)
				}
				if strings.HasPrefix(dep, banned) {
					t.Errorf("%s links %s", name, dep)
				}
			}
		}
	}
}

// A stolen key is on for as long as the responder takes to start.
func TestTheResponderCompilesNoRegexpAtItsStart(t *testing.T) {
	packages := list(t)
	for _, dep := range packages["lambdas/responder"].Deps {
		if p, ours := packages[short(dep)]; ours && short(dep) != lazyregexp && slices.Contains(p.Imports, "regexp") {
			t.Errorf("%s imports regexp, and the responder links it: use nightlatch/internal/lazyregexp", short(dep))
		}
	}
}

// Some calls only one place may make, and each of them does.
func TestWhoAloneCalls(t *testing.T) {
	for _, c := range []struct {
		call, why string
		callers   []string
	}{
		{"containment.Undo(", "the responder locks and never unlocks: only a human at the command line takes a step back, and the rehearser one on the canary's key", []string{"cmd/nightlatch", "rehearsal/awscanary"}},
		{"retry.NewStandard(", "the SDK's own waits are over in a tenth of a second; awserr.Retries says how long ours are, and the store has its own", []string{awserr, "incident/dynamo"}},
	} {
		found := map[string]bool{}
		for _, root := range []string{"../../internal", "../../lambdas"} {
			err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
					return err
				}
				text, err := os.ReadFile(path)
				if strings.Contains(string(text), c.call) {
					found[strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../internal/")] = true
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, c.callers) {
			t.Errorf("%s is called by %q, and may be by %q: %s", c.call, got, c.callers, c.why)
		}
	}
}

// Deciding takes no clock, no context and no client.
func TestDecidingIsPure(t *testing.T) {
	packages := list(t)
	for _, name := range []string{"actor", "policy", "grant", "judgement"} {
		for _, imported := range packages[name].Imports {
			if slices.Contains([]string{"context", "net", "net/http", "os", "nightlatch/internal/clock"}, imported) || imported == "time" && name != "judgement" && name != "policy" {
				t.Errorf("%s imports %s", name, imported)
			}
		}
	}
	// A judgement is handed the time, and takes none; and nothing that could answer differently the next time. So it is with the policy, whose
	// targets say when a key was used last.
	files, err := filepath.Glob("../judgement/*.go")
	targets, failed := filepath.Glob("../policy/*.go")
	files = append(files, targets...)
	if err != nil || failed != nil || len(files) == 0 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{"time.Now", "time.Since", "time.Until", "interface {", "go func", "rand."} {
			if strings.Contains(string(text), banned) && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s has %q", file, banned)
			}
		}
	}
}
