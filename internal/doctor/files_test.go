package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail"
)

// trails has these trails by their ARNs.
type trails map[string]trail.Trail

func (t trails) Read(_ context.Context, arn string) (trail.Trail, error) {
	if found, is := t[arn]; is {
		found.ARN = arn
		return found, nil
	}
	return trail.Trail{}, trail.ErrGone
}

func (t trails) ReadStore(ctx context.Context, arn string) (trail.Trail, error) {
	return t.Read(ctx, arn)
}

const (
	own, theirs     = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/own", "arn:aws:cloudtrail:us-east-1:444455556666:trail/organization"
	archive         = "s3://archive/AWSLogs/o-exampleorg/"
	looked          = "s3://" + Unknown + "/" + Unknown
	responder, a403 = "arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1", "User: x\n is not authorized to perform: it\u202e"
)

// all records the reads of every bucket, and all management events of every region.
func all() trail.Trail {
	return trail.Trail{Bucket: "archive", Organization: "o-exampleorg", MultiRegion: true, Logging: true, Selectors: trail.Basic{Management: true, Objects: []string{"arn:aws:s3"}}.Selectors()}
}

// What is asked where, and what is said, by each way in which files are there. What others chose is escaped, and no check says that all is well where it
// could not be read. A sentence begins with a capital in the text.
func TestFilesOfEachKind(t *testing.T) {
	stack := func(change func(*Deployed)) fixed {
		d := Deployed{Trail: theirs, Location: archive, Buckets: []string{"exports"}, Roles: []Role{{ID: "ResponderRole", ARN: responder}, {ID: "TellerRole", ARN: "arn:aws:iam::111122223333:role/teller"}}}
		change(&d)
		return fixed(d)
	}
	file := func(string) (Read, error) { return Read{Files: true}, nil }
	for name, c := range map[string]struct {
		d      func(*Deployed)
		trails trails
		read   func(location string) (Read, error)
		state  State
		says   []string
		tried  []string
	}{
		"a location that is given": {func(*Deployed) {}, nil, file, Holds, []string{"he trail's files can be listed and read"}, []string{archive}},
		"one that was looked up":   {func(d *Deployed) { d.Location = looked }, trails{theirs: all()}, file, Holds, []string{"can be listed and read"}, []string{archive}},
		"a trail that is gone":     {func(d *Deployed) { d.Location = looked }, nil, file, Holds, []string{"here is no trail whose files could be read"}, nil},
		"the stack's own":          {func(d *Deployed) { d.Trail, d.Location, d.MadeTrail = own, "s3://own/AWSLogs/", true }, nil, file, Holds, []string{"lie in the stack's own bucket"}, nil},
		"its own, and another": {func(d *Deployed) {
			d.Trail, d.Location, d.MadeTrail, d.ManagementLocation = own, "s3://own/AWSLogs/", true, archive
		}, nil, file, Holds, []string{"lie in the stack's own bucket; the management trail's files can be listed and read"}, []string{archive}},
		"two that are looked up": {func(d *Deployed) {
			d.Trail, d.Location, d.ManagementTrail, d.ManagementLocation = own, looked, theirs, looked
		}, trails{own: {Bucket: "own"}, theirs: all()}, file, Holds, []string{"he trail's files can be listed and read; the management trail's"}, []string{"s3://own/AWSLogs/", archive}},
		"no right to the bucket": {func(*Deployed) {}, nil, func(string) (Read, error) {
			return Read{OfBucket: `[{"Sid":"NightlatchReads"}]`, OfKey: "no"}, grant.Denied("s3:ListBucket", "bucket", a403)
		}, Broken, []string{"cannot be read, as the policy of their bucket does not let us in", `its owner adds to the bucket's policy: [{"Sid":"NightlatchReads"}]`}, []string{archive}},
		"no right to the key": {func(*Deployed) {}, nil, func(string) (Read, error) {
			return Read{OfKey: `[{"Sid":"NightlatchDecrypts"}]`}, grant.Denied("kms:Decrypt", "the key", a403)
		}, Broken, []string{"as the policy of their key does not let us in", `its owner adds to the key's policy: [{"Sid":"NightlatchDecrypts"}]`}, []string{archive}},
		"the second one's alone": {func(d *Deployed) { d.ManagementLocation = "s3://his/AWSLogs/" }, nil, func(location string) (Read, error) {
			if location == archive {
				return Read{Files: true}, nil
			}
			return Read{}, grant.Denied("s3:GetObject", "bucket", a403)
		}, Broken, []string{"he management trail's files under s3://his/AWSLogs/ cannot be read"}, []string{archive, "s3://his/AWSLogs/"}},
		"no file, and it's given": {func(*Deployed) {}, nil, func(string) (Read, error) { return Read{}, nil }, Broken, []string{"there is none of account 111122223333 and this region from today or yesterday", "see whether trailLocation is where they lie"}, []string{archive}},
		"no file yet":             {func(d *Deployed) { d.Location = looked }, trails{theirs: all()}, func(string) (Read, error) { return Read{}, nil }, Holds, []string{"can be listed; there is none of today"}, []string{archive}},
		"a fault":                 {func(*Deployed) {}, nil, func(string) (Read, error) { return Read{}, errors.New("S3 is throttling") }, Unread, []string{"S3 is throttling"}, []string{archive}},
		"a store alone":           {func(d *Deployed) { d.Trail, d.Location, d.Store = "", "", "arn:store" }, nil, file, Holds, []string{"an event data store is asked"}, nil},
		"nothing":                 {func(d *Deployed) { d.Trail, d.Location = "", "" }, nil, file, Unread, []string{"names no trail and no event data store"}, nil},
	} {
		var tried []string
		read := func(_ context.Context, location, partition string, roles []string) (Read, error) {
			if partition != "aws" || !slices.Equal(roles, []string{responder}) {
				t.Errorf("%s: read in %s, for %q", name, partition, roles)
			}
			tried = append(tried, location)
			return c.read(location)
		}
		r := Run(t.Context(), time.Now, []Check{Access(stack(c.d), c.trails, read, "111122223333")})[0]
		text := Text([]Report{r})
		if r.State != c.state || !slices.Equal(tried, c.tried) || strings.ContainsAny(text, "\u202e\x1b") {
			t.Errorf("%s: %v, of %q: %s", name, r.State, tried, text)
		}
		for _, says := range c.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s: no %q in %s", name, says, text)
			}
		}
	}
}

