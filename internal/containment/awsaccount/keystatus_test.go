package awsaccount

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
)

var (
	ref      = containment.Ref{Type: containment.KeyStatus, Owner: "backup-exports", Name: "AKIAEXAMPLE000000001"}
	inactive = containment.Doc{Text: containment.Inactive}
	active   = containment.Doc{Text: containment.Active}
)

func awsConfig(a *Account) aws.Config {
	return aws.Config{Region: "eu-west-1", Credentials: a.credentials}
}

func TestWriteTurnsOffOneKeyAndNotItsNeighbour(t *testing.T) {
	f := newFake(t)
	f.page = 1 // so that reading the second key takes two pages
	a := f.account(Settings{})
	second := ref
	second.Name = "AKIAEXAMPLE000000002"
	if err := a.Write(t.Context(), second, inactive); err != nil {
		t.Fatal(err)
	}
	for r, want := range map[containment.Ref]containment.Doc{ref: active, second: inactive} {
		if got, err := a.Read(t.Context(), r); err != nil || got != want {
			t.Errorf("Read(%s) = %+v, %v, want %+v", r.Name, got, err, want)
		}
	}
	if err := a.Write(t.Context(), second, active); err != nil {
		t.Fatal(err)
	}
	if got := f.status("backup-exports", second.Name); got != containment.Active {
		t.Errorf("after the undo the key is %q", got)
	}
}

func TestReadOfWhatIsGone(t *testing.T) {
	a := newFake(t).account(Settings{})
	for _, r := range []containment.Ref{
		{Type: containment.KeyStatus, Owner: "nobody", Name: "AKIAEXAMPLE000000001"},
		{Type: containment.KeyStatus, Owner: "backup-exports", Name: "AKIAEXAMPLE000000404"},
	} {
		if got, err := a.Read(t.Context(), r); err != nil || got != (containment.Doc{Absent: true}) {
			t.Errorf("Read(%+v) = %+v, %v, want an absent document", r, got, err)
		}
	}
}

// What a write's error claims must be true: ErrNotDone only if the key is as it was, and one call only, whatever happens.
func TestWriteKnowsWhetherItHappened(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   fault
		notDone bool
		says    string
	}{
		"denied":                  {deny, true, `may not call iam:UpdateAccessKey on key "AKIAEXAMPLE000000001" of user "backup-exports" (AWS: "no"); grant it`},
		"throttled":               {throttle, true, "throttling"},
		"no such key":             {fault{status: 404, code: "NoSuchEntity"}, true, "IAM does not know it"},
		"invalid":                 {fault{status: 400, code: "ValidationError"}, true, "AWS refused with"},
		"busy":                    {fault{status: 409, code: "EntityTemporarilyUnmodifiable"}, true, "AWS refused with"},
		"stale credentials":       {fault{status: 403, code: "ExpiredToken"}, true, "renew them"},
		"failed on AWS's side":    {fault{status: 500, code: "ServiceFailure"}, false, "HTTP 500"},
		"the same, but it worked": {fault{status: 503, code: "ServiceUnavailable", applied: true}, false, "HTTP 503"},
		"a timeout of AWS's":      {fault{status: 408, code: "RequestTimeout", applied: true}, false, "is not known"},
		"a proxy's refusal":       {fault{status: 403, body: "<html>blocked</html>"}, false, "is not known"},
		"a page, but it worked":   {fault{status: 403, body: "<p>blocked<br>", applied: true}, false, "the answer (HTTP 403) is not AWS's; see whether a proxy"},
		"a gateway's page":        {fault{status: 502, body: "<p>try later<br>", applied: true}, false, "HTTP 502"},
		"cut before it happened":  {fault{cut: true}, false, "no answer came"},
		"cut after it happened":   {fault{cut: true, applied: true}, false, "no answer came"},
		"hangs, not done":         {fault{hang: true}, false, "did not answer in time"},
		"hangs after it happened": {fault{hang: true, applied: true}, false, "did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.faults["UpdateAccessKey"] = []fault{tc.fault, deny} // a second attempt would be refused
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err := f.account(Settings{}).Write(ctx, ref, inactive)
			if err == nil {
				t.Fatal("no error")
			}
			if got := errors.Is(err, containment.ErrNotDone); got != tc.notDone {
				t.Errorf("ErrNotDone: got %v, want %v (%v)", got, tc.notDone, err)
			}
			if got := errors.Is(err, containment.ErrThrottled); got != (name == "throttled") {
				t.Errorf("ErrThrottled: got %v (%v)", got, err)
			}
			if !strings.Contains(err.Error(), tc.says) || strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("got %q, want %q in it", err, tc.says)
			}
			if errors.Is(err, containment.ErrNotDone) && f.status(ref.Owner, ref.Name) != containment.Active {
				t.Error("the error says that nothing was changed, and the key was")
			}
			if n := f.count("UpdateAccessKey"); n != 1 {
				t.Errorf("%d writes, want one", n)
			}
		})
	}
}

