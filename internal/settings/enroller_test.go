package settings

import (
	"log/slog"
	"strings"
	"testing"
)

func TestTheEnrollersSettings(t *testing.T) {
	full := Enroller{Topic: "arn:aws:sns:eu-west-1:111122223333:team", Table: "kept", Trail: "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", LogLevel: slog.LevelDebug}
	if got, err := ParseEnroller(environ(full.Environ())); err != nil || got != full {
		t.Errorf("got %+v, %v, want %+v", got, err, full)
	}
	least := Enroller{Topic: full.Topic}
	if got, err := ParseEnroller([]string{"NIGHTLATCH_TOPIC=" + full.Topic}); err != nil || got != least {
		t.Errorf("got %+v, %v, want %+v", got, err, least)
	}
	for name, value := range map[string]string{
		"TOPIC": "team", "TRAIL": "main", "LOG_LEVEL": "loud", "MODE": "act", "BUCKETS": "*",
	} {
		env := full.Environ()
		env[prefix+name] = value
		if got, err := ParseEnroller(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || got != (Enroller{}) {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	if _, err := ParseEnroller(nil); err == nil || !strings.Contains(err.Error(), "NIGHTLATCH_TOPIC is missing") {
		t.Errorf("without a topic: got %v", err)
	}
}
