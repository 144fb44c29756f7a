package athena

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"nightlatch/internal/awserr"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/patience"
)

// errAgain marks the failures of a query that running it again can cure.
var errAgain = errors.New("running it again can help")

// unauthorized finds the action in AWS's sentence about a missing permission. Athena calls Glue, S3 and KMS with its caller's rights, so it
// need not be one of Athena's own.
var unauthorized = lazyregexp.New(`is not authorized to perform: ([a-z0-9-]{1,40}:[A-Za-z0-9]{1,80})`)

// explain makes one sentence of a failed call: what was being done to what, what is wrong, and what to do. on is what the operation needs
// its permission for. Only the end of ctx can be found in the result, as context's own error, and a grant.Denial.
func explain(ctx context.Context, err error, operation, on, doing string) error {
	if refused, ok := errors.AsType[*patience.Refused](err); ok {
		return fmt.Errorf("%s: %w", doing, refused)
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("the time ended while %s: %w", doing, ended)
	}
	if refusal, _ := awserr.Refusal(err); refusal != nil && !containsAny(refusal.ErrorMessage(), lakeFormation...) {
		action := "athena:" + operation
		found := unauthorized.FindStringSubmatch(refusal.ErrorMessage())
		if found != nil {
			action = found[1]
		}
		if found != nil || strings.HasPrefix(refusal.ErrorCode(), "AccessDenied") {
			return fmt.Errorf("%w (%s)", grant.Denied(action, on, refusal.ErrorMessage()), doing)
		}
		if containsAny(refusal.ErrorMessage(), "access denied") { // S3 refused it to Athena, on our behalf
			return fmt.Errorf("%w (%s)", grant.Denied("s3:GetObject", "the bucket for results", refusal.ErrorMessage()), doing)
		}
	}
	return fmt.Errorf("%s: %s (%s)", doing, advice(err), said(err))
}

// advice says in our words what is wrong and what to do about it. Athena has one exception for most of what can be wrong with a call. Some of
// it is told apart by a code in it, and some only by the text.
func advice(err error) string {
	refusal, status := awserr.Refusal(err)
	if refusal == nil {
		switch {
		case status >= 500:
			return "athena has a fault of its own, ask again"
		case awserr.Strange(err):
			return "the answer is not athena's, see whether a proxy stands between"
		}
		return "aws could not be reached, check the network and the credentials"
	}
	code, text := refusal.ErrorCode(), refusal.ErrorMessage()
	if invalid, ok := errors.AsType[*types.InvalidRequestException](err); ok {
		switch aws.ToString(invalid.AthenaErrorCode) {
		case "QUERY_EXECUTION_NOT_FOUND":
			return "the query is not known any more, ask again"
		case "RESULT_NOT_FOUND":
			return resultGone
		case "INVALID_QUERY_EXECUTION_STATE":
			return "the query had succeeded and now shows no rows, so that there is no answer: ask again"
		case "MALFORMED_QUERY":
			return "the sql was not accepted, which is a defect of nightlatch: please report it"
		}
	}
	switch {
	case containsAny(text, lakeFormation...):
		return notGranted
	case code == "ExpiredTokenException" || code == "UnrecognizedClientException" || code == "InvalidClientTokenId":
		return "the credentials are not accepted, renew them"
	case code == "InternalServerException":
		return "athena has a fault of its own, ask again"
	case containsAny(text, "entitynotfound", "entity not found") || code == "MetadataException" && containsAny(text, "not found", "does not exist"):
		return theTable + " or its database was not found, deploy again, and look in cloudtrail for glue's DeleteTable to see who deleted it"
	case code == "MetadataException":
		return "the glue data catalog did not give the table's definition, ask again"
	case containsAny(text, "workgroup") && containsAny(text, "not found"):
		return theWorkGroup + " was not found, deploy again, and look in cloudtrail for DeleteWorkGroup to see who deleted it"
	case containsAny(text, "workgroup") && containsAny(text, "disabled"):
		return theWorkGroup + " is disabled, enable it, and look in cloudtrail for UpdateWorkGroup to see who disabled it"
	case containsAny(text, "output location", "output bucket", "save your query results"):
		return theWorkGroup + " has no place for results that it can use, deploy again"
	case containsAny(text, "could not find results"):
		return resultGone
	case containsAny(text, "queryexecution") && containsAny(text, "not found"):
		return "the query is not known any more, ask again"
	}
	return "athena did not accept the call"
}

