package report

import (
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/incident"
)

// kept is an incident of a deployment that keeps case folders.
func kept(region string) incident.Record {
	r := messages()["contained"]
	r.ID = "20260304-000340-1a2b"
	r.Place = incident.Place{AccountID: "111122223333", Region: region, Cases: "nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"}
	return r
}

func TestTheLinkOfAPage(t *testing.T) {
	const at = "/s3/object/nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f?region=REGION&prefix=20260304-000340-1a2b/page.html"
	for region, host := range map[string]string{"eu-west-1": "eu-west-1.console.aws.amazon.com", "us-east-1": "us-east-1.console.aws.amazon.com", "us-gov-west-1": "console.amazonaws-us-gov.com", "cn-north-1": "console.amazonaws.cn",
		"eusc-de-east-1": "eusc-de-east-1.console.amazonaws-eusc.eu", "il-central-1": "il-central-1.console.aws.amazon.com"} {
		if got, want := pageLink(kept(region)), "https://"+host+strings.Replace(at, "REGION", region, 1); got != want {
			t.Errorf("%s: got %s, want %s", region, got, want)
		}
	}
	for name, change := range map[string]func(*incident.Record){
		"no region":             func(r *incident.Record) { r.Place.Region = "" },
		"a region that is none": func(r *incident.Record) { r.Place.Region = "evil.example.com/" },
		"no bucket":             func(r *incident.Record) { r.Place.Cases = "" },
		"a bucket that is none": func(r *incident.Record) { r.Place.Cases = "x?a=b&c" },
		"an id that is none":    func(r *incident.Record) { r.ID = "a/../../b" },
	} {
		r := kept("eu-west-1")
		change(&r)
		if got := pageLink(r) + linkLine(r); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// Where the console is not known, no address is made up: the line says where the page lies.
func TestThePageOfAPartitionWhoseConsoleIsNotKnown(t *testing.T) {
	for _, region := range []string{"us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "xx-new-xx-1"} {
		r := kept(region)
		const line = "Its page, once it is kept, is 20260304-000340-1a2b/page.html in bucket nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f; the address of this partition's console is not known here"
		if got := pageLink(r); got != "" || linkLine(r) != line {
			t.Errorf("%s: got %q and %q", region, got, linkLine(r))
		}
		m := Write(incident.Answer, r)
		if strings.Contains(m.Body, "https://") || strings.Count(m.Body, "\n\n"+line+"\n") != 1 || decoded(t, m).Incidents[0].Page != "" {
			t.Errorf("%s:\n%s", region, m.Body)
		}
		parts := Parts(m)
		if i := slices.IndexFunc(parts, func(p Part) bool { return p.Text == line }); i < 0 || parts[i].Link != "" || parts[i].Command {
			t.Errorf("%s: a chat has %+v", region, parts)
		}
	}
}

// One line of a message has the link, above the rule, alone between blank lines; it does not say that the page is there already.
func TestAMessageHasOneLink(t *testing.T) {
	r := kept("eu-west-1")
	line := "\n\nIts page, once it is kept, behind a sign-in: " + pageLink(r) + "\n\n"
	for _, kind := range []incident.MessageKind{incident.Answer, incident.Revised, incident.Again, incident.Reminder, incident.Escalation, incident.Closing} {
		m := Write(kind, r)
		phone, _, ruled := strings.Cut(m.Body, "\n"+rule+"\n")
		if strings.Count(m.Body, "https://") != 1 || !strings.Contains(phone+"\n\n", line) || ruled == (kind == incident.Closing) || len(phone) > 1400 {
			t.Errorf("%s, %d characters on a phone:\n%s", kind, len(phone), phone)
		}
		links := 0
		for _, p := range Parts(m) {
			if p.Link != "" {
				links++
				if p.Link != pageLink(r) || p.Label() != linkText || p.Command {
					t.Errorf("%s: %+v", kind, p)
				}
			}
		}
		if links != 1 {
			t.Errorf("%s: a chat has %d links", kind, links)
		}
		if e := decoded(t, m); e.Incidents[0].Page != pageLink(r) {
			t.Errorf("%s: a program gets %q", kind, e.Incidents[0].Page)
		}
	}
	if m := Page([]incident.Record{r}); strings.Contains(m.Body, "https://") {
		t.Errorf("before the answer there is no page:\n%s", m.Body)
	}
	r.Place.Cases = ""
	if m := Write(incident.Answer, r); strings.Contains(m.Body, "https://") || decoded(t, m).Incidents[0].Page != "" {
		t.Errorf("without a bucket there is a link:\n%s", m.Body)
	}
}
