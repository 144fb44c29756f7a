package deployments

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const example = `{
  "shared": {
    "email": ["soc@example.com", "lead@example.com"],
    "trail": "arn:aws:cloudtrail:eu-west-1:999900000000:trail/all",
    "mode": "ask",
    "slack": "nightlatch/slack",
    "role": "SecurityOnCall"
  },
  "hub": {"account": "999900000000", "region": "eu-west-1", "email": "soc@example.com"},
  "deployments": [
    {"account": "111122223333", "region": "eu-west-1", "buckets": "exports,logs=50GiB/1m", "mode": "act"},
    {"account": "111122223333", "region": "us-east-1", "buckets": "*", "slack": null, "retention": 30,
     "profile": "prod-us"}
  ]
}
`

func TestAFileIsRead(t *testing.T) {
	f, err := Parse("company.json", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	type read struct {
		Account, Region, Profile, Role string
		Settings                       map[string]any
		Email, Mode, None              string
	}
	of := func(d Deployment) read {
		return read{d.Account, d.Region, d.Profile, d.Role, d.Settings, d.Place("email"), d.Place("mode"), d.Place("")}
	}
	const hub = "arn:aws:events:eu-west-1:999900000000:event-bus/NightlatchHub"
	email, trail := []any{"soc@example.com", "lead@example.com"}, "arn:aws:cloudtrail:eu-west-1:999900000000:trail/all"
	want := []read{
		{"111122223333", "eu-west-1", "", "SecurityOnCall", map[string]any{"email": email, "trail": trail, "slack": "nightlatch/slack", "buckets": "exports,logs=50GiB/1m", "mode": "act", "hub": hub},
			"company.json:3", "company.json:11", "company.json:11"},
		{"111122223333", "us-east-1", "prod-us", "", map[string]any{"email": email, "trail": trail, "buckets": "*", "mode": "ask", "retention": 30.0, "hub": hub},
			"company.json:3", "company.json:5", "company.json:12"},
	}
	if diff := cmp.Diff([]read{of(f.Deployments[0]), of(f.Deployments[1])}, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if d := f.Deployments[0]; !d.Shared("email") || d.Shared("mode") || d.Shared("buckets") || d.Shared("") {
		t.Error("what is shared is not told from what is its own")
	}
	if f.Hub == nil || f.Hub.Stack != "NightlatchHub" || f.Hub.Name() != "the hub in 999900000000 eu-west-1" || f.Hub.Account != "999900000000" || len(f.Hub.Settings) != 2 || f.Hub.Settings["accounts"] != "111122223333" || f.Hub.Role != "" {
		t.Errorf("the hub is %+v", f.Hub)
	}
	if got := f.Accounts(); len(got) != 1 || got[0] != "111122223333" {
		t.Errorf("the accounts are %q", got)
	}
}

func TestADeploymentMayHaveAnotherHub(t *testing.T) {
	const other = "arn:aws:events:us-east-1:999900000000:event-bus/Other"
	f, err := Parse("f", []byte(`{"hub": {"account": "999900000000", "region": "us-gov-west-1"}, "deployments": [
{"account": "111122223333", "region": "eu-west-1"}, {"account": "111122223333", "region": "eu-west-2", "hub": null}, {"account": "111122223333", "region": "eu-west-3", "hub": "`+other+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []any{"arn:aws-us-gov:events:us-gov-west-1:999900000000:event-bus/NightlatchHub", nil, other} {
		if got := f.Deployments[i].Settings["hub"]; got != want {
			t.Errorf("deployment %d has the hub %v, want %v", i, got, want)
		}
	}
}

// What a unit shares counts more than what all share, and less than a deployment's own.
func TestSettingsOfAUnit(t *testing.T) {
	f, err := Parse("f", []byte(`{"shared": {"mode": "ask", "email": "soc@example.com", "retention": 30},
"units": {"Prod": {"mode": "act", "protected": "arn:aws:iam::*:user/break-glass-*", "retention": null},
"Sandbox": {"mode": "observe"}},
"deployments": [{"account": "111122223333", "region": "eu-west-1", "unit": "Prod"},
{"account": "111122223333", "region": "eu-west-2", "unit": "Prod", "mode": "ask"},
{"account": "444455556666", "region": "eu-west-1", "unit": "Sandbox"},
{"account": "444455556666", "region": "eu-west-2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const email, protected = "soc@example.com", "arn:aws:iam::*:user/break-glass-*"
	for i, want := range []map[string]any{
		{"mode": "act", "email": email, "protected": protected, "unit": "Prod"}, {"mode": "ask", "email": email, "protected": protected, "unit": "Prod"},
		{"mode": "observe", "email": email, "unit": "Sandbox", "retention": 30.0}, {"mode": "ask", "email": email, "retention": 30.0}} {
		if diff := cmp.Diff(f.Deployments[i].Settings, want); diff != "" {
			t.Errorf("deployment %d: got -, want +:\n%s", i, diff)
		}
	}
	if d := f.Deployments[0]; d.Place("mode") != "f:2" || !d.Shared("mode") || d.Shared("unit") {
		t.Errorf("the mode stands at %s", d.Place("mode"))
	}
}

// Every mistake is a line with its place, and all of them are told at once.
func TestWhatIsWrongInAFile(t *testing.T) {
	const one = `{"account": "111122223333", "region": "eu-west-1"}`
	for text, want := range map[string][]string{
		``:                                 {"f:1: the file ends here"},
		`[]`:                               {"f:1: the file should be an object"},
		"{\n\"deployments\": [\n":          {"f:2: the file ends here, and its JSON does not: a bracket"},
		"{\n\"deployments\": [\n}":         {"f:3: this is not JSON"},
		`{"deployments": [` + one + `]} x`: {"f:1: something stands behind the end"},
		strings.Repeat("[", 100000):        {"f:1: more than 20 lists"},
		`{}`:                               {"f:1: deployments is missing"},
		`{"deployments": []}`:              {"f:1: deployments should be a list of one"},
		`{"deployments": {"a": 1}}`:        {"f:1: deployments should be a list of one"},
		`{"deployments": [7]}`:             {"f:1: deployments[0] should be an object"},
		"{\"deployments\": [\n" + one + ",\n" + one + "\n]}": {"f:3: account 111122223333 has region eu-west-1 twice, first in line 2"},
		"{\"deployments\": [\n{},\n{\"account\": 111122223333, \"region\": \"Ireland\"}\n],\n\"share\": {}}": {
			"f:2: deployments[0] has no account: give an account id of 12 digits", "f:2: deployments[0] has no region: give an AWS region",
			`f:3: account of deployments[1] is "111122223333", and should be an account id of 12 digits, in quotation marks`,
			`f:3: region of deployments[1] is "Ireland", and should be an AWS region`,
			"f:5: the file has no share; it has shared, units, hub, deployments"},
		"{\"shared\": {\"account\": \"111122223333\",\n\"x\": {}, \"y\": true, \"z\": [1]},\n\"deployments\": [" + one + "," + strings.Replace(one, "eu-west-1", "eu-west-2", 1) + "]}": {
			"f:1: account stands in shared: each deployment has its own", "f:2: x should be a text, a number, or a list of texts",
			"f:2: y should be a text", "f:2: z should be a text"},
		"{\"deployments\": [{\"account\": \"111122223333\", \"account\": \"111122223333\",\n\"region\": \"eu-west-1\", \"profile\": \"a b\", \"role\": \"arn:aws:iam::1:role/x\"}]}": {
			"f:1: account stands there twice, first in line 1", `f:2: profile of deployments[0] is "a b", and should be`, `f:2: role of deployments[0] is "arn:aws:iam::1:role/x", and should be`},
		`{"deployments": [{"account": "111122223333", "region": "eu-west-1", "profile": "a", "role": "b"}]}`: {"f:1: deployments[0] has a profile and a role"},
		"{\"units\": {\"A\": {\"unit\": \"B\"},\n\"B\": {}}, \"deployments\": [{\"account\": \"111122223333\",\n\"region\": \"eu-west-1\", \"unit\": \"C\\u202e\"}]}": {
			"f:1: unit stands in unit A: each deployment", `f:3: deployments[0] is of unit "C\u202e", and units has none of that name`, "f:1: no deployment is of unit A", "f:2: no deployment is of unit B"},
		`{"units": {"A": 1}, "deployments": [` + one + `]}`:          {"f:1: A should be an object"},
		`{"hub": 1, "deployments": [` + one + `]}`:                   {"f:1: hub should be an object"},
		`{"deployments": [{"account": "1\u202e", "region": "<b>"}]}`: {`"1\u202e"`, `"<b>"`},
		`{"deployments": [` + one + `], "a\nb\u001b[31m": 1}`:        {`f:1: the file has no a\nb\x1b[31m`},
	} {
		_, err := Parse("f", []byte(text))
		for _, says := range want {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%.80s: got\n%v\nwant a line with %q", text, err, says)
			}
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") || strings.ContainsAny(line, "\x1b\u202e") {
					t.Errorf("%.80s: the line %q", text, line)
				}
			}
		}
	}
}

// 160 deployments are read, each with its own line.
func TestManyDeployments(t *testing.T) {
	var list []string
	for i := range 160 {
		list = append(list, fmt.Sprintf(`{"account": "%012d", "region": "eu-west-%d", "buckets": "b-%d"}`, 1000+i/4, 1+i%4, i))
	}
	f, err := Parse("f", []byte("{\"deployments\": [\n"+strings.Join(list, ",\n")+"]}"))
	if err != nil || len(f.Deployments) != 160 || len(f.Accounts()) != 40 {
		t.Fatalf("got %d of %d accounts, %v", len(f.Deployments), len(f.Accounts()), err)
	}
	if got := f.Deployments[99].Place("buckets"); got != "f:101" {
		t.Errorf("the hundredth stands at %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(`{"shared": {"a": null}, "deployments": [{"account": "111122223333", "region": "eu-west-1", "a": [""]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f", text)
		if err == nil && len(file.Deployments) == 0 {
			t.Error("no deployments, and no mistake")
		}
		for _, d := range file.Deployments {
			if !accountID.MatchString(d.Account) || !regionName.MatchString(d.Region) {
				t.Errorf("got %q", d.Name())
			}
		}
	})
}