// lakeFormation are the words of its refusals, which come through Glue, with its code for what IAM refuses.
// https://docs.aws.amazon.com/lake-formation/latest/dg/troubleshooting.html
var lakeFormation = []string{"lake formation", "principal does not have any privilege"}

const notGranted = "lake formation does not let the function's role read the table, grant it SELECT and DESCRIBE on it there"

const resultGone = "its result is gone, see that the bucket for results is there and keeps them for a day, and ask again"

// failures are the ways in which a query can fail, known by Athena's error type, and where Athena gives only a general one by the text: the
// first that fits. https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
// https://docs.aws.amazon.com/athena/latest/ug/troubleshooting-athena.html
var failures = []struct {
	types []int32
	texts []string
	// says what is wrong and what to do; %s is where the trail's files lie.
	says  string
	again bool
	// much says that a shorter span of time can help.
	much bool
}{
	{[]int32{0, 1, 2, 3, 4, 5, 6, 7, 8}, []string{"exhausted resources"},
		"athena ran out of resources for it, narrow its time span or ask again later", true, true},
	{[]int32{1400, 1401, 1403, 1404, 1405, 1406, 1602}, []string{"reduce your request rate", "slowdown", "throttlingexception"},
		"other load slowed down what it needs, ask again later", true, false},
	{[]int32{234}, lakeFormation, notGranted, false, false},
	// The sql is tested, and the table is what it was deployed as: the column is more likely hidden than missing.
	{nil, []string{"column_not_found"}, "a column of the table is not shown to the function's role, grant it SELECT on the whole table in lake formation; " +
		"if that is granted, it is a defect of nightlatch: please report it", false, false},
	{[]int32{206, 210}, []string{"query timeout", "timed out"}, "it ran out of athena's time, narrow its time span", false, true},
	{[]int32{1306}, []string{"nosuchbucket", "bucket does not exist"}, "a bucket was not found, see that the trail's (%s) and the one for results are there", false, false},
	{[]int32{238, 401, 402}, nil, "its result could not be written, see that the bucket for results is there", false, false},
	{[]int32{1302}, []string{"nosuchkey", "key does not exist"}, "a file went away while it was read, see who deletes files under %s if it happens again", true, false},
	{[]int32{1110, 1301}, []string{"table_not_found", "schema_not_found", "database_not_found"},
		theTable + " or its database was not found, deploy again, and look in cloudtrail for glue's DeleteTable to see who deleted it", false, false},
	{[]int32{1006}, []string{"syntax_error", "function_not_found", "type_mismatch"},
		"the sql was not accepted, which is a defect of nightlatch: please report it", false, false},
	{[]int32{1001, 1002, 1005, 1007}, []string{"hive_bad_data", "hive_cursor_error", "hive_cannot_open_split", "hive_unsupported_format", "not a valid json"},
		"something under %s is not one of the trail's files, look in cloudtrail for PutObject to see who put it there, and move it away", false, false},
}

