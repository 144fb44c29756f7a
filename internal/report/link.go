package report

import (
	"strings"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
)

// caseBucket is what the name of a bucket of case folders may look like: as a stack makes it.
var caseBucket = lazyregexp.New(`^[a-z0-9-]{3,63}$`)

// consoles are where the console of a region is, by its name, as the first that fits says: as https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html
// has it, and in other partitions the AWS CLI (awscli/customizations/console.py). Where those of the secret partitions are is not public: for them, and for
// what comes after, there is no link.
var consoles = []struct {
	region *lazyregexp.Regexp
	host   string
}{
	{lazyregexp.New(`^us-gov-`), "console.amazonaws-us-gov.com"},
	{lazyregexp.New(`^cn-`), "console.amazonaws.cn"},
	{lazyregexp.New(`^eusc-`), "%s.console.amazonaws-eusc.eu"},
	{lazyregexp.New(`^[a-z]{2}-[a-z]+-[0-9]+$`), "%s.console.aws.amazon.com"}, // us-iso-east-1 is none
}

// pagePlace is the bucket and the key of an incident's page in its case folder; "" where there is no such folder.
func pagePlace(r incident.Record) (bucket, key string) {
	p := r.Place
	if !caseBucket.MatchString(p.Cases) || !plainPlace.MatchString(p.Region) || !alarm.IncidentID.MatchString(r.ID) {
		return "", ""
	}
	return p.Cases, r.ID + "/page.html"
}

// pageLink is the address, in the console, of an incident's page in its case folder; "" where there is no such folder, or where its console is not known.
// Who opens it signs in: it is no right to read. The page may not be there yet.
func pageLink(r incident.Record) string {
	bucket, key := pagePlace(r)
	for _, c := range consoles {
		if region := r.Place.Region; bucket != "" && c.region.MatchString(region) {
			return "https://" + strings.Replace(c.host, "%s", region, 1) + "/s3/object/" + bucket + "?region=" + region + "&prefix=" + key
		}
	}
	return ""
}

// linkText says what the address is of, and that the page may not be there yet.
const linkText = "Its page, once it is kept, behind a sign-in"

// linkLine is the line about that page, or where it lies in a partition whose console is not known; "" where there is none.
func linkLine(r incident.Record) string {
	if link := pageLink(r); link != "" {
		return linkText + ": " + link
	}
	if bucket, key := pagePlace(r); bucket != "" {
		return "Its page, once it is kept, is " + key + " in bucket " + bucket + "; the address of this partition's console is not known here"
	}
	return ""
}
