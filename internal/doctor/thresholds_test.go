package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func on(bucket, threshold string) Alarm {
	return Alarm{Name: "nightlatch-" + bucket, Settings: map[string]string{"Namespace": "AWS/S3", "MetricName": "BytesDownloaded", "Threshold": threshold,
		"Dimensions": "BucketName=" + bucket + ", FilterId=nightlatch"}}
}

func onQuery(expression, threshold string) Alarm {
	return Alarm{Name: "nightlatch-some", Settings: map[string]string{"Threshold": threshold, "Metrics": `[{"Expression":"` + expression + `"}]`}}
}

func TestABucketThatCanBeEmptiedWithoutAnAlarm(t *testing.T) {
	const gib, total = "1073741824", "SELECT SUM(BytesDownloaded) FROM SCHEMA(...)"
	named := fixed{Alarms: []Alarm{on("exports", gib), on("exports", "53687091200"), on("logs", gib), onQuery(total, "1"), {Name: "watch-nightlatch-errors", Settings: map[string]string{"Threshold": "0"}}}}
	every := fixed{Alarms: append(named.Alarms, onQuery(total+" GROUP BY BucketName ORDER BY SUM() DESC", "2147483648"))}
	for name, c := range map[string]struct {
		stack Stack
		sizes map[string]int64
		want  string
	}{
		"large":                  {named, map[string]int64{"exports": 5 << 30, "logs": 1<<30 + 1}, "holds every watched bucket holds more than what makes an alarm fire"},
		"small":                  {named, map[string]int64{"exports": 400 << 20, "logs": 5 << 30}, "broken bucket exports holds 400 MiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one | deploy with another threshold for it: exports=200MiB/1m"},
		"just as large":          {named, map[string]int64{"exports": 1 << 30, "logs": 5 << 30}, "broken bucket exports holds 1.00 GiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one | deploy with another threshold for it: exports=512MiB/1m"},
		"tiny":                   {named, map[string]int64{"exports": 1000, "logs": 5 << 30}, "broken bucket exports holds 1,000 bytes, and no alarm on it fires below 1.00 GiB: it can be emptied without one | deploy with another threshold for it: exports=1KiB/1m"},
		"empty, and not known":   {named, map[string]int64{"exports": 0}, "holds every watched bucket holds more than what makes an alarm fire, but for 1 bucket of which S3 says no size"},
		"one that is not named":  {named, map[string]int64{"exports": 5 << 30, "logs": 5 << 30, "other": 1}, "holds every watched bucket holds more than what makes an alarm fire"},
		"one of every other one": {every, map[string]int64{"exports": 5 << 30, "logs": 5 << 30, "other": 2 << 30}, "broken bucket other holds 2.00 GiB, and no alarm on it fires below 2.00 GiB: it can be emptied without one | deploy with another threshold for it: other=1GiB/1m"},
		"no alarm":               {fixed{}, nil, "unread no alarm of the stack watches a bucket; see whether it is Nightlatch's"},
	} {
		got := Run(t.Context(), time.Now, []Check{Thresholds(c.stack, func(context.Context) (map[string]int64, error) { return c.sizes, nil })})[0]
		text := got.State.String() + " " + got.Says
		for _, f := range got.Found {
			text += f.Says + " | " + f.Mend
			if !f.Weekly {
				t.Errorf("%s: it is told daily", name)
			}
		}
		if text != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, c.want)
		}
	}
	refused := Run(t.Context(), time.Now, []Check{Thresholds(named, func(context.Context) (map[string]int64, error) { return nil, errors.New("may not call") })})[0]
	if refused.State != Unread || !strings.Contains(refused.Says, "may not call") {
		t.Errorf("got %+v", refused)
	}
}
