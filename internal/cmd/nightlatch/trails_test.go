package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shared = "../../../../shared"

// respond runs the command over real trails and returns what it prints.
func respond(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := os.Stat(shared); err != nil {
		t.Skip("SKIPPED, the real trails: ../shared is not beside the project")
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"respond"}, args...), streams{strings.NewReader(""), &out, &errs, &scratch{}}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return out.String()
}

// The right answer stands in ../shared/trails/README.md.
func TestTheStolenInstanceRoleToTheByte(t *testing.T) {
	dir := filepath.Join(shared, "trails/otrf-ec2-proxy-s3-exfiltration")
	text := respond(t, "--event", filepath.Join(dir, "alarm.json"), "--trail", dir, "--mode", "act", "--json")
	var got struct {
		Alarm struct {
			Buckets   []string
			Bytes     int64
			Threshold float64
			Confirmed bool
		}
		Evidence struct {
			Engine    string
			Bytes     int64
			Explained float64
			Complete  bool
			Lost      []string
			Actors    []struct {
				Kind         string
				AccessKeyID  string `json:"access_key_id"`
				PrincipalARN string `json:"principal_arn"`
				AccountID    string `json:"account_id"`
				Bytes        int64
				ObjectBytes  int64 `json:"object_bytes"`
				ListingBytes int64 `json:"listing_bytes"`
				Share        float64
				Objects      int64
				Calls        map[string]int64
			}
		}
		Verdicts []struct{ Decision string }
		Outcomes []struct{ State string }
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Alarm.Bytes != 2089 || got.Alarm.Threshold != 400 || !got.Alarm.Confirmed || got.Evidence.Bytes != 2089 || got.Evidence.Explained != 1 ||
		!got.Evidence.Complete || len(got.Evidence.Lost) != 0 || got.Evidence.Engine != "duckdb" || len(got.Evidence.Actors) != 1 {
		t.Fatalf("got %+v", got)
	}
	a := got.Evidence.Actors[0]
	if a.Kind != "role-session" || a.AccessKeyID != "ASIA5FLZVX4OPVKKVBMX" || a.AccountID != "123456789123" ||
		a.PrincipalARN != "arn:aws:iam::123456789123:role/MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0" ||
		a.Bytes != 2089 || a.ObjectBytes != 89 || a.ListingBytes != 2000 || a.Share != 1 || a.Objects != 1 || a.Calls["GetObject"] != 1 || a.Calls["ListObjects"] != 4 {
		t.Errorf("got %+v", a)
	}
	// Its key is temporary: there is nothing that UpdateAccessKey could do.
	if len(got.Verdicts) != 1 || got.Verdicts[0].Decision != "ask" || len(got.Outcomes) != 1 || got.Outcomes[0].State != "asked" {
		t.Errorf("got verdicts %+v and outcomes %+v, want one ask", got.Verdicts, got.Outcomes)
	}
}

// It ends in a plan for that instance's session, and for no other of the role.
func TestTheStolenInstanceRoleIsPlanned(t *testing.T) {
	dir := filepath.Join(shared, "trails/otrf-ec2-proxy-s3-exfiltration")
	own := filepath.Join(t.TempDir(), "own.cedar")
	if err := os.WriteFile(own, []byte(`@id("own") @because("a deployer's own") permit (principal, action == Action::"deny-role-session", resource);`), 0o600); err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[string]string{"": "asked", own: "done"} {
		args := []string{"--event", filepath.Join(dir, "alarm.json"), "--trail", dir, "--mode", "act", "--json", "--steps", "deny-role-session,block-on-bucket"}
		if policy != "" {
			args = append(args, "--policy", policy)
		}
		var got struct {
			Outcomes []struct {
				State string
				Step  struct {
					Order struct {
						Action, Role string
						UserID       string `json:"user_id"`
						Before       string
					}
					Ref struct{ Type, Owner string }
				}
			}
		}
		if err := json.Unmarshal([]byte(respond(t, args...)), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Outcomes) != 1 {
			t.Fatalf("got %+v", got)
		}
		o := got.Outcomes[0].Step.Order
		if got.Outcomes[0].State != want || o.Action != "deny-role-session" || o.Role != "MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0" ||
			!strings.HasPrefix(o.UserID, "AROA") || !strings.Contains(o.UserID, ":i-") || o.Before != "" || got.Outcomes[0].Step.Ref.Type != "role-policy" {
			t.Errorf("got %+v, want it %s: of an instance, which is issued fresh credentials at once", got, want)
		}
	}
}

func TestTheWholeFileOfTheStolenInstanceRole(t *testing.T) {
	event := filepath.Join(t.TempDir(), "event.json")
	ask := `{"nightlatch":{"investigate":{"bucket":"mordors3stack-s3bucket-llp2yingx64a","from":"2020-09-14T00:00:00Z","to":"2020-09-14T02:00:00Z","bytes":3726}}}`
	if err := os.WriteFile(event, []byte(ask), 0o644); err != nil {
		t.Fatal(err)
	}
	text := respond(t, "--event", event, "--trail", filepath.Join(shared, "trails/otrf-ec2-proxy-s3-exfiltration"))
	for _, want := range []string{"took 3,726 bytes (100 % of", "Calls: ListObjects 7, GetObject 2.", "ask-manual"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("the answer does not say %q:\n%s", want, text)
		}
	}
}

func TestATrailWithoutDataEvents(t *testing.T) {
	event := filepath.Join(t.TempDir(), "event.json")
	ask := `{"nightlatch":{"investigate":{"bucket":"example-exports","from":"2023-07-10T12:00:00Z","to":"2023-07-10T12:05:00Z"}}}`
	if err := os.WriteFile(event, []byte(ask), 0o644); err != nil {
		t.Fatal(err)
	}
	trail := filepath.Join(shared, "trails/invictus-stratus-run")
	if text := respond(t, "--event", event, "--trail", trail); !strings.Contains(text, "no S3 data events: is data-event logging on for this bucket?") {
		t.Errorf("got %s", text)
	}
	// Another time is told with both ranges.
	text := strings.Join(strings.Fields(respond(t, "--event", "../../../events/alarm-direct.json", "--trail", trail, "--mode", "act")), " ")
	if !strings.Contains(text, "outside of the trail, which holds calls from 2023-07-10 11:42:18 to 2023-07-10 12:37:50 UTC (example-exports, 2026-05-12 02:13 to 02:14 UTC)") ||
		strings.Contains(text, "is data-event logging on") || strings.Contains(text, "the evidence is complete") {
		t.Errorf("got %s", text)
	}
}
