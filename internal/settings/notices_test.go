package settings

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTellersSettings(t *testing.T) {
	full := Notices{Topic: "arn:aws:sns:eu-west-1:111122223333:team", Watchers: []string{"arn:aws:sns:eu-west-1:111122223333:watch", "arn:aws:sns:eu-west-1:444455556666:soc"},
		Table: "kept", LogLevel: slog.LevelDebug}
	got, err := ParseNotices(environ(full.Environ()))
	if diff := cmp.Diff(got, full); err != nil || diff != "" {
		t.Errorf("%v, got -, want +:\n%s", err, diff)
	}
	for name, value := range map[string]string{"TOPIC": "team", "WATCHERS": "soc@example.com", "TABLE": "", "LOG_LEVEL": "loud", "MODE": "act"} {
		env := full.Environ()
		env[prefix+name] = value
		if got, err := ParseNotices(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Notices{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	_, err = ParseNotices(nil)
	for _, name := range []string{"TOPIC", "WATCHERS", "TABLE"} {
		if err == nil || !strings.Contains(err.Error(), prefix+name+" is missing") {
			t.Errorf("without anything: got %v", err)
		}
	}
}
