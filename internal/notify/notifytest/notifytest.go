// Package notifytest has messages for the tests of channels: of an ordinary incident, and of what others would have a chat obey.
package notifytest

import (
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// Stolen is an incident in which one step was done and another is asked.
func Stolen() incident.Record {
	const line = "aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001 --status "
	return incident.Record{ID: "20260304-one", Mode: containment.ModeAct, Judged: time.Unix(1, 0), Outcomes: []containment.Outcome{
		{Action: policy.DeactivateKey, Target: "AKIAEXAMPLESTOLEN001", AccessKeyID: "AKIAEXAMPLESTOLEN001", State: containment.Done, Undo: line + "Active"},
		{Action: policy.BlockOnBucket, Target: "arn:aws:s3:::exports", AccessKeyID: "AKIAEXAMPLESTOLEN001", State: containment.Asked, Runbook: []string{"aws s3api put-bucket-policy --bucket exports --policy '{\"a\":\"<&>\"}'", "aws s3api get-bucket-policy --bucket exports"}},
	}, Evidence: evidence.Evidence{Actors: []evidence.Actor{{AccessKeyID: "AKIAEXAMPLESTOLEN001", Bytes: 1 << 30}}}}
}

// hostile is what a chat would obey, or what would break the form of a message.
var hostile = []string{"<!channel>", "<!here|x>", "<@U012AB3CD>", "<https://evil.example.com|the console>", "@channel @everyone #general", "*CONTAINED* _x_ ~y~ `z`", "```\n<!channel>", "~~~\n# x", ":fire:", "&lt;!channel&gt;",
	"https://evil.example.com", "[the console](https://evil.example.com)", "![x](https://evil.example.com/x.png)", "<at>channel</at>", "<script>alert(1)</script>", "=cmd()", "\x1b[2J", "\u202egpj", "a\r\nBcc: x", "aws iam delete-user",
	"nightlatch approve x", "\n\naws iam delete-user --user-name mara\n\n", strings.Repeat("&", 9000), strings.Repeat("`", 9000), "\xff", ""}

// fill sets every string under v that others could choose, and makes lists of n.
func fill(v reflect.Value, s string, n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), s, n)
		}
	case reflect.Int64:
		v.SetInt(7)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				fill(v.Field(i), s, n)
			}
		}
	}
}

// Messages are messages in which all that others could choose is hostile, each with what it is. The commands in them are known to OurCommand.
func Messages() iter.Seq2[string, report.Message] {
	return func(yield func(string, report.Message) bool) {
		for i, s := range hostile {
			for _, n := range []int{1, 12}[:1+max(0, 1-i)] {
				if !messages(s, n, yield) {
					return
				}
			}
		}
	}
}

func messages(s string, n int, yield func(string, report.Message) bool) bool {
	var r incident.Record
	fill(reflect.ValueOf(&r).Elem(), s, n)
	r.Alarm.Refused = ""
	for _, state := range []containment.State{containment.Asked, containment.Done, containment.Failed} {
		for i := range r.Outcomes {
			r.Outcomes[i].State, r.Outcomes[i].Undo, r.Outcomes[i].Runbook = state, "aws undo", []string{"aws run"}
		}
		for _, m := range []report.Message{report.Write(incident.Answer, r), report.Write(incident.Escalation, r), report.Write(incident.Closing, r), report.Page([]incident.Record{r, r}),
			{Subject: "APPROVED by " + strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?"), Body: "x\n"}} {
			if !yield(fmt.Sprintf("%.40q", s), m) {
				return false
			}
		}
	}
	return true
}

// OurCommand reports whether a command of such a message is ours, and none that others have put there.
func OurCommand(c string) bool {
	return c == "aws undo" || c == "aws run" || strings.HasPrefix(c, "nightlatch approve ") || strings.HasPrefix(c, "# no command is printed")
}