// The seal is read of both buckets, and the weaker one is told of.
func TestBothBucketsAreSealed(t *testing.T) {
	d := fixed{Trail: own, Location: "s3://own/AWSLogs/", MadeTrail: true, ManagementLocation: archive, Stated: true}
	for sealed, c := range map[evidence.Sealed]struct {
		state State
		says  string
	}{
		evidence.Proved: {Holds, "nobody writes the management trail's files but CloudTrail"},
		evidence.Stated: {Holds, "the deployer states that nobody writes the management trail's files but CloudTrail; not proved: it may not be read"},
		evidence.Open:   {Broken, "thers than CloudTrail may write the management trail's files under " + archive},
	} {
		trails := trails{own: {Bucket: "own"}}
		r := Run(t.Context(), time.Now, []Check{Seal(d, trails, func(_ context.Context, location string, stated bool) (evidence.Seal, error) {
			if location == "s3://own/AWSLogs/" {
				return evidence.Seal{Sealed: evidence.Proved}, nil
			}
			return evidence.Seal{Sealed: sealed, Why: []string{"it may not be read"}}, nil
		})})[0]
		if text := Text([]Report{r}); r.State != c.state || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v: %s", sealed, r.State, text)
		}
	}
}

// What is not looked up is said to be taken on trust, and what is missing of the management events is said weekly.
func TestWhatTheTrailsRecord(t *testing.T) {
	for name, c := range map[string]struct {
		d      Deployed
		trails trails
		state  State
		weekly bool
		says   string
	}{
		"given":               {Deployed{Trail: theirs, Location: archive}, nil, Holds, false, "trail " + theirs + " is given, not looked up: that it records the reads of the watched buckets is taken on trust"},
		"hidden":              {Deployed{Trail: theirs, Location: looked}, trails{theirs: {Bucket: "archive", MultiRegion: true, Hidden: "it is hidden"}}, Holds, false, "it is hidden; that it records the reads of the watched buckets is taken on trust"},
		"none of management":  {Deployed{Trail: theirs, Location: archive, Deeds: settings.ManagementSome}, nil, Broken, true, "does not hold all management events of IAM, STS and sign-in"},
		"all of another":      {Deployed{Trail: theirs, Location: archive, ManagementTrail: own, ManagementLocation: looked, Deeds: settings.ManagementAll}, trails{own: all()}, Holds, false, "is taken on trust"},
		"another was stopped": {Deployed{Trail: theirs, Location: archive, ManagementTrail: own, ManagementLocation: looked}, trails{own: {Bucket: "x", MultiRegion: true}}, Broken, false, "is stopped, and records nothing"},
		"another is gone":     {Deployed{Trail: theirs, Location: archive, ManagementTrail: own, ManagementLocation: looked}, nil, Broken, false, "here is no such trail"},
	} {
		c.d.Buckets = []string{"exports"}
		r := Run(t.Context(), time.Now, []Check{Trail(fixed(c.d), c.trails, "111122223333", "eu-west-1", time.Now)})[0]
		text := Text([]Report{r})
		if r.State != c.state || !strings.Contains(text, c.says) || c.weekly != (len(r.Found) == 1 && r.Found[0].Weekly) {
			t.Errorf("%s: %v: %s", name, r.State, text)
		}
	}
}

// Where a right is missing that another account gives, it is said who gives it.
func TestWhoLetsUsAsk(t *testing.T) {
	refuses := refusing{fmt.Errorf("asking: %w", grant.Denied("cloudtrail:StartQuery", "the event data store", a403))}
	r := Run(t.Context(), time.Now, []Check{Questions([]evidence.Trail{refuses}, time.Now())})[0]
	if len(r.Found) != 1 || !strings.Contains(r.Found[0].Mend, "its owner adds to his policies what the stack's outputs TrailAccess, ManagementAccess and StoreAccess print") {
		t.Errorf("got %+v", r)
	}
}

type refusing struct{ err error }

func (r refusing) Ask(context.Context, evidence.Question) (evidence.Answer, error) {
	return evidence.Answer{}, r.err
}
