package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/cut"
	"nightlatch/internal/grant/granttest"
)

// everything is a policy that contains whatever can be done.
const everything = `@id("own") @because("a deployer's own") permit (principal, action, resource);`

// The whole program with all steps enabled, and with the cutter's own code behind Lambda's Invoke. What the stories call more than without steps is
// written down by itself, and the roles of a deployment with steps are judged by it (infra).
func TestStoriesWithStepsAgainstMoto(t *testing.T) {
	t.Parallel()
	endpoint := awstest.Moto(t)
	mara := func(key string) string {
		return `{"type":"IAMUser","principalId":"%[2]s","arn":"arn:aws:iam::%[1]s:user/data/mara","accountId":"%[1]s","userName":"mara"` + key + `,"x":"%[3]s"}`
	}
	stories := map[string]struct {
		plot
		paths string
		want  []string // the steps, and what became of them
		stand func(*midnight, *testing.T) bool
	}{
		"a role's session": {plot{account: "400000000001", role: true, own: everything}, "/service-role/", []string{"deny-role-session done"},
			func(m *midnight, t *testing.T) bool { return m.stands(t, "", "etl") == 1 }},
		"a role in none of the paths": {plot{account: "400000000002", role: true, own: everything}, "/team/", []string{"deny-role-session asked", "block-on-bucket done"},
			func(m *midnight, t *testing.T) bool {
				p, _ := m.s3.PolicyOf(bucket)
				return m.stands(t, "", "etl") == 0 && strings.Contains(p, ":job-7")
			}},
		"a user's session": {plot{account: "400000000003", who: mara(`,"accessKeyId":"ASIAEXAMPLEMARASESS1"`), own: everything}, "/data/", []string{"deny-user-sessions done"},
			func(m *midnight, t *testing.T) bool { return m.stands(t, "mara", "") == 1 }},
		"a user of whom no key is shown": {plot{account: "400000000004", who: mara(""), own: everything}, "/data/", []string{"quarantine-user asked"}, // moto has no quarantine policies
			func(m *midnight, t *testing.T) bool { return m.stands(t, "mara", "") == 0 }},
		"nobody": {plot{account: "400000000005", who: `{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL","x":"%[1]s%[2]s%[3]s"}`, own: everything}, "/data/",
			[]string{"block-public-access done"}, func(m *midnight, _ *testing.T) bool { _, blocked := m.s3.PolicyOf(bucket); return blocked }},
	}
	var mu sync.Mutex
	var all []granttest.Call
	played := 0
	t.Run("stories", func(t *testing.T) {
		for name, s := range stories {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var steps []string
				for _, step := range containment.Orderable() {
					steps = append(steps, string(step))
				}
				s.env = []string{"NIGHTLATCH_STEPS=" + strings.Join(steps, ","), "NIGHTLATCH_STEP_PATHS=" + s.paths, "NIGHTLATCH_CUTTER=" + cutterName}
				m := newMidnight(within(t, 5*time.Minute), t, endpoint, s.plot)
				m.cutter(t, s.paths)
				in := m.respond(t, m.start(t, 4*time.Minute))
				var got []string
				for _, o := range in.Outcomes {
					got = append(got, o.Action+" "+o.State)
				}
				if !slices.Equal(got, s.want) || !s.stand(m, t) {
					t.Errorf("got %q, want %q to stand in the account", got, s.want)
				}
				m.keys(t.Context(), t, "Active")
				if messages := strings.Join(m.messages(t.Context(), t), "\n"); strings.Contains(s.want[0], "asked") && s.paths == "/team/" != strings.Contains(messages, "is in none of the paths that the setting stepPaths names") {
					t.Errorf("the team is told:\n%s", messages)
				}
				mu.Lock()
				defer mu.Unlock()
				played++
				all = append(all, m.calls()...)
			})
		}
	})
	if played == len(stories) && !t.Failed() {
		without := granttest.Read(t, filepath.Join("testdata", "calls.json"))
		all = slices.DeleteFunc(all, func(c granttest.Call) bool {
			return slices.ContainsFunc(without, func(known granttest.Call) bool { return known.Action == c.Action && known.Resource == c.Resource })
		})
		granttest.Golden(t, filepath.Join("testdata", "calls-steps.json"), *update, all)
	}
}

const cutterName = "Nightlatch-Cutter-x1"

// cutter has Lambda run the cutter's code in the midnight's account, with credentials of its own.
func (m *midnight) cutter(t *testing.T, paths string) {
	t.Helper()
	cfg := m.config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider("ASIAEXAMPLECUTTER", "x", "x") // the responder's calls are seen, and not these
	account, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	c := cut.Cutter{Account: account, Now: m.clock.Now, Allowed: cut.Allowed{Account: m.account, Steps: containment.Orderable(), Paths: []string{paths}, Buckets: []string{bucket}, Stack: "Nightlatch"}}
	m.aws.Services["lambda"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(r.URL.Path, "/"+cutterName+"/invocations") {
			t.Errorf("it called %s: %v", r.URL.Path, err)
		}
		text, err := json.Marshal(c.Cut(r.Context(), event))
		if err != nil {
			t.Error(err)
		}
		w.Write(text)
	})
}

// stands counts the inline policies of a user or a role.
func (m *midnight) stands(t *testing.T, user, role string) int {
	t.Helper()
	if user != "" {
		out, err := m.iam.ListUserPolicies(t.Context(), &iam.ListUserPoliciesInput{UserName: aws.String(user)})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.PolicyNames)
	}
	out, err := m.iam.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: aws.String(role)})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.PolicyNames)
}
