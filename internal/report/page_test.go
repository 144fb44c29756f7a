package report_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	parser "golang.org/x/net/html"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/posture"
	"nightlatch/internal/report"
	"nightlatch/internal/report/html"
)

// drawn are the elements and attributes that a page may have.
var drawn = map[string]string{"html": "lang", "head": "", "meta": "charset name content http-equiv", "title": "", "style": "", "body": "", "main": "", "section": "",
	"h1": "", "h2": "", "h3": "", "p": "class", "span": "class", "strong": "class", "ul": "class", "ol": "class", "li": "class", "div": "class tabindex role aria-label", "dl": "",
	"dt": "class", "dd": "", "code": "", "figure": "", "figcaption": "", "table": "", "thead": "", "tbody": "", "tr": "", "th": "class", "td": "class",
	"svg": "class viewBox preserveAspectRatio role aria-label aria-hidden", "rect": "class x y width height", "line": "class x1 x2 y1 y2", "text": "class x y"}

// outline are a page's elements in their order, as its own parser reads it. What is not to be drawn, or is not printable, fails the test.
func outline(t *testing.T, page []byte) (elements []string) {
	t.Helper()
	root, err := parser.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		switch n.Type {
		case parser.TextNode:
			report.Printable(t, "the page", n.Data, "\n")
		case parser.ElementNode:
			allowed, known := drawn[n.Data]
			if !known {
				t.Errorf("the page has an element %q", n.Data)
			}
			for _, a := range n.Attr {
				report.Printable(t, "an attribute", a.Val, "")
				if !strings.Contains(" "+allowed+" ", " "+a.Key+" ") {
					t.Errorf("an element %q has the attribute %s=%q", n.Data, a.Key, a.Val)
				}
			}
			elements = append(elements, n.Data)
		case parser.CommentNode:
			t.Errorf("the page has the comment %q", n.Data)
		}
	}
	return elements
}

// Whatever others call themselves, the page has the elements that it has of a plain name, runs nothing and fetches nothing.
func TestThePageOfHostileNames(t *testing.T) {
	for _, state := range report.States {
		of := func(text string, kind actor.Kind) []byte {
			r := report.Filled(text, 2)
			for i := range r.Outcomes {
				r.Outcomes[i].State = state
			}
			for i := range r.Evidence.Actors {
				r.Evidence.Actors[i].Kind = kind
			}
			page, err := html.Page(r, slots(r, text), suspects(text))
			if err != nil {
				t.Fatal(err)
			}
			return page
		}
		for name, text := range report.Hostile {
			kinds := []actor.Kind{actor.IAMUserKey, actor.Kind(text)}
			if state == containment.Done {
				kinds = append(actor.Kinds(), kinds...)
			}
			for _, kind := range kinds {
				page := of(text, kind)
				if bytes.Contains(page, []byte("ZgotmplZ")) || bytes.Contains(page, []byte("<no value>")) {
					t.Errorf("%s: the template refused something", name)
				}
				got := outline(t, page)
				if kind != actor.IAMUserKey || text == "" || strings.TrimSpace(text) == "" { // an empty name leaves things out
					continue
				}
				if diff := cmp.Diff(outline(t, of("x", kind)), got); diff != "" {
					t.Errorf("%s, state %q, changes the page (plain name -):\n%s", name, state, diff)
				}
			}
		}
	}
}

// A record that an older version stored may lack any field.
func TestThePageOfLittle(t *testing.T) {
	try := func(what string, r incident.Record) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: panic: %v", what, p)
			}
		}()
		page, err := html.Page(r, slots(r, "x"), nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for _, wrong := range []string{"NaN", "Inf", "<no value>", `width="-`} {
			if bytes.Contains(page, []byte(wrong)) {
				t.Errorf("%s: the page has %q", what, wrong)
			}
		}
		outline(t, page)
	}
	try("nothing at all", incident.Record{})
	for i := range reflect.TypeFor[incident.Record]().NumField() {
		r := report.Filled("x", 1)
		reflect.ValueOf(&r).Elem().Field(i).SetZero()
		try("without "+reflect.TypeFor[incident.Record]().Field(i).Name, r)
	}
	for i := range reflect.TypeFor[evidence.Actor]().NumField() {
		if reflect.TypeFor[evidence.Actor]().Field(i).IsExported() {
			r := report.Filled("x", 1)
			reflect.ValueOf(&r.Evidence.Actors[0]).Elem().Field(i).SetZero()
			try("an actor without "+reflect.TypeFor[evidence.Actor]().Field(i).Name, r)
		}
	}
}

