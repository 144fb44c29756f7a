package trailbucket

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/evidence"
)

// onFiles and onBucket are what has to be denied to all but CloudTrail: what puts an object's content there, or takes it away, by a call or by
// replication from another bucket; and what lets files expire. To replicate from this bucket takes nothing away.
//
// Object Lock stands for none of them: a new version may be put over one that is locked, and a delete marker hides it, and a query reads what is
// current. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
var (
	onFiles  = []string{"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateObject", "s3:ReplicateDelete"}
	onBucket = []string{"s3:PutLifecycleConfiguration"}
)

// Denied are all actions that a bucket's policy has to deny to all but CloudTrail, those on its files and those on itself.
func Denied() (files, bucket []string) { return slices.Clone(onFiles), slices.Clone(onBucket) }

// many is what a policy writes as one of it or as a list.
type many[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (m *many[T]) UnmarshalJSON(data []byte) error {
	var one T
	if json.Unmarshal(data, &one) == nil {
		*m = many[T]{one}
		return nil
	}
	return json.Unmarshal(data, (*[]T)(m))
}

// texts is one text or a list.
type texts = many[string]

// statement is one of a policy. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type statement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       texts
	Resource     texts
	Condition    map[string]map[string]texts
}

// judge finds what a bucket's policy does not deny to all but CloudTrail, on the bucket and on all files in folders. Only forms count whose
// meaning is plain; in doubt it is not denied.
func judge(text, bucket string, folders []string) []string {
	var policy struct{ Statement many[statement] }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return []string{fmt.Sprintf("the policy of bucket %q cannot be read as JSON, so that nothing is known to be denied: ask again", bucket)}
	}
	var open []string
	denied := func(action, on string, everyKey bool) bool {
		return slices.ContainsFunc(policy.Statement, func(s statement) bool { return s.denies(action, on, everyKey) })
	}
	for _, action := range onFiles {
		if slices.ContainsFunc(folders, func(folder string) bool { return !denied(action, bucket+"/"+folder, true) }) {
			open = append(open, action)
		}
	}
	for _, action := range onBucket {
		if !denied(action, bucket, false) {
			open = append(open, action)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the policy of bucket %q does not deny %s to all but CloudTrail", bucket, strings.Join(open, ", "))}
}

// denies reports whether a statement denies an action to all but CloudTrail, on a bucket, or on everything that begins so.
func (s statement) denies(action, on string, everyKey bool) bool {
	matches := func(pattern string) bool { return matchesAction(pattern, action) }
	covers := func(pattern string) bool { return coversResource(pattern, on, everyKey) }
	return s.Effect == "Deny" && slices.ContainsFunc(s.Action, matches) && slices.ContainsFunc(s.Resource, covers) && s.everybody() && s.onlyCloudTrailExempt()
}

// matchesAction knows a star at the end: s3:Put*.
func matchesAction(pattern, action string) bool {
	pattern, action = strings.ToLower(pattern), strings.ToLower(action)
	prefix, star := strings.CutSuffix(pattern, "*")
	return pattern == action || star && !strings.ContainsAny(prefix, "*?") && strings.HasPrefix(action, prefix)
}

// coversResource knows a star at the end. Of files it has to be one that begins no later than the folder ends.
func coversResource(pattern, on string, everyKey bool) bool {
	if pattern == "*" {
		return true
	}
	fields := strings.SplitN(pattern, ":", 6)
	if len(fields) != 6 || fields[0] != "arn" || fields[2] != "s3" || fields[3] != "" || fields[4] != "" || strings.ContainsAny(fields[1], "*?$") {
		return false
	}
	prefix, star := strings.CutSuffix(fields[5], "*")
	if strings.ContainsAny(prefix, "*?$") {
		return false
	}
	return star && strings.HasPrefix(on, prefix) || !star && !everyKey && prefix == on
}

// everybody reports whether a statement is about every principal, or about every one but CloudTrail. With a condition, only a principal of "*"
// is plain.
func (s statement) everybody() bool {
	all := func(p json.RawMessage) bool {
		var one string
		var by map[string]texts
		if json.Unmarshal(p, &one) == nil {
			return one == "*"
		}
		return json.Unmarshal(p, &by) == nil && slices.Contains(by["AWS"], "*")
	}
	if s.NotPrincipal == nil {
		return s.Principal != nil && all(s.Principal)
	}
	var by map[string]texts
	return s.Principal == nil && json.Unmarshal(s.NotPrincipal, &by) == nil && len(by) == 1 && slices.Equal(by["Service"], texts{cloudTrail})
}

const cloudTrail = "cloudtrail.amazonaws.com"

// onlyCloudTrailExempt reports whether each condition of a statement lets nobody through but CloudTrail. Several of them let through whom one
// lets through. No caller sets these keys: AWS's services do.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcearn
func (s statement) onlyCloudTrailExempt() bool {
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if len(values) == 0 || !exempts(operator, key, values) {
				return false
			}
		}
	}
	return true
}