// failure is the sentence about a query that failed: reason is Athena's text, in which others choose some of the words.
func (t Table) failure(reason string, e *types.AthenaError) error {
	kind, again, much := int32(-1), false, false
	if e != nil {
		again = e.Retryable
		if e.ErrorType != nil {
			kind = *e.ErrorType
		}
		if reason == "" {
			reason = aws.ToString(e.ErrorMessage)
		}
	}
	named := aFile.FindString(reason)
	plain := aFile.ReplaceAllString(reason, "") // a file's name is somebody's choice, and must not decide what is said of the query
	if denied := t.denied(kind, plain, reason); denied != nil {
		return denied
	}
	says := "athena gives no reason that nightlatch knows"
	if e != nil && aws.ToInt32(e.ErrorCategory) == system {
		says = "athena has a fault of its own"
	}
	for _, f := range failures {
		if kind >= 0 && slices.Contains(f.types, kind) || containsAny(plain, f.texts...) {
			says, again, much = strings.ReplaceAll(f.says, "%s", t.Location), again || f.again, f.much
			break
		}
	}
	named = strings.TrimRight(named, ".,:;)'\"")
	strange := strings.Contains(says, "not one of the trail's files")
	if named != "" && strange {
		says += ": " + quoted(named)
	}
	said := ""
	if reason != "" {
		said = fmt.Sprintf(" (AWS: %s)", quoted(reason))
	}
	switch {
	case again && much:
		return fmt.Errorf("%s; %w, as it was %w%s", says, errAgain, evidence.ErrTooMuch, said)
	case again:
		return fmt.Errorf("%s; %w%s", says, errAgain, said)
	case much:
		return fmt.Errorf("%s, as it was %w%s", says, evidence.ErrTooMuch, said)
	}
	if strange && strings.HasPrefix(named, t.Location) && plainFile.MatchString(named[len(t.Location):]) {
		return brokenFile{named, says + said}
	}
	return errors.New(says + said)
}

// brokenFile is a failure for which one of the trail's files is named, by its address: without it the question may be answered.
type brokenFile struct{ file, says string }

func (b brokenFile) Error() string { return b.says }

// lost is the sentence about a file that was left out.
func (b brokenFile) lost() string {
	return "trail file " + quoted(b.file) + " cannot be read by athena, and was left out: its records are missing"
}

// system is the category of failures that are Athena's own.
const system = 1

// aFile finds the file that a reason names.
var aFile = lazyregexp.New(`s3://[^\s()]+`)

// plainFile is what a key may look like that goes into a query: CloudTrail names its files so. Any other fails as a whole.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
var plainFile = lazyregexp.New(`\A[A-Za-z0-9/_.=+@-]+\z`)

// denied is the error for a query that failed for want of a permission, nil for any other. plain is the reason without a file's name.
func (t Table) denied(kind int32, plain, reason string) error {
	files := "the trail's files under " + t.Location
	found := unauthorized.FindStringSubmatch(plain)
	switch {
	case containsAny(plain, lakeFormation...): // it is not IAM's to give
		return nil
	case found != nil && strings.HasPrefix(found[1], "glue:"):
		return grant.Denied(found[1], theTable, cut(reason))
	case found != nil:
		return grant.Denied(found[1], files, cut(reason))
	case kind != 1500 && kind != 1501 && !containsAny(plain, "access denied", "accessdenied", "permission_denied"):
		return nil
	case containsAny(plain, "writing to location"):
		return grant.Denied("s3:PutObject", "the bucket for results", cut(reason))
	case containsAny(plain, "kms", "decrypt"):
		return grant.Denied("kms:Decrypt", "the key of "+files, cut(reason))
	}
	return grant.Denied("s3:GetObject or s3:ListBucket", files, cut(reason))
}

// containsAny reports whether a text has one of some texts in it, whatever its case; they are in lower case.
func containsAny(text string, any ...string) bool {
	text = strings.ToLower(text)
	for _, a := range any {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// maxSaid is how much is shown of a text of AWS's, in bytes: a reason may quote a whole row of somebody's file.
const maxSaid = 500

func cut(s string) string {
	if len(s) > maxSaid {
		return s[:maxSaid] + "..."
	}
	return s
}

// quoted is a text in which others choose some of the words, escaped, and cut where it is long.
func quoted(s string) string { return fmt.Sprintf("%+q", cut(s)) }

// said is AWS's own words, code and message, without the SDK's wrapping; or the whole error where AWS said nothing.
func said(err error) string {
	if refusal, _ := awserr.Refusal(err); refusal != nil {
		return refusal.ErrorCode() + ": " + quoted(refusal.ErrorMessage())
	}
	return awserr.Cause(err).Error()
}
