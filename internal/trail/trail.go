// Package trail judges a CloudTrail trail by what CloudTrail says of it: whether its files hold what Nightlatch asks Athena for, and where
// they lie. It is pure; trail/cloudtrail reads.
package trail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// Trail is what CloudTrail says of a trail.
type Trail struct {
	// ARN names it, with the account and the region in which it was made.
	ARN string
	// Bucket holds its files, behind Prefix, which may be "". Key is the ARN of the KMS key that encrypts them, "" where S3's own does.
	Bucket, Prefix, Key string
	// Organization is the id of the organization whose accounts it records, "" where it records one account.
	Organization string
	// MultiRegion says that it records every region.
	MultiRegion bool
	// Logging says that it records now. DeliveryError is S3's code for why the last files were not delivered, "" where they were.
	Logging       bool
	DeliveryError string
	// Delivered is when files came into the bucket last, and Started when it was started last; zero where CloudTrail does not say so.
	Delivered, Started time.Time
	// Selectors choose the events that it records: those that any of them takes.
	Selectors []Selector
	// Hidden is why its status or its selectors could not be read, one sentence; "" where they were. It is of an organization's trail alone, of
	// which AWS shows its members a part. What was not read is taken on trust.
	Hidden string
}

// Reader reads a trail by its ARN. Every error is one sentence that names the trail and what to do; errors.Is finds ErrGone in it.
type Reader interface {
	Read(ctx context.Context, arn string) (Trail, error)
}

// StoreReader reads an event data store by its ARN, as if it were a trail: of it only ARN, MultiRegion, Logging and Selectors are set.
type StoreReader interface {
	ReadStore(ctx context.Context, arn string) (Trail, error)
}

// ErrGone says that there is no such trail, or no such event data store.
var ErrGone = errors.New("there is no such trail")

// Wish is what a deployment in an account and region needs of a trail: the reads of these buckets, where Everything stands for all; or, with
// Management, the management events of IAM, STS and sign-in.
type Wish struct {
	Account, Region string
	Buckets         []string
	Management      bool
}

// Everything is the entry that stands for every bucket.
const Everything = "*"

// Look reads a trail, and says why it cannot be asked who read the buckets, in one sentence that says what to change. It may be another region's, or
// one of the organization's of which this account is a member.
func Look(ctx context.Context, r Reader, arn string, w Wish) (Trail, error) {
	m := form.FindStringSubmatch(arn)
	if m == nil {
		return Trail{}, fmt.Errorf("%+q is not the ARN of a trail, arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME", arn)
	}
	ours := m[3] == w.Account
	t, err := r.Read(ctx, arn)
	switch {
	case err != nil && ours:
		return Trail{}, err
	case err != nil:
		return Trail{}, fmt.Errorf("%w; it is of account %s, and the deployment is of %s, which can look up a trail of its own or of its organization's: "+
			"where it is neither, give -c trailLocation=s3://BUCKET/[PREFIX/]AWSLogs/[o-ORGANIZATION/]", err, m[3], w.Account)
	case t.Hidden != "" && ours:
		return Trail{}, errors.New(t.Hidden)
	}
	return t, t.Wrong(w)
}

// form is a trail's ARN, of a partition, region and account.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html#awscloudtrail-resources-for-iam-policies
var form = lazyregexp.New(`^arn:(aws[a-z-]*):cloudtrail:([a-z0-9-]+):([0-9]{12}):trail/[A-Za-z0-9._-]{3,128}$`)

// folder is a prefix that can stand in the table's location, where $ and { begin a partition.
var folder = lazyregexp.New(`^[A-Za-z0-9!_./=+:@-]*$`)

func (t Trail) partition() string { return strings.Split(t.ARN+":", ":")[1] }

// home is the region in which it was made.
func (t Trail) home() string { return strings.Split(t.ARN+":::", ":")[3] }

// Location is where the accounts' folders lie, with the slash at its end: s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/].
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
func (t Trail) Location() string { return "s3://" + t.Bucket + "/" + t.Folder() }

// Folder is what the keys of all files begin with: Location without the bucket.
func (t Trail) Folder() string {
	f := "AWSLogs/"
	if t.Prefix != "" {
		f = t.Prefix + "/" + f
	}
	if t.Organization != "" {
		f += t.Organization + "/"
	}
	return f
}

// Wrong is why the trail cannot be asked who read the buckets, in one sentence that says what to change; nil where it can.
func (t Trail) Wrong(w Wish) error {
	name := fmt.Sprintf("trail %+q", t.ARN)
	switch {
	case t.Bucket == "" || t.DeliveryError == "NoSuchBucket":
		return fmt.Errorf("%s: there is no such bucket as its %+q; make it, or give the trail another", name, t.Bucket)
	case !folder.MatchString(t.Prefix):
		return fmt.Errorf("%s puts its files under the prefix %+q, which cannot stand in Athena's table; give the trail a prefix of letters, digits and !_./=+:@-", name, t.Prefix)
	case !t.MultiRegion && t.home() != w.Region && !w.Management:
		return fmt.Errorf("%s records its own region alone, and the buckets are in %s; give a trail of that region, or make it a multi-region trail", name, w.Region)
	case t.Hidden != "":
		return nil
	case !t.Logging:
		return fmt.Errorf("%s is stopped, and records nothing; start it: aws cloudtrail start-logging --name %s", name, t.ARN)
	case t.DeliveryError != "":
		return fmt.Errorf("%s cannot write to its bucket %+q (S3 says %+q); put the bucket's policy and key right", name, t.Bucket, t.DeliveryError)
	}
	if w.Management {
		if silent := t.silent(); silent != "" {
			return fmt.Errorf("%s %s", name, silent)
		}
		return nil
	}
	return t.lacks(name, w)
}

