package containment

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"nightlatch/internal/evidence"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
)

// denySessions is a policy that ends the sessions issued before now: of one role session by its aws:userid, or of all.
func denySessions(userID string, now time.Time) string {
	return denial(Order{UserID: userID, Before: now})
}

// onBuckets writes what is done on the buckets that an actor read, in their partition.
type onBuckets struct {
	evidence.Actor
	partition string
}

// steps is one step a bucket: a statement for its policy that shuts one principal out, and then what else to do.
func (on onBuckets) steps(key, value string, more ...string) []Step {
	return on.each(func(b string) []string { return append(on.statement(b, key, value), more...) })
}

// each is one step a bucket, with what a human runs there.
func (on onBuckets) each(runbook func(bucket string) []string) []Step {
	var steps []Step
	for _, b := range bucketsOf(on.Actor) {
		steps = append(steps, Step{Action: policy.BlockOnBucket, Target: BucketTarget(on.partition, b), Runbook: runbook(b)})
	}
	return steps
}

// statements are what shuts one principal out of all the buckets.
func (on onBuckets) statements(key, value string) []string {
	var lines []string
	for _, b := range bucketsOf(on.Actor) {
		lines = append(lines, on.statement(b, key, value)...)
	}
	return lines
}

// statement shuts one principal out of a bucket. It is a comment and no command: a put replaces the bucket's whole policy, so a runbook that is
// pasted as a whole must not hold one.
func (on onBuckets) statement(bucket, key, value string) []string {
	if value == "" { // a condition on nobody stops nobody
		return []string{unnamed}
	}
	return []string{
		Command("aws", "s3api", "get-bucket-policy", "--bucket", bucket, "--query", "Policy", "--output", "text"),
		"put-bucket-policy replaces the whole policy, so add this statement to what that prints:",
		on.shutOut(bucket, key, value),
	}
}

// shutOut is the statement, as a comment. zsh runs a comment at its prompt as a command, and "$(…)" in it too. So a name that is not plain,
// which AWS never gives, prints nothing.
func (on onBuckets) shutOut(bucket, key, value string) string {
	arn := BucketTarget(on.partition, bucket).ID
	if !plain.MatchString(arn) || !plain.MatchString(value) {
		return unprintable
	}
	return "# " + blockStatement("NightlatchBlock", arn, key, value)
}

// BucketTarget is a bucket as a target, by its ARN in a partition.
func BucketTarget(partition, name string) policy.Target {
	return policy.Target{Type: policy.Bucket, ID: "arn:" + cmp.Or(partition, "aws") + ":s3:::" + name}
}

// bucketsOf are the buckets that the actor read, most bytes first.
func bucketsOf(a evidence.Actor) []string {
	return slices.SortedFunc(maps.Keys(a.Buckets), func(x, y string) int {
		return cmp.Or(cmp.Compare(a.Buckets[y], a.Buckets[x]), cmp.Compare(x, y))
	})
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, and maps and lists of them: cannot fail
	}
	return string(text)
}

// printable is the ASCII that a terminal shows as it is.
var printable = lazyregexp.New(`^[\x20-\x7e]*$`)

// unprintable stands for a line that would carry a name nobody should paste into a shell.
const unprintable = "# no command is printed: a name in it holds characters that do not belong into a shell"

// unnamed stands for a line whose names the record does not have.
const unnamed = "# no command is printed: the record does not name everything that it needs"

// dashed stands for a line in which a name would be read as an option.
const dashed = "# no command is printed: a name in it begins with a dash"

// Command is a shell line that runs args as they are. Names come from whoever was recorded, so every argument is quoted, and
// one that holds anything but printable ASCII prints no command at all.
func Command(args ...string) string {
	for _, a := range args {
		if !printable.MatchString(a) {
			return unprintable
		}
		if a == "" {
			return unnamed
		}
	}
	// After the three words of the command come flags with their values, and a value like --debug would be read as a flag.
	for i := 4; i < len(args); i += 2 {
		if strings.HasPrefix(args[i], "-") {
			return dashed
		}
	}
	return shellescape.QuoteCommand(args)
}

// plain is what names in AWS are made of. None of it means anything to a shell.
var plain = lazyregexp.New(`^[\w+=,.@:/-]+$`)

// word is a name inside a sentence of a runbook. A runbook may be pasted into a shell as a whole, sentences and all.
func word(s string) string {
	if s == "" {
		return "(not named)"
	}
	if !plain.MatchString(s) {
		return "(a name with characters that are not printed)"
	}
	return s
}