func TestThePageIsSmall(t *testing.T) {
	page, err := html.Page(report.Filled("a name of usual length", evidence.MaxDetails), nil, nil)
	if err != nil || len(page) > 300<<10 {
		t.Errorf("%d of everything have %d bytes, %v", evidence.MaxDetails, len(page), err)
	}
}

// suspects are some of a bucket and a user that others have named, one of each answer, with texts of theirs.
func suspects(text string) (all []posture.Suspect) {
	b := posture.Bucket{Name: text, Account: text, Policy: posture.Read[string]{Is: text}, Replicates: posture.Read[[]string]{Is: []string{text}}, AccessPoints: posture.Read[[]posture.AccessPoint]{Is: []posture.AccessPoint{{Name: text, Internet: true}}},
		Public: posture.Read[bool]{Err: "x" + text}, NoACLs: posture.Read[bool]{Is: true}, LogsTo: posture.Read[string]{Is: "x" + text}}
	u := posture.User{Name: text, Keys: posture.Read[[]posture.Key]{Is: []posture.Key{{ID: text, Active: true}}}, Policies: posture.Read[[]posture.Policy]{Is: []posture.Policy{{Name: text, By: text, Text: "?"}}}, Boundary: posture.Read[string]{Is: "x" + text}}
	return append(b.Suspects(), u.Suspects(time.Unix(1e9, 0))...)
}

// What is open stands in what to do next, in order and with its commands: the step that waits, what opens a bucket, and then what only makes the next
// theft harder. What could not be read is none of it, and is said.
func TestThePageSaysWhatToDoNext(t *testing.T) {
	r := theft()
	r.Outcomes[0].State, r.Outcomes[0].Undo, r.Outcomes[0].Runbook = containment.Asked, "", []string{"aws iam update-access-key --user-name mara"}
	b := posture.Bucket{Name: "customer-exports", Account: "111122223333", Versioned: posture.Read[bool]{Err: "AccessDenied"}, NoACLs: posture.Read[bool]{Is: true}, Replicates: posture.Read[[]string]{Is: []string{"arn:aws:s3:::elsewhere"}}}
	page, err := html.Page(r, nil, b.Suspects())
	if err != nil {
		t.Fatal(err)
	}
	outline(t, page)
	text := string(page)
	for _, wanted := range []string{"<h2>What to do next</h2>", "<li>Decide: deactivate-key AKIAEXAMPLESTOLEN001", "<code>aws iam update-access-key --user-name mara</code>", "<li>Talk to whoever owns IAM user mara, ", "<code>aws iam list-user-tags --user-name mara</code>", "<li>customer-exports: S3 copies it to elsewhere (it is replicated to arn:aws:s3:::elsewhere). To do: see whether each of these is yours.<code>aws s3api get-bucket-replication",
		"<li>customer-exports: its public access block is not whole (one or more of the four are off). To do: block public access on the bucket.<code>aws s3api put-public-access-block", "<li>Report the abuse to who holds the network.", "<code>curl -sSL https://rdap.org/ip/198.51.100.0/24</code></li></ol>", `<p class="asked">1 of the usual suspects could not be read, and may stand.</p>`, "<h2>Who took something</h2>", "<h2>The usual suspects</h2>",
		`<strong class="bad">stands</strong>: its public access block is not whole <span class="soft">(Security Hub S3.8)</span>`, `<strong class="asked">could not be read</strong>: what is overwritten`, `<strong class="done">ruled out</strong>: the policy opens it`} {
		_, after, found := strings.Cut(text, wanted)
		if text = after; !found {
			t.Fatalf("the page lacks %q, or has it too early", wanted)
		}
	}
	// While it can be approved, that is the command.
	r.Closed, r.Outcomes[0].Step = time.Time{}, containment.Step{Target: policy.Target{Owner: "mara"}, Ref: containment.Ref{Type: "key-status", Owner: "mara", Name: "AKIAEXAMPLESTOLEN001"}, After: containment.Doc{Text: "Inactive"}}
	if page, err := html.Page(r, nil, b.Suspects()); err != nil || !strings.Contains(string(page), "<li>Decide: deactivate-key AKIAEXAMPLESTOLEN001 of mara.<code>nightlatch approve 20260304-000700-x deactivate-key:AKIAEXAMPLESTOLEN001</code>") {
		t.Errorf("got %s, %v", page, err)
	}
	if page, err := html.Page(r, nil, nil); err != nil || strings.Contains(string(page), "What to do next") || strings.Contains(string(page), "usual suspects") {
		t.Errorf("what was not looked at stands there, %v", err)
	}
	r.Outcomes = nil
	ruledOut := []posture.Suspect{{Name: "a", Of: "b", Answer: posture.RuledOut}}
	if page, err := html.Page(r, nil, ruledOut); err != nil || !strings.Contains(string(page), "Nothing that was looked at is open.") || strings.Contains(string(page), "may stand") {
		t.Errorf("got %v", err)
	}
}