// lateAfter is how old the newest files of a trail may be that records management events: the responder alone starts a query every hour, and
// CloudTrail delivers within minutes. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
const lateAfter = 2 * time.Hour

// Late is why the trail seems to deliver nothing any more, in one sentence; nil where that cannot be told: of a trail that records reads of objects
// alone, no files may mean that nobody reads.
func (t Trail) Late(now time.Time) error {
	last := t.Delivered
	if last.IsZero() {
		last = t.Started
	}
	if last.IsZero() || now.Sub(last) <= lateAfter || !t.records(managementEvent("athena.amazonaws.com", false)) || !t.records(managementEvent("cloudtrail.amazonaws.com", false)) {
		return nil
	}
	if t.Delivered.IsZero() {
		return fmt.Errorf("trail %+q was started at %s UTC, and has delivered nothing since; see whether its bucket and key let CloudTrail write", t.ARN, t.Started.UTC().Format(minutes))
	}
	return fmt.Errorf("trail %+q has delivered no files since %s UTC, though Nightlatch itself makes calls every hour that it records; see what AWS says of it: aws cloudtrail get-trail-status --name %s",
		t.ARN, t.Delivered.UTC().Format(minutes), t.ARN)
}

const minutes = "2006-01-02 15:04"

// lacks says which reads a trail or store does not record.
func (t Trail) lacks(name string, w Wish) error {
	var missing []string
	for _, b := range w.Buckets {
		if !t.records(dataEvent("GetObject", true, t.bucketARN(b))) {
			missing = append(missing, b)
		}
	}
	switch {
	case len(missing) == 0:
		return nil
	case missing[0] == Everything:
		return fmt.Errorf("%s does not record the reads of every bucket; select S3 data events of all buckets, or name the watched buckets", name)
	case len(missing) == 1:
		return fmt.Errorf("%s does not record every read of bucket %+q; select its S3 data events, reads and writes", name, missing[0])
	}
	return fmt.Errorf("%s does not record every read of %d watched buckets, %+q the first; select their S3 data events, reads and writes", name, len(missing), missing[0])
}

// Warnings are what the trail leaves out that would make an answer better, a sentence each.
func (t Trail) Warnings() []string {
	var all []string
	warn := func(format string, a ...any) {
		all = append(all, fmt.Sprintf("trail %+q "+format, append([]any{t.ARN}, a...)...))
	}
	if t.Hidden != "" {
		return []string{t.Hidden + "; that it logs the reads of the watched buckets, copies and management events is taken on trust"}
	}
	for _, copying := range []string{"CopyObject", "UploadPartCopy"} {
		if !t.records(dataEvent(copying, false, t.bucketARN(Everything))) {
			warn("does not record %s in every bucket: a copy out of a watched bucket is recorded with the bucket that it goes to; select it for all buckets", copying)
			break
		}
	}
	if silent := t.silent(); silent != "" {
		warn("%s", silent)
	}
	return all
}

// silent is why what IAM, STS and sign-in are called for is not all recorded; "" where it is.
func (t Trail) silent() string {
	if !t.MultiRegion {
		return "records one region: IAM's, STS's and sign-in's calls are recorded elsewhere, so that what a thief does next is not seen; make it a multi-region trail, or give one as managementTrail"
	}
	for _, service := range []string{"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com"} {
		if !t.records(managementEvent(service, true)) || !t.records(managementEvent(service, false)) {
			return fmt.Sprintf("does not record every management event of %s: what else a credential did is not seen; select management events, reads and writes, or give a trail that has them as managementTrail", service)
		}
	}
	return ""
}

// Deeds says what the trail records of the management events of IAM, STS and sign-in: settings.ManagementAll or ManagementSome. What is hidden of an
// organization's trail is taken on trust.
func (t Trail) Deeds() string {
	if t.Hidden == "" && (!t.Logging || t.silent() != "") {
		return settings.ManagementSome
	}
	return settings.ManagementAll
}

// Takes says what of S3 the trail records: settings.AllEvents where it takes every data event of every bucket and region, and SomeEvents otherwise.
func (t Trail) Takes() string {
	for _, readOnly := range []bool{true, false} {
		if !t.Logging || !t.MultiRegion || !t.records(dataEvent("", readOnly, t.bucketARN(Everything))) {
			return settings.SomeEvents
		}
	}
	return settings.AllEvents
}

// bucketARN begins the ARNs of a bucket's objects.
func (t Trail) bucketARN(bucket string) string {
	all := "arn:" + t.partition() + ":s3:::"
	if bucket == Everything {
		return all
	}
	return all + bucket + "/"
}

func (t Trail) records(e event) bool {
	for _, s := range t.Selectors {
		if s.takes(e) {
			return true
		}
	}
	return false
}
