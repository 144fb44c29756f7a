package settings

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheHubsSettings(t *testing.T) {
	all := Hub{Topic: full.Topic, Topics: full.Topics, Watchers: full.Watchers, Accounts: full.Accounts, Table: "NightlatchHub-x", LogLevel: slog.LevelWarn}
	got, err := ParseHub(environ(all.Environ()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, all); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	for name, value := range map[string]string{"TOPIC": "team", "ACCOUNTS": "1111", "WATCHERS": "x", "TABLE": "", "MODE": "act"} {
		env := all.Environ()
		env[prefix+name] = value
		if _, err := ParseHub(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) {
			t.Errorf("%s=%q: got %v, want an error that names it", name, value, err)
		}
	}
}