// theft is an incident as a deployment has it.
func theft() incident.Record {
	at := func(minutes int) time.Time { return time.Date(2026, 3, 4, 0, minutes, 0, 0, time.UTC) }
	thief := evidence.Actor{Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLESTOLEN001", UserName: "mara", AccountID: "111122223333", Bytes: 8 << 30, Objects: 900, Share: new(0.8),
		FirstSeen: at(7), LastSeen: at(11), HistoryDays: new(int64(13)), UnfamiliarBytes: new(int64(8 << 30)), FamiliarBytes: new(int64(0)), MostBytesInADay: new(int64(40 << 20)),
		Origins: []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 8 << 30, Calls: 900, Familiar: new(false), Days: new(int64(0)), MostBytes: new(int64(0))}}, Calls: map[string]int64{"GetObject": 900}}
	thief.DayBytes, thief.UsualBytes, thief.Hours = new(int64(8<<30)), new(int64(40<<20)), &evidence.Hours{From: 22 * 3600, To: 2 * 3600}
	job := evidence.Actor{Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLEJOB000001", RoleName: "nightly", Session: "glue", Bytes: 1 << 30, Calls: map[string]int64{"GetObject": 9}}
	return incident.Record{ID: "20260304-000700-x", Mode: containment.ModeAct,
		Alarm: alarm.Alarm{Buckets: []string{"customer-exports"}, From: at(5), To: at(12), Since: at(13), Bytes: new(int64(10 << 30)), Threshold: new(float64(1 << 30)), Confirmed: true},
		Evidence: evidence.Evidence{Engine: "duckdb", From: at(5), To: at(12), Bytes: 9 << 30, Explained: new(0.9), Unexplained: new(int64(1 << 30)), Complete: true,
			Actors: []evidence.Actor{thief, job}},
		Judged:   at(15),
		Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: thief.AccessKeyID, Decision: policy.Contain, Reasons: []string{"contain-stolen-key: because"}}},
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: thief.AccessKeyID, AccessKeyID: thief.AccessKeyID, State: containment.Done, At: at(15),
			Undo: "aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001 --status Active"}},
		FollowUps: []incident.FollowUp{{At: at(20)}}, Closed: at(45)}
}

// taken is the course of the theft.
var taken = []evidence.Slot{{Start: time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC), Bytes: 6 << 30, ByKey: map[string]int64{"AKIAEXAMPLESTOLEN001": 5 << 30, "ASIAEXAMPLEJOB000001": 1 << 30}},
	{Start: time.Date(2026, 3, 4, 0, 8, 0, 0, time.UTC), Bytes: 3 << 30, ByKey: map[string]int64{"AKIAEXAMPLESTOLEN001": 3 << 30}}}

// slots are a course as hostile as its record.
func slots(r incident.Record, key string) []evidence.Slot {
	return []evidence.Slot{{Start: r.Alarm.From, Bytes: 9, ByKey: map[string]int64{key: 7}}}
}

