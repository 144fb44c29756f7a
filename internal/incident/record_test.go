package incident

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
)

func TestWhoMadeCopiesComesBeforeWhoTookLittle(t *testing.T) {
	ordered := func(bytes *int64) (keys []string) {
		r := Record{Alarm: alarm.Alarm{Source: alarm.Fired, Bytes: bytes}}
		actors := []evidence.Actor{{AccessKeyID: "icon", Bytes: 1}, {AccessKeyID: "copier", Copies: 1}, {AccessKeyID: "dashboard", Bytes: 99}, {AccessKeyID: "job", Bytes: 100},
			{AccessKeyID: "thief", Bytes: 700, Copies: 2}, {AccessKeyID: "copier with bytes", Bytes: 5, Copies: 9}}
		slices.SortStableFunc(actors, r.Order)
		for _, a := range actors {
			keys = append(keys, a.AccessKeyID)
		}
		return keys
	}
	if diff := cmp.Diff([]string{"thief", "job", "copier with bytes", "copier", "dashboard", "icon"}, ordered(new(int64(1000)))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"thief", "job", "dashboard", "copier with bytes", "icon", "copier"}, ordered(nil)); diff != "" {
		t.Errorf("the alarmed bytes are not known (-want +got):\n%s", diff)
	}
}
