package incident

import (
	"testing"
	"time"
)

func TestStateInAWord(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC)
	for want, r := range map[string]Record{
		"open": {Opened: at}, "escalated": {Opened: at, Escalated: at}, "closed": {Opened: at, Closed: at},
	} {
		if got := r.Brief().State(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (Record{Escalated: at, Closed: at}).Brief().State(); got != "closed" {
		t.Errorf("escalated and closed is %s", got)
	}
}