// The bars of a minute stand on each other and are as high as their bytes; the metric and the threshold stand where they belong.
func TestTheCourseOfATheft(t *testing.T) {
	r := theft()
	r.Alarm.Period, r.Alarm.Points = time.Minute, []alarm.Point{{Start: taken[0].Start, Bytes: 6 << 30}, {Start: taken[1].Start, Bytes: 3 << 30}}
	if q := report.CourseOf(r); !cmp.Equal(q.Keys, []string{"AKIAEXAMPLESTOLEN001", "ASIAEXAMPLEJOB000001"}) || !q.From.Equal(r.Alarm.From.Add(-15*time.Minute)) || !q.To.Equal(r.Outcomes[0].At.Add(15*time.Minute)) {
		t.Errorf("it asks %+v", q)
	}
	c := report.SheetOf(r, taken).Course
	if c == nil || len(c.Bars) != 3 || len(c.Metric) != 2 || len(c.Done) != 1 || c.Most != "6.00 GiB" {
		t.Fatalf("the picture is %+v", c)
	}
	thief, job, later := c.Bars[0], c.Bars[1], c.Bars[2]
	if near := func(x, y float64) bool { return x-y < 0.2 && y-x < 0.2 }; !near(thief.Y+thief.High, c.Base) || !near(job.Y+job.High, thief.Y) || !near(thief.High, 5*job.High) ||
		!near(2*later.High, thief.High+job.High) || !near(c.Metric[0].Y, job.Y) || !near(c.Base-c.Threshold, job.High) || thief.Class != "bad key-0" || job.Class != "key-1" {
		t.Errorf("the bars are %+v, the metric %+v, the threshold %v", c.Bars, c.Metric, c.Threshold)
	}
	if r.Alarm.Period = time.Hour; report.SheetOf(r, taken).Course.Threshold != 0 || report.SheetOf(r, nil).Course != nil {
		t.Error("a threshold of an hour is drawn across minutes, or nothing is drawn")
	}
}

// The answer stands first, the undo line is a command of its own, and the pictures have the amounts that the text has.
func TestThePageOfATheft(t *testing.T) {
	page, err := html.Page(theft(), taken, nil)
	if err != nil {
		t.Fatal(err)
	}
	outline(t, page)
	text, last := string(page), 0
	for _, wanted := range []string{`<h1><span class="done">CONTAINED`, "Access key AKIAEXAMPLESTOLEN001 of IAM user mara", "8.00 GiB</strong>taken by", "90.0 %</strong>of the alarmed bytes", "NEVER SEEN</strong>",
		"<code>aws iam update-access-key --user-name mara", "The metric<svg", "Not explained<svg", `<rect class="unknown" x="0" y="1" width="10" `, "In the window<svg", `aria-label="Its owner read these buckets between 22:00 and 02:00`,
		"Done: deactivate-key AKIAEXAMPLESTOLEN001", "Closed", "<td>198.51.100.0/24</td>", "contain-stolen-key: because"} {
		at := strings.Index(text[last:], wanted)
		if at < 0 {
			t.Fatalf("the page lacks %q, or has it too early", wanted)
		}
		last += at
	}
	sheet := report.SheetOf(theft(), taken)
	for i, want := range []report.Bar{{Name: "The metric", Amount: "10.0 GiB", Class: "metric", Width: 100, Mark: 10}, {Name: "Access key AKIAEXAMPLESTOLEN001 of IAM user mara (account 111122223333)", Amount: "8.00 GiB", Class: "bad", Width: 80},
		{Name: "Session glue (ASIAEXAMPLEJOB000001) of role nightly", Amount: "1.00 GiB", Class: "known", Width: 10}, {Name: "Not explained", Amount: "1.00 GiB", Class: "unknown", Width: 10}} {
		if got := sheet.Explains[i]; got != want {
			t.Errorf("bar %d is %+v, want %+v", i, got, want)
		}
	}
	if h := sheet.Compared.Hours; h == nil || len(h.Usual) != 2 || len(h.Now) != 1 { // its hours go over midnight
		t.Errorf("the hours are %+v", h)
	}
	for i, m := range sheet.Strip.Marks {
		if m.X < 10 || m.X > 590 || i > 0 && m.X < sheet.Strip.Marks[i-1].X {
			t.Errorf("mark %d stands at %v", m.Number, m.X)
		}
	}
}

// The page says of a lineage what it does not show, as the text does.
func TestThePageSaysWhatTheLineageLeavesOut(t *testing.T) {
	r := theft()
	r.Lineage = &evidence.Tree{Nodes: []evidence.Node{{Kind: evidence.KeyNode, Keys: []string{"AKIAEXAMPLESTOLEN001"}, Parent: -1}}, More: 3, NotFollowed: 2}
	page, err := html.Page(r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(report.Text(r).Body), " ")
	for _, says := range []string{"The trail shows nothing that was made with it, ", "And 3 more, of which the incident", "NOT FOLLOWED: 2 credentials, because so many questions are asked at most."} {
		if !strings.Contains(string(page), "<p>"+says) || !strings.Contains(text, says) {
			t.Errorf("the page or the text lacks %q", says)
		}
	}
}
