package settings

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCuttersSettings(t *testing.T) {
	all := Cutter{Accounts: []string{"111122223333"}, Stack: "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f",
		Steps: []string{"deny-role-session", "deny-role-sessions", "quarantine-user"}, Paths: []string{"/team/", "/a/b+c=d/"},
		Protected: []string{"arn:aws:iam::111122223333:user/ops/break-glass"}, ProtectTag: "team:protect", LogLevel: slog.LevelDebug}
	got, err := ParseCutter(environ(all.Environ()))
	if diff := cmp.Diff(got, all); diff != "" || err != nil {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	if got.StackName() != "Nightlatch" {
		t.Errorf("the stack is called %q", got.StackName())
	}
	for name, value := range map[string]string{"ACCOUNTS": "1", "STACK": "Nightlatch", "STEPS": "deny-user-sessions,deactivate-key", "STEP_PATHS": "/team", "PROTECTED": "bob", "PROTECT_TAG": "a\nb",
		"LOG_LEVEL": "loud", "MODE": "act", "TOPIC": "x"} {
		env := all.Environ()
		env[prefix+name] = value
		if got, err := ParseCutter(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Cutter{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	for _, required := range []string{"ACCOUNTS", "STACK", "STEPS"} {
		env := all.Environ()
		delete(env, prefix+required)
		if _, err := ParseCutter(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+required+" is missing") {
			t.Errorf("without %s: got %v", required, err)
		}
	}
	env := all.Environ()
	for _, optional := range []string{"STEP_PATHS", "PROTECTED", "PROTECT_TAG", "LOG_LEVEL"} {
		delete(env, prefix+optional)
	}
	if got, err := ParseCutter(environ(env)); err != nil || got.ProtectTag != DefaultProtectTag || got.Paths != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStepPaths(t *testing.T) {
	for path, want := range map[string]bool{"/": true, "/team/": true, "/a/b/": true, "/ü/": false, "": false, "//": false, "/team": false, "team/": false, "/*/": false, "/te?m/": false,
		"/${aws:username}/": false, "/a,b/": false, "/a b/": false, "/a//b/": false} {
		if got := StepPath.MatchString(path); got != want {
			t.Errorf("%q: got %t", path, got)
		}
	}
}
