package settings

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheRehearsersSettings(t *testing.T) {
	aTopic := "arn:aws:sns:eu-west-1:111122223333:team"
	all := Rehearser{Topic: aTopic, Topics: []string{aTopic + "2"}, Watchers: []string{aTopic + "3"}, Account: "111122223333", Table: "incidents", User: "Nightlatch-CanaryUser-1", Bucket: "a-canary",
		Secret: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:canary-a1b2c3", Function: "Nightlatch-Canary-1", Days: 30, LogLevel: slog.LevelDebug}
	got, err := ParseRehearser(environ(all.Environ()))
	if diff := cmp.Diff(got, all); diff != "" || err != nil {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	for name, value := range map[string]string{"TOPIC": "x", "TOPICS": "x", "WATCHERS": "x", "ACCOUNT": "1", "TABLE": "a/b", "CANARY_USER": "a user", "CANARY_BUCKET": "a/b", "CANARY_SECRET": "canary",
		"CANARY_FUNCTION": "a b", "DAYS": "-1", "LOG_LEVEL": "loud", "MODE": "act"} {
		env := all.Environ()
		env[prefix+name] = value
		if got, err := ParseRehearser(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Rehearser{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	env := all.Environ()
	for _, optional := range []string{"TOPICS", "WATCHERS", "DAYS", "LOG_LEVEL"} {
		delete(env, prefix+optional)
	}
	if got, err := ParseRehearser(environ(env)); err != nil || got.Days != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
