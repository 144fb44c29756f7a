package report

import (
	"fmt"
	"strings"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
)

// caseBucket is what the name of a bucket of case folders may look like: as a stack makes it.
var caseBucket = lazyregexp.New(`^[a-z0-9-]{3,63}$`)

// consoles are where the console of a partition's regions is, by how their names begin. Those of other partitions are not known to us.
var consoles = []struct{ region, host string }{
	{"us-gov-", "console.amazonaws-us-gov.com"}, {"cn-", "console.amazonaws.cn"}, {"us-iso", ""}, {"eu-iso", ""}, {"eusc-", ""}, {"", "%s.console.aws.amazon.com"},
}

// pageLink is the address, in the console, of an incident's page in its case folder; "" where there is no such folder. Who opens it signs in: it is
// no right to read. The page may not be there yet.
func pageLink(r incident.Record) string {
	p := r.Place
	if !caseBucket.MatchString(p.Cases) || !plainPlace.MatchString(p.Region) || !alarm.IncidentID.MatchString(r.ID) {
		return ""
	}
	for _, c := range consoles {
		if !strings.HasPrefix(p.Region, c.region) {
			continue
		}
		if c.host == "" {
			return ""
		}
		return "https://" + strings.Replace(c.host, "%s", p.Region, 1) + fmt.Sprintf("/s3/object/%s?region=%s&prefix=%s/page.html", p.Cases, p.Region, r.ID)
	}
	return ""
}

// linkText says what the address is of, and that the page may not be there yet.
const linkText = "Its page, once it is kept, behind a sign-in"

// linkLine is the line about that page; "" where there is none.
func linkLine(r incident.Record) string {
	link := pageLink(r)
	if link == "" {
		return ""
	}
	return linkText + ": " + link
}
