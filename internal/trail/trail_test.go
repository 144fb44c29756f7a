package trail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/settings"
)

const aTrail = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

func all(sel ...Selector) []Selector { return sel }

// data takes S3's data events that meet more conditions, too.
func data(more ...Condition) Selector {
	return append(Selector{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}}}, more...)
}

func list(v ...string) []string { return v }

// Of each way to choose data events: does it take every read of the watched buckets?
func TestWhichBucketsATrailRecords(t *testing.T) {
	objects := func(buckets ...string) []string {
		var out []string
		for _, b := range buckets {
			out = append(out, "arn:aws:s3:::"+b)
		}
		return out
	}
	basic := func(readWrite string, values ...string) []Selector {
		return Basic{ReadWrite: readWrite, Objects: values}.Selectors()
	}
	for name, c := range map[string]struct {
		selectors []Selector
		buckets   []string
		whole     bool
	}{
		"none at all":                         {nil, list("logs"), false},
		"management events only":              {Basic{ReadWrite: "All", Management: true}.Selectors(), list("logs"), false},
		"basic, every bucket":                 {basic("All", "arn:aws:s3"), list("logs", "*"), true},
		"basic, every bucket, written longer": {basic("All", "arn:aws:s3:::"), list("logs", "*"), true},
		"basic, the default":                  {basic("", "arn:aws:s3"), list("logs"), true},
		"basic, reads":                        {basic("ReadOnly", objects("logs/")...), list("logs"), true},
		"basic, writes":                       {basic("WriteOnly", "arn:aws:s3"), list("logs"), false},
		"basic, both buckets":                 {basic("All", objects("logs/", "exports/")...), list("logs", "exports"), true},
		"basic, one of two":                   {basic("All", objects("logs/")...), list("logs", "exports"), false},
		"basic, a part of the bucket":         {basic("All", objects("logs/2026/")...), list("logs"), false},
		"basic, a name that begins like it":   {basic("All", objects("logs-old/")...), list("logs"), false},
		"basic, all are watched":              {basic("All", objects("logs/")...), list("*"), false},
		"basic, in two selectors":             {append(basic("WriteOnly", "arn:aws:s3"), basic("ReadOnly", objects("logs/")...)...), list("logs"), true},

		"advanced, every bucket":         {all(data()), list("logs", "*"), true},
		"advanced, reads":                {all(data(Condition{Field: "readOnly", Equals: list("true")})), list("*"), true},
		"advanced, writes":               {all(data(Condition{Field: "readOnly", Equals: list("false")})), list("logs"), false},
		"advanced, the bucket":           {all(data(Condition{Field: "resources.ARN", StartsWith: objects("logs/")})), list("logs"), true},
		"advanced, without the slash":    {all(data(Condition{Field: "resources.ARN", StartsWith: objects("log")})), list("logs"), true},
		"advanced, a part":               {all(data(Condition{Field: "resources.ARN", StartsWith: objects("logs/2026/")})), list("logs"), false},
		"advanced, one object":           {all(data(Condition{Field: "resources.ARN", Equals: objects("logs/a")})), list("logs"), false},
		"advanced, some ends":            {all(data(Condition{Field: "resources.ARN", EndsWith: list(".csv")})), list("logs"), false},
		"advanced, not the bucket":       {all(data(Condition{Field: "resources.ARN", NotStartsWith: objects("logs/")})), list("logs"), false},
		"advanced, not a part":           {all(data(Condition{Field: "resources.ARN", NotStartsWith: objects("logs/tmp/")})), list("logs"), false},
		"advanced, not another":          {all(data(Condition{Field: "resources.ARN", NotStartsWith: objects("temp/")})), list("logs"), true},
		"advanced, all but one":          {all(data(Condition{Field: "resources.ARN", NotStartsWith: objects("temp/")})), list("*"), false},
		"advanced, not one object":       {all(data(Condition{Field: "resources.ARN", NotEquals: objects("logs/a")})), list("logs"), false},
		"advanced, not some ends":        {all(data(Condition{Field: "resources.ARN", NotEndsWith: list("/health")})), list("logs"), false},
		"advanced, GetObject":            {all(data(Condition{Field: "eventName", Equals: list("PutObject", "GetObject")})), list("logs"), true},
		"advanced, Get…":                 {all(data(Condition{Field: "eventName", StartsWith: list("Get")})), list("logs"), true},
		"advanced, not GetObject":        {all(data(Condition{Field: "eventName", NotEquals: list("GetObject")})), list("logs"), false},
		"advanced, not HeadObject":       {all(data(Condition{Field: "eventName", NotEquals: list("HeadObject")})), list("logs"), true},
		"advanced, not …Object":          {all(data(Condition{Field: "eventName", NotEndsWith: list("Object")})), list("logs"), false},
		"advanced, not of a role":        {all(data(Condition{Field: "userIdentity.arn", NotStartsWith: list("arn:aws:sts::111122223333:assumed-role/etl")})), list("logs"), false},
		"advanced, of a role":            {all(data(Condition{Field: "userIdentity.arn", StartsWith: list("arn:aws:sts::111122223333:assumed-role/etl")})), list("logs"), false},
		"advanced, of another service":   {all(data(Condition{Field: "eventSource", Equals: list("s3-outposts.amazonaws.com")})), list("logs"), false},
		"advanced, of another kind":      {all(Selector{{Field: "eventCategory", Equals: list("Data")}, {Field: "resources.type", Equals: list("AWS::S3::AccessPoint")}}), list("logs"), false},
		"advanced, all and only another": {all(data(Condition{Field: "resources.ARN", StartsWith: objects("temp/")}), data()), list("logs"), true},
	} {
		tr := Trail{ARN: aTrail, Bucket: "files", Logging: true, Selectors: c.selectors}
		if err := tr.Wrong(Wish{Account: "111122223333", Region: "eu-west-1", Buckets: c.buckets}); (err == nil) != c.whole {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// reader has one trail.
type reader struct {
	trail Trail
	err   error
	reads int
}

func (r *reader) Read(_ context.Context, arn string) (Trail, error) {
	if r.reads++; r.err != nil {
		return Trail{}, r.err
	}
	r.trail.ARN = arn
	return r.trail, nil
}

// A trail that records what Nightlatch itself does every hour has delivered lately, or something is wrong; of any other, nobody knows.
func TestWhetherATrailIsLate(t *testing.T) {
	now := time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)
	all := Basic{ReadWrite: "All", Management: true}.Selectors()
	for name, c := range map[string]struct {
		trail Trail
		want  string
	}{
		"just now":           {Trail{Delivered: now.Add(-lateAfter), Selectors: all}, ""},
		"long ago":           {Trail{Delivered: now.Add(-lateAfter - 1), Selectors: all}, "has delivered no files since 2026-03-03 22:59 UTC"},
		"started just now":   {Trail{Started: now.Add(-time.Hour), Selectors: all}, ""},
		"never":              {Trail{Started: now.Add(-3 * time.Hour), Selectors: all}, "was started at 2026-03-03 22:00 UTC, and has delivered nothing since"},
		"not known":          {Trail{Selectors: all}, ""},
		"reads of objects":   {Trail{Delivered: now.AddDate(0, 0, -3), Selectors: []Selector{data()}}, ""},
		"without Athena's":   {Trail{Delivered: now.AddDate(0, 0, -3), Selectors: Basic{Management: true, Exclude: list("athena.amazonaws.com")}.Selectors()}, ""},
		"reads, no writes":   {Trail{Delivered: now.AddDate(0, 0, -3), Selectors: Basic{ReadWrite: "ReadOnly", Management: true}.Selectors()}, ""},
		"without CloudTrail": {Trail{Delivered: now.AddDate(0, 0, -3), Selectors: Basic{Management: true, Exclude: list("cloudtrail.amazonaws.com")}.Selectors()}, ""},
	} {
		c.trail.ARN = aTrail
		if err := c.trail.Late(now); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Each is one sentence that names the trail, and says what to change.
func TestWhatIsWrongWithATrailIsSaid(t *testing.T) {
	good := Trail{Bucket: "files", Logging: true, MultiRegion: true, Selectors: all(data())}
	with := func(change func(*Trail)) Trail { c := good; change(&c); return c }
	for _, c := range []struct {
		arn   string
		trail Trail
		want  string
	}{
		{aTrail, good, ""},
		{"main", good, `"main" is not the ARN of a trail, arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME`},
		{strings.Replace(aTrail, "trail/", "eventdatastore/", 1), good, `"arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/main" is not the ARN of a trail, arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME`},
		{strings.Replace(aTrail, "111122223333", "444455556666", 1), good, ""},
		{strings.Replace(aTrail, "eu-west-1", "us-east-1", 1), good, ""},
		{strings.Replace(aTrail, "eu-west-1", "us-east-1", 1), with(func(t *Trail) { t.MultiRegion = false }),
			`trail "arn:aws:cloudtrail:us-east-1:111122223333:trail/main" records its own region alone, and the buckets are in eu-west-1; give a trail of that region, or make it a multi-region trail`},
		{strings.Replace(aTrail, "111122223333", "444455556666", 1), with(func(t *Trail) { t.Hidden, t.Logging, t.Selectors = "it is hidden", false, nil }), ""},
		{aTrail, with(func(t *Trail) { t.Hidden = "it is hidden" }), "it is hidden"},
		{aTrail, with(func(t *Trail) { t.Logging = false }),
			`trail "` + aTrail + `" is stopped, and records nothing; start it: aws cloudtrail start-logging --name ` + aTrail},
		{aTrail, with(func(t *Trail) { t.DeliveryError = "NoSuchBucket" }), `trail "` + aTrail + `": there is no such bucket as its "files"; make it, or give the trail another`},
		{aTrail, with(func(t *Trail) { t.Prefix = "${day}" }),
			`trail "` + aTrail + `" puts its files under the prefix "${day}", which cannot stand in Athena's table; give the trail a prefix of letters, digits and !_./=+:@-`},
		{aTrail, with(func(t *Trail) { t.DeliveryError = "AccessDenied\n\u202e" }),
			`trail "` + aTrail + `" cannot write to its bucket "files" (S3 says "AccessDenied\n\u202e"); put the bucket's policy and key right`},
		{aTrail, with(func(t *Trail) {
			t.Selectors = all(data(Condition{Field: "resources.ARN", StartsWith: list("arn:aws:s3:::logs/")}))
		}),
			`trail "` + aTrail + `" does not record every read of bucket "exports"; select its S3 data events, reads and writes`},
		{aTrail, with(func(t *Trail) { t.Selectors = nil }),
			`trail "` + aTrail + `" does not record every read of 2 watched buckets, "logs" the first; select their S3 data events, reads and writes`},
	} {
		r := &reader{trail: c.trail}
		_, err := Look(t.Context(), r, c.arn, Wish{Account: "111122223333", Region: "eu-west-1", Buckets: list("logs", "exports")})
		if got := fmt.Sprint(err); got != c.want && !(c.want == "" && err == nil) {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if none := strings.HasSuffix(c.want, "is not the ARN of a trail, arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME"); none != (r.reads == 0) {
			t.Errorf("%s was read %d times", c.arn, r.reads)
		}
	}
	refused := &reader{err: errors.New("trail: not for you")}
	for arn, want := range map[string]string{aTrail: "trail: not for you", strings.Replace(aTrail, "111122223333", "444455556666", 1): "trail: not for you; it is of account 444455556666, and the deployment is of 111122223333, " +
		"which can look up a trail of its own or of its organization's: where it is neither, give -c trailLocation=s3://BUCKET/[PREFIX/]AWSLogs/[o-ORGANIZATION/]"} {
		if got, err := Look(t.Context(), refused, arn, Wish{Account: "111122223333", Region: "eu-west-1", Buckets: list("logs")}); err == nil || err.Error() != want || got.ARN != "" {
			t.Errorf("got %+v, %v, want %s", got, err, want)
		}
	}
	_, err := Look(t.Context(), &reader{trail: Trail{Bucket: "files", Logging: true, MultiRegion: true}}, aTrail, Wish{Account: "111122223333", Region: "eu-west-1", Buckets: list("*", "logs")})
	if want := `trail "` + aTrail + `" does not record the reads of every bucket; select S3 data events of all buckets, or name the watched buckets`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The trail of management events: what it records of S3 does not matter, and it may be of any region. What is not all of them is said, and is some.
func TestWhichManagementEventsATrailHas(t *testing.T) {
	full := Basic{ReadWrite: "All", Management: true, Exclude: list("kms.amazonaws.com")}.Selectors()
	for name, c := range map[string]struct {
		trail Trail
		want  string
	}{
		"all":                {Trail{MultiRegion: true, Selectors: full}, ""},
		"and it is hidden":   {Trail{MultiRegion: true, Hidden: "hidden"}, ""},
		"one region":         {Trail{Selectors: full}, "records one region"},
		"no management":      {Trail{MultiRegion: true, Selectors: all(data())}, "does not record every management event of iam.amazonaws.com"},
		"writes":             {Trail{MultiRegion: true, Selectors: Basic{ReadWrite: "WriteOnly", Management: true}.Selectors()}, "does not record every management event of iam.amazonaws.com"},
		"without sign-in":    {Trail{MultiRegion: true, Selectors: Basic{Management: true, Exclude: list("signin.amazonaws.com")}.Selectors()}, "does not record every management event of signin.amazonaws.com"},
		"nothing is written": {Trail{MultiRegion: true, Selectors: full, DeliveryError: "AccessDenied"}, "cannot write to its bucket"},
	} {
		c.trail.Bucket, c.trail.Logging = "files", true
		elsewhere := strings.NewReplacer("eu-west-1", "us-east-1", "111122223333", "444455556666").Replace(aTrail)
		got, err := Look(t.Context(), &reader{trail: c.trail}, elsewhere, Wish{Account: "111122223333", Region: "eu-west-1", Management: true})
		if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), `trail "`+elsewhere+`" `) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v", name, err)
		}
		want := settings.ManagementAll
		if c.want != "" && c.trail.DeliveryError == "" {
			want = settings.ManagementSome
		}
		if got.Deeds() != want {
			t.Errorf("%s: got %s, want %s", name, got.Deeds(), want)
		}
	}
}

// Whether every data event of S3 is taken, of every bucket and region. What is not sure is some.
func TestWhetherATrailTakesAllOfS3(t *testing.T) {
	reads, writes := data(Condition{Field: "readOnly", Equals: list("true")}), data(Condition{Field: "readOnly", Equals: list("false")})
	for name, c := range map[string]struct {
		trail Trail
		want  string
	}{
		"nothing":                {Trail{Logging: true, MultiRegion: true}, settings.SomeEvents},
		"all":                    {Trail{Logging: true, MultiRegion: true, Selectors: all(data())}, settings.AllEvents},
		"by a basic selector":    {Trail{Logging: true, MultiRegion: true, Selectors: Basic{Objects: list("arn:aws:s3")}.Selectors()}, settings.AllEvents},
		"in two halves":          {Trail{Logging: true, MultiRegion: true, Selectors: all(reads, writes)}, settings.AllEvents},
		"the reads":              {Trail{Logging: true, MultiRegion: true, Selectors: all(reads)}, settings.SomeEvents},
		"one region":             {Trail{Logging: true, Selectors: all(data())}, settings.SomeEvents},
		"stopped":                {Trail{MultiRegion: true, Selectors: all(data())}, settings.SomeEvents},
		"one bucket":             {Trail{Logging: true, MultiRegion: true, Selectors: all(data(Condition{Field: "resources.ARN", StartsWith: list("arn:aws:s3:::logs/")}))}, settings.SomeEvents},
		"all but one bucket":     {Trail{Logging: true, MultiRegion: true, Selectors: all(data(Condition{Field: "resources.ARN", NotStartsWith: list("arn:aws:s3:::logs/")}))}, settings.SomeEvents},
		"all but one call":       {Trail{Logging: true, MultiRegion: true, Selectors: all(data(Condition{Field: "eventName", NotEquals: list("PutObject")}))}, settings.SomeEvents},
		"all but of one role":    {Trail{Logging: true, MultiRegion: true, Selectors: all(data(Condition{Field: "userIdentity.arn", NotStartsWith: list("arn:aws:sts::1")}))}, settings.SomeEvents},
		"of another partition's": {Trail{Logging: true, MultiRegion: true, Selectors: all(data(Condition{Field: "resources.ARN", StartsWith: list("arn:aws-cn:s3:::")}))}, settings.SomeEvents},
	} {
		if c.trail.ARN = aTrail; c.trail.Takes() != c.want {
			t.Errorf("%s: got %s, want %s", name, c.trail.Takes(), c.want)
		}
	}
}

func TestWhatATrailLeavesOutIsWarnedOf(t *testing.T) {
	management := Basic{ReadWrite: "All", Management: true, Exclude: list("kms.amazonaws.com")}.Selectors()
	copies := data(Condition{Field: "eventName", Equals: list("CopyObject", "UploadPartCopy")})
	full := append(all(copies), management...)
	for name, c := range map[string]struct {
		trail Trail
		says  []string
	}{
		"nothing":           {Trail{MultiRegion: true, Selectors: full}, nil},
		"one region":        {Trail{Selectors: full}, list("records one region")},
		"copies":            {Trail{MultiRegion: true, Selectors: management}, list("does not record CopyObject in every bucket")},
		"copies elsewhere":  {Trail{MultiRegion: true, Selectors: append(all(data(Condition{Field: "resources.ARN", StartsWith: list("arn:aws:s3:::logs/")})), management...)}, list("does not record CopyObject")},
		"parts of copies":   {Trail{MultiRegion: true, Selectors: append(all(data(Condition{Field: "eventName", Equals: list("CopyObject")})), management...)}, list("does not record UploadPartCopy")},
		"management events": {Trail{MultiRegion: true, Selectors: all(copies)}, list("every management event of iam.amazonaws.com")},
		"writes only":       {Trail{MultiRegion: true, Selectors: append(all(copies), Basic{ReadWrite: "WriteOnly", Management: true}.Selectors()...)}, list("every management event of iam.amazonaws.com")},
		"what is hidden":    {Trail{Hidden: `trail "` + aTrail + `" says nothing`}, list("says nothing; that it logs the reads of the watched buckets, copies and management events is taken on trust")},
		"all of it":         {Trail{}, list("does not record CopyObject", "records one region")},
	} {
		c.trail.ARN = aTrail
		got := c.trail.Warnings()
		if len(got) != len(c.says) {
			t.Errorf("%s: got %q", name, got)
			continue
		}
		for i, says := range c.says {
			if !strings.HasPrefix(got[i], `trail "`+aTrail+`" `) || !strings.Contains(got[i], says) {
				t.Errorf("%s: got %q, want %q in it", name, got[i], says)
			}
		}
	}
}

// As https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html lays files out.
func TestWhereTheFilesLie(t *testing.T) {
	for _, c := range []struct {
		trail            Trail
		location, folder string
	}{
		{Trail{Bucket: "files"}, "s3://files/AWSLogs/", "AWSLogs/"},
		{Trail{Bucket: "files", Prefix: "a/b"}, "s3://files/a/b/AWSLogs/", "a/b/AWSLogs/"},
		{Trail{Bucket: "files", Prefix: "a", Organization: "o-exampleorg"}, "s3://files/a/AWSLogs/o-exampleorg/", "a/AWSLogs/o-exampleorg/"},
		{Trail{Bucket: "aws-controltower-logs-444455556666-eu-west-1", Prefix: "o-exampleorg", Organization: "o-exampleorg"},
			"s3://aws-controltower-logs-444455556666-eu-west-1/o-exampleorg/AWSLogs/o-exampleorg/", "o-exampleorg/AWSLogs/o-exampleorg/"},
	} {
		if got := c.trail.Location(); got != c.location {
			t.Errorf("got %s, want %s", got, c.location)
		}
		if got := c.trail.Folder(); got != c.folder {
			t.Errorf("got %s, want %s", got, c.folder)
		}
	}
}
