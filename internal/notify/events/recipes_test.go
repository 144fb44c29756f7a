package events

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify/notifytest"
	"nightlatch/internal/report"
)

// recipes is the folder of the templates.
const recipes = "../../../infra/recipes/"

type (
	// recipe is a CloudFormation template, as far as these tests read it.
	recipe struct {
		Parameters map[string]any
		Resources  map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	rule struct {
		EventPattern map[string]any
		Targets      []struct {
			InputTransformer struct {
				InputPathsMap map[string]string
				InputTemplate sub
			}
		}
	}
	// sub is a text, or one with parameters in it.
	sub string
)

func (s *sub) UnmarshalJSON(text []byte) error {
	var filled struct {
		Sub string `json:"Fn::Sub"`
	}
	if json.Unmarshal(text, &filled) != nil {
		return json.Unmarshal(text, (*string)(s))
	}
	*s = sub(strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "eu-west-1", "${AWS::AccountId}", "111122223333", "${Project}", "SOC", "${IssueType}", "Task").Replace(filled.Sub))
	return nil
}

func open(t *testing.T, name string) (r recipe) {
	t.Helper()
	text, err := os.ReadFile(recipes + name + ".json")
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sent are what a recipe's rules send of messages to their target, in order, by the rule.
func (r recipe) sent(t *testing.T, messages ...report.Message) (by []string, bodies []string) {
	t.Helper()
	rules, patterns := map[string]rule{}, map[string]any{}
	for name, resource := range r.Resources {
		if resource.Type == "AWS::Events::Rule" {
			var of rule
			if err := json.Unmarshal(resource.Properties, &of); err != nil {
				t.Fatal(err)
			}
			rules[name], patterns[name] = of, of.EventPattern
		}
	}
	var all []map[string]any
	for _, m := range messages {
		all = append(all, put(t, m))
	}
	for i, names := range awstest.Matching(t, patterns, all) {
		for _, name := range names {
			in := rules[name].Targets[0].InputTransformer
			by, bodies = append(by, name), append(bodies, transform(t, in.InputPathsMap, string(in.InputTemplate), all[i]))
		}
	}
	return by, bodies
}

var (
	placeholder = regexp.MustCompile(`"[^"]*"|<([a-z]+)>`)
	step        = regexp.MustCompile(`[^.\[\]]+`)
)

// transform is what EventBridge's input transformer makes of an event, where every variable is there and stands outside of quotes: its value as JSON.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
func transform(t *testing.T, paths map[string]string, template string, event map[string]any) string {
	t.Helper()
	if n := len(template); n > 8192 {
		t.Errorf("the template has %d characters", n)
	}
	used := map[string]bool{}
	out := placeholder.ReplaceAllStringFunc(template, func(found string) string {
		if found[0] == '"' {
			if regexp.MustCompile(`<[a-z]+>`).MatchString(found) {
				t.Errorf("a variable stands in quotes: %s", found)
			}
			return found
		}
		name := strings.Trim(found, "<>")
		used[name] = true
		var at any = event
		for _, key := range step.FindAllString(strings.TrimPrefix(paths[name], "$"), -1) {
			switch v := at.(type) {
			case map[string]any:
				at = v[key]
			case []any:
				if i, err := strconv.Atoi(key); err == nil && i < len(v) {
					at = v[i]
					continue
				}
				at = nil
			}
		}
		if text, ok := at.(string); !ok || text == "" {
			t.Errorf("the event has no %s at %q", name, paths[name])
		}
		text, err := json.Marshal(at)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	if !slices.Equal(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(paths))) {
		t.Errorf("the template uses %v of %v", used, paths)
	}
	return out
}

// read reads what is sent, of which it knows all.
func read(t *testing.T, body string, v any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

// night is an incident from its alarm to its close, and what is no incident's.
func night() []report.Message {
	asked := notifytest.Stolen()
	asked.Opened, asked.Alarm.Buckets = time.Unix(1e9, 0), []string{"exports"}
	decided := asked
	decided.Outcomes = slices.Clone(asked.Outcomes)
	decided.Outcomes[1].State = containment.Done
	return []report.Message{report.Page([]incident.Record{asked}), report.Write(incident.Answer, asked), report.Write(incident.Reminder, asked), report.Write(incident.Closing, asked),
		report.Write(incident.Closing, decided), {Subject: "s", Body: "b", Kind: report.Test}, {Subject: "s", Body: "b"}}
}

// hostile are answers about incidents of hostile names, which have an id of ours.
func hostile() (all []report.Message) {
	for _, m := range notifytest.Messages() {
		if m.Kind == incident.Answer {
			m.Of[0].ID, m.Of[0].Opened = "20260304-one", time.Unix(1e9, 0)
			all = append(all, m)
		}
	}
	return all
}

func TestPagerDutyHasOneAlertAnIncident(t *testing.T) {
	r := open(t, "pagerduty")
	if !strings.Contains(string(r.Resources["Connection"].Properties), `"routing_key"`) {
		t.Error("there is no routing key")
	}
	check := func(body string) (action, key string) {
		var e struct {
			EventAction string `json:"event_action"`
			DedupKey    string `json:"dedup_key"`
			Client      string
			Payload     *struct {
				Summary, Source, Severity string
				Timestamp                 time.Time
				CustomDetails             map[string]string `json:"custom_details"`
			}
		}
		read(t, body, &e)
		trigger := e.EventAction == "trigger"
		if p := e.Payload; len(e.DedupKey) > 255 || len(body) > 512<<10 || trigger != (p != nil) ||
			trigger && (p.Summary == "" || len(p.Summary) > 1024 || p.Source == "" || !slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity) || p.Timestamp.IsZero() || p.CustomDetails["message"] == "") {
			t.Errorf("PagerDuty refuses %.300s", body)
		}
		return e.EventAction, e.DedupKey
	}
	_, bodies := r.sent(t, night()...)
	var got []string
	for _, b := range bodies {
		action, key := check(b)
		got = append(got, action+" "+key)
	}
	if want := []string{"trigger 20260304-one", "trigger 20260304-one", "trigger 20260304-one", "resolve 20260304-one"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	_, bodies = r.sent(t, hostile()...)
	for _, b := range bodies {
		check(b)
	}
	if len(bodies) != len(hostile()) {
		t.Errorf("%d of %d are sent", len(bodies), len(hostile()))
	}
}

//go:embed testdata/securityhub.py
var securityHub string

func TestSecurityHubHasOneFindingAnIncident(t *testing.T) {
	r := open(t, "securityhub")
	by, bodies := r.sent(t, append(night(), hostile()...)...)
	if want := []string{"Opened", "Opened", "Opened", "Closed"}; !slices.Equal(by[:4], want) || len(by) != 4+len(hostile()) {
		t.Errorf("got %q, want %q first", by, want)
	}
	var all []json.RawMessage
	for _, b := range bodies {
		all = append(all, json.RawMessage(b))
		var f struct{ Title, Description string }
		if err := json.Unmarshal([]byte(b), &f); err != nil || len(f.Title) > 256 || len(f.Description) > 1024 {
			t.Errorf("Security Hub refuses %d and %d characters, %v", len(f.Title), len(f.Description), err)
		}
	}
	// What Security Hub does not take does not end as if it had.
	run := append(slices.Clone(all[:4]), json.RawMessage(regexp.MustCompile(`"Resources": \[.*?\]`).ReplaceAllString(bodies[0], `"Resources": []`)))
	var machine struct{ DefinitionString sub }
	if err := json.Unmarshal(r.Resources["Import"].Properties, &machine); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Old      string
		Wrong    []string
		Ended    []string
		Findings []struct{ ID, RecordState, CreatedAt string }
	}
	awstest.Python(t, securityHub, map[string]any{"definition": machine.DefinitionString, "judged": all, "run": run}, &got)
	if len(got.Wrong) > 0 {
		t.Errorf("AWS's model says %q", got.Wrong)
	}
	if got.Old != "" {
		t.Skipf("SKIPPED, the state machine that imports a finding: moto %s does not run it; pip install 'moto[server]==5.2.5', or set NIGHTLATCH_MOTO to its path", got.Old)
	}
	if want := []string{"SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED"}; !slices.Equal(got.Ended, want) {
		t.Errorf("the runs ended %q, want %q", got.Ended, want)
	}
	if len(got.Findings) != 1 || got.Findings[0].ID != "20260304-one" || got.Findings[0].RecordState != "ARCHIVED" || got.Findings[0].CreatedAt != "2001-09-09T01:46:40Z" {
		t.Errorf("the findings are %+v", got.Findings)
	}
}

func TestJiraHasOneIssueAnIncident(t *testing.T) {
	check := func(body string) string {
		var issue struct {
			Fields struct {
				Project     struct{ Key string }
				IssueType   struct{ Name string } `json:"issuetype"`
				Labels      []string
				Summary     string
				Description struct {
					Type    string
					Version int
					Content []struct {
						Type    string
						Content []struct{ Type, Text string }
					}
				}
			}
		}
		read(t, body, &issue)
		f := issue.Fields
		if d := f.Description; f.Project.Key != "SOC" || f.IssueType.Name != "Task" || f.Summary == "" || len(f.Summary) > 255 || strings.ContainsAny(f.Summary, "\r\n") || slices.ContainsFunc(f.Labels, func(l string) bool { return l == "" || len(l) > 255 || strings.Contains(l, " ") }) ||
			d.Type != "doc" || d.Version != 1 || len(d.Content) != 1 || d.Content[0].Type != "codeBlock" || len(d.Content[0].Content) != 1 || d.Content[0].Content[0].Type != "text" || len(d.Content[0].Content[0].Text) > 32767 {
			t.Errorf("Jira refuses %.300s", body)
		}
		return f.Labels[1]
	}
	once(t, "jira", check)
}

func TestServiceNowHasOneRecordAnIncident(t *testing.T) {
	check := func(body string) string {
		var record struct {
			ShortDescription   string `json:"short_description"`
			Description        string
			CorrelationID      string `json:"correlation_id"`
			CorrelationDisplay string `json:"correlation_display"`
			Impact, Urgency    string
		}
		read(t, body, &record)
		if len(record.ShortDescription) > 160 || record.Description == "" || len(record.Description) > 4000 || len(record.CorrelationID) > 100 || record.Impact != "2" || record.Urgency != "1" {
			t.Errorf("ServiceNow cuts or refuses %.300s", body)
		}
		return record.CorrelationID
	}
	once(t, "servicenow", check)
}

// once sees that a recipe sends one thing an incident, whatever others call themselves. check returns the incident's id.
func once(t *testing.T, name string, check func(body string) string) {
	t.Helper()
	_, bodies := open(t, name).sent(t, night()...)
	if len(bodies) != 1 || check(bodies[0]) != "20260304-one" {
		t.Errorf("got %q", bodies)
	}
	_, bodies = open(t, name).sent(t, hostile()...)
	for _, b := range bodies {
		check(b)
	}
	if len(bodies) != len(hostile()) {
		t.Errorf("%d of %d are sent", len(bodies), len(hostile()))
	}
}

// The page has a command for each template, with the parameters that must be given and no others.
func TestThePageNamesTheRecipes(t *testing.T) {
	page, err := os.ReadFile("../../../infra/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(recipes + "*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		command := regexp.MustCompile(fmt.Sprintf(`aws cloudformation deploy --template-file infra/recipes/%s\.json (?:.*\\\n)*.*`, name)).FindString(string(page))
		var given, must []string
		for _, m := range regexp.MustCompile(`\b([A-Z][A-Za-z]+)=`).FindAllStringSubmatch(command, -1) {
			given = append(given, m[1])
		}
		for parameter, is := range open(t, name).Parameters {
			if is.(map[string]any)["Default"] == nil {
				must = append(must, parameter)
			}
		}
		if slices.Sort(given); command == "" || !slices.Equal(given, slices.Sorted(slices.Values(must))) {
			t.Errorf("%s: the page gives %q by %q, want %q", name, given, command, must)
		}
	}
}
