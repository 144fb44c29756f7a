package report_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/doctor"
	doctorhtml "nightlatch/internal/doctor/html"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/pagestest"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
)

var pictures = flag.String("pictures", "", "leave a picture of each page in this folder, as each window shows it")

// seen is a page as a browser is to show it.
type seen struct {
	Name string `json:"name"`
	Page string `json:"page"`
	// Narrow: it is looked at on a phone alone.
	Narrow bool `json:"narrow"`
}

// wrongIn is what is wrong with pages in Chromium, a sentence each.
func wrongIn(t *testing.T, pages []seen) (wrong []string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(pagestest.Root(t), "node_modules/@sparticuz/chromium")); err != nil || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED, the page in a browser: Chromium is not in node_modules, or not for this machine; on Linux with an x86-64 processor run npm ci")
	}
	in, err := json.Marshal(pages)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{"testdata/browser.mjs"}, strings.Fields(*pictures)...)...)
	// It brings libraries and fonts that not every machine has, and unpacks them where it takes itself to be in Lambda. Its own configuration looks for
	// the fonts in /tmp alone, and a page without one has no text at all.
	tmp := t.TempDir()
	fonts := fmt.Sprintf("<fontconfig><dir>%[1]s/fonts</dir><cachedir>%[1]s/cache</cachedir></fontconfig>", tmp)
	if err := os.WriteFile(filepath.Join(tmp, "fonts.conf"), []byte(fonts), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x", "TMPDIR="+tmp, "FONTCONFIG_FILE="+filepath.Join(tmp, "fonts.conf"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("looking at the pages: %v", err)
	}
	if err := json.Unmarshal(out, &wrong); err != nil {
		t.Fatalf("the browser printed %.200q: %v", out, err)
	}
	return wrong
}

// A phone, a laptop and paper show all of a page, with contrast enough, headings in order, and what else axe-core knows; and it fetches nothing.
func TestThePageInABrowser(t *testing.T) {
	var pages []seen
	add := func(name string, r incident.Record, course []evidence.Slot, text string) {
		page, err := html.Page(r, course, suspects(cmp.Or(strings.TrimSpace(text), "x"))) // no bucket and no user is called nothing
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, seen{name, string(page), name == "fifty" || strings.HasPrefix(name, "hostile")})
	}
	asked := theft()
	asked.Outcomes[0].State, asked.Outcomes[0].Undo, asked.Outcomes[0].Runbook = containment.Asked, "", []string{"aws iam update-access-key --user-name mara"}
	nobody := theft()
	nobody.Evidence.Actors, nobody.Outcomes, nobody.Verdicts, nobody.Evidence.Bytes = nil, nil, nil, 0
	cutOff := theft()
	cutOff.Evidence.Lost, cutOff.Evidence.Complete = []string{"logs/a.json.gz: it ends early, and what comes after is missing"}, false
	add("contained", theft(), taken, "customer-exports")
	add("asked", asked, taken, "customer-exports")
	add("nobody", nobody, nil, "customer-exports")
	add("cut off", cutOff, taken, "customer-exports")
	add("fifty", report.Filled("a name of usual length", 50), nil, "customer-exports")
	add("nothing", incident.Record{}, nil, "")
	checks, err := doctorhtml.Page("stack Nightlatch of account 111122223333, region eu-west-1", time.Date(2026, 3, 4, 1, 2, 0, 0, time.UTC), checked())
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, seen{"doctor", string(checks), false})
	i := 0
	for name, text := range report.Hostile {
		if i++; i%4 == 0 || os.Getenv("NIGHTLATCH_TESTS") == "all" {
			r := report.Filled(text, 2)
			add("hostile "+strings.Map(letters, name), r, slots(r, text), text)
		}
	}
	for _, w := range wrongIn(t, pages) {
		t.Error(w)
	}
}

// checked is what the doctor's checks found, of each kind.
func checked() []doctor.Report {
	long := strings.Repeat("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-exports-1m,", 4)
	return []doctor.Report{
		{Name: "alarms", Answer: doctor.Answer{State: doctor.Broken, Found: []doctor.Finding{{Says: "Alarm nightlatch-exports-1m: its AlarmActions is " + long + " and was deployed as nothing",
			Mend: "aws cloudwatch describe-alarms --alarm-names " + long}, {Says: "alarm nightlatch-exports-24h has its actions switched off", Mend: "deploy again"}}}},
		{Name: "seal", Answer: doctor.Answer{State: doctor.Broken, Found: []doctor.Finding{{Says: "others than CloudTrail may write the trail's files", Mend: "add to the bucket's policy the statements", Weekly: true}}}},
		{Name: "roles", Answer: doctor.Answer{Says: "may not call iam:GetRole on role Nightlatch-ResponderRole-x1"}, Mend: "read the sentence"},
		{Name: "queues", Answer: doctor.Answer{State: doctor.Holds, Says: "2 queues as deployed, and no failed event waits"}},
	}
}

// letters leaves what the name of a file may have.
func letters(r rune) rune {
	if strings.ContainsRune(`/\:`, r) {
		return '-'
	}
	return r
}

// What a browser is to find, it finds.
func TestTheBrowserSeesWhatIsWrong(t *testing.T) {
	page := func(body string) string {
		return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>x</title></head><body><main>` + body + `</main></body></html>`
	}
	wrong := wrongIn(t, []seen{
		{"pale", page(`<h1 style="color: #ccc; background: #fff">pale</h1>`), true},
		{"broad", page(`<h1>broad</h1><p style="width: 2000px">x</p>`), false},
		{"jumps", page(`<h1>one</h1><h4>four</h4>`), false},
		{"fetches", page(`<h1>x</h1><img alt="x" src="http://127.0.0.1:9/x.png">`), true},
	})
	for _, says := range []string{"pale, phone: color-contrast: ", "broad, laptop: the page is 20", "jumps, paper: heading-order: ", "it fetches http://127.0.0.1:9/x.png"} {
		if !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, says) }) {
			t.Errorf("nothing begins with %q in %q", says, wrong)
		}
	}
}
