package html

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/doctor"
	"nightlatch/internal/prose"
)

// The answer comes first, and what others have chosen does nothing.
func TestPage(t *testing.T) {
	at := time.Date(2026, 3, 4, 1, 2, 0, 0, time.UTC)
	holds := doctor.Report{Name: "queues", Answer: doctor.Answer{State: doctor.Holds, Says: "2 queues as deployed"}}
	broken := doctor.Report{Name: "alarms", Answer: doctor.Answer{State: doctor.Broken, Found: []doctor.Finding{{Says: "alarm <script>x</script> is gone", Mend: "aws cloudwatch describe-alarms"}}}}
	unread := doctor.Report{Name: "roles", Answer: doctor.Answer{Says: "may not call iam:GetRole"}, Mend: "read the sentence"}
	weekly := doctor.Report{Name: "seal", Answer: doctor.Answer{State: doctor.Broken, Found: []doctor.Finding{{Says: "others may write", Mend: "add statements", Weekly: true}}}}
	for word, reports := range map[string][]doctor.Report{
		"It would work tonight":                         {holds},
		"It may not work tonight":                       {holds, broken, unread},
		"It is not known whether it would work tonight": {holds, unread},
		"It would work tonight, and may not for long":   {holds, weekly},
	} {
		page, err := Page("stack <b>N</b>", at, reports)
		if err != nil {
			t.Fatal(err)
		}
		text := string(page)
		if !strings.Contains(text, `">`+word+`</span></h1>`) || !strings.Contains(text, doctor.Headline(reports)) || !strings.Contains(text, "--ground: #fff") || !strings.Contains(text, "2026-03-04 01:02 UTC") ||
			!strings.Contains(text, "stack &lt;b&gt;N&lt;/b&gt;") || strings.Contains(text, "<script") || strings.Contains(text, "ZgotmplZ") {
			t.Errorf("%s: got %s", word, text)
		}
		for _, r := range reports {
			for _, want := range []string{">" + r.Name + "</h3>", prose.Capital(r.Says)} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q", word, want)
				}
			}
		}
		if strings.HasPrefix(word, "It may") && (!strings.Contains(text, "<code>aws cloudwatch describe-alarms</code>") || !strings.Contains(text, "Alarm &lt;script&gt;")) {
			t.Errorf("got %s", text)
		}
	}
	page, err := Page("x", at, nil)
	if err != nil || !strings.Contains(string(page), "It is not known") {
		t.Errorf("nothing was checked: %s, %v", page, err)
	}
}