func TestWriteRefusesWithoutACall(t *testing.T) {
	f := newFake(t)
	a := f.account(Settings{})
	for _, tc := range []struct {
		ref containment.Ref
		doc containment.Doc
	}{
		{ref, containment.Doc{Absent: true}},
		{ref, containment.Doc{Absent: true, Text: containment.Inactive}},
		{ref, containment.Doc{}},
		{ref, containment.Doc{Text: "inactive"}},
		{containment.Ref{Type: containment.KeyStatus, Name: ref.Name}, inactive},
		{containment.Ref{Type: containment.KeyStatus, Owner: ref.Owner}, inactive},
		{containment.Ref{Type: "group-policy", Owner: ref.Owner, Name: ref.Name}, inactive},
		{containment.Ref{Type: containment.UserPolicy, Owner: ref.Owner, Name: "x"}, inactive},
		{containment.Ref{Type: containment.UserPolicy, Owner: ref.Owner, Name: "x"}, containment.Doc{Text: `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}},
		{containment.Ref{Type: containment.RolePolicy, Owner: "etl", Name: "x"}, containment.Doc{Text: `{"Statement":[{"Effect":"Deny"},{"Effect":"Allow"}]}`}},
		{containment.Ref{Type: containment.RolePolicy, Owner: "etl", Name: "x"}, containment.Doc{Text: `{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}`}},
		{containment.Ref{Type: containment.RolePolicy, Name: "x"}, containment.Doc{Text: `{"Statement":[{"Effect":"Deny"}]}`}},
		{containment.Ref{Type: containment.UserAttachment, Owner: ref.Owner, Name: "arn:aws:iam::aws:policy/AdministratorAccess"}, containment.Doc{Text: containment.Attached}},
		{containment.Ref{Type: containment.UserAttachment, Owner: ref.Owner, Name: "arn:aws:iam::111122223333:policy/AWSCompromisedKeyQuarantineV3"}, containment.Doc{Text: containment.Attached}},
		{containment.Ref{Type: containment.UserAttachment, Owner: ref.Owner, Name: "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"}, containment.Doc{Text: "attached"}},
		{containment.Ref{Type: containment.BucketPolicy, Owner: "a-bucket"}, containment.Doc{Absent: true}},
		{containment.Ref{Type: containment.PublicAccessBlock, Owner: "a-bucket", Name: "a-bucket"}, containment.Doc{Absent: true}},
		{containment.Ref{}, inactive},
	} {
		if err := a.Write(t.Context(), tc.ref, tc.doc); !errors.Is(err, containment.ErrNotDone) {
			t.Errorf("Write(%+v, %+v) = %v, want ErrNotDone", tc.ref, tc.doc, err)
		}
	}
	if _, err := a.Read(t.Context(), containment.Ref{Type: "group-policy", Owner: ref.Owner, Name: "x"}); err == nil {
		t.Error("Read of an unknown setting: no error")
	}
	if len(f.calls) > 0 {
		t.Errorf("calls were made: %v", f.calls)
	}
}

func TestReadRidesOutAThrottle(t *testing.T) {
	f := newFake(t)
	f.faults["ListAccessKeys"] = []fault{throttle, {cut: true}, none}
	if got, err := f.account(Settings{}).Read(t.Context(), ref); err != nil || got != active {
		t.Errorf("got %+v, %v, want %+v", got, err, active)
	}
}

func TestReadSaysWhatIsMissing(t *testing.T) {
	f := newFake(t)
	f.faults["ListAccessKeys"] = []fault{deny}
	_, err := f.account(Settings{}).Read(t.Context(), ref)
	want := `may not call iam:ListAccessKeys on the access keys of user "backup-exports" (AWS: "no"); grant it`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// Mode observe holds ReadGrants only.
func TestReadGrantsChangeNothing(t *testing.T) {
	for _, g := range slices.Concat(ReadGrants(), SignInGrants(), CutReadGrants()) {
		for _, action := range g.Actions {
			_, verb, _ := strings.Cut(action, ":")
			if !strings.HasPrefix(verb, "Get") && !strings.HasPrefix(verb, "List") {
				t.Errorf("%s is among the reading grants", action)
			}
		}
	}
	denies := 0
	for _, g := range WriteGrants() {
		if g.Deny {
			denies++
		}
		if g.Actions[0] != "iam:UpdateAccessKey" || len(g.Actions) != 1 {
			t.Errorf("WriteGrants: %v", g.Actions)
		}
	}
	if denies != 1 {
		t.Errorf("WriteGrants holds %d denies, want one", denies)
	}
	var all []grant.Grant = Grants()
	if len(all) != len(ReadGrants())+len(SignInGrants())+len(WriteGrants()) {
		t.Errorf("Grants has %d statements", len(all))
	}
}