func exempts(operator, key string, values texts) bool {
	operator = strings.TrimSuffix(operator, "IfExists") // a key that is not there is not equal, with it and without
	switch strings.ToLower(key) {
	case "aws:sourcearn":
		differs := slices.Contains([]string{"StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike"}, operator)
		return differs && !slices.ContainsFunc(values, func(v string) bool { return !ofTrails(v) })
	case "aws:principalservicename":
		return operator == "StringNotEquals" && slices.Equal(values, texts{cloudTrail})
	}
	return false
}

// ofTrails reports whether an ARN, or a pattern of one, is of trails alone.
func ofTrails(arn string) bool {
	fields := strings.SplitN(arn, ":", 6)
	return len(fields) == 6 && fields[0] == "arn" && !strings.ContainsAny(fields[1], "*?$") && fields[2] == "cloudtrail" && strings.HasPrefix(fields[5], "trail/") &&
		!strings.Contains(arn, "$")
}

// archived are the classes in which a query passes over an object, or cannot read it.
// https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
var archived = []types.TransitionStorageClass{types.TransitionStorageClassGlacier, types.TransitionStorageClassDeepArchive}

// needed is how many days a file is read for: the history, and what is delivered late.
const needed = int32(evidence.HistorySpan/(24*time.Hour)) + 4

// shortLived are the rules of a lifecycle by which files go away, or cannot be read, within the history.
func shortLived(rules []types.LifecycleRule, folders []string) []string {
	var short []string
	for _, r := range rules {
		if r.Status != types.ExpirationStatusEnabled || !slices.ContainsFunc(folders, func(folder string) bool { return touches(r, folder) }) {
			continue
		}
		soon := func(days *int32, date *time.Time) bool { return date != nil || days != nil && *days < needed }
		does := ""
		if e := r.Expiration; e != nil && soon(e.Days, e.Date) {
			does = "deletes"
		}
		for _, t := range r.Transitions {
			if slices.Contains(archived, t.StorageClass) && soon(t.Days, t.Date) {
				does = "archives"
			}
		}
		if does != "" {
			short = append(short, fmt.Sprintf("the lifecycle rule %q of the bucket %s files that the history needs, the last %d days", aws.ToString(r.ID), does, needed))
		}
	}
	return short
}

// touches reports whether a rule may be about files under a folder: one with tags or sizes is taken as if it had none, and one of the old form,
// without a filter, is taken to be about all.
func touches(r types.LifecycleRule, folder string) bool {
	prefix := ""
	if f := r.Filter; f != nil {
		prefix = aws.ToString(f.Prefix)
		if f.And != nil {
			prefix = aws.ToString(f.And.Prefix)
		}
	}
	return strings.HasPrefix(prefix, folder) || strings.HasPrefix(folder, prefix)
}
