// Package posture goes through the usual suspects of an incident: how a bucket may be open to others, what is missing that would have helped, and
// what the user or the role of a credential may do. It decides nothing. What could not be read is never taken for good.
package posture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"nightlatch/internal/prose"
)

// Answer is what became of a suspect.
type Answer string

// The answers. The zero value is none of them, and counts as unread.
const (
	RuledOut Answer = "ruled out"
	Stands   Answer = "stands"
	Unread   Answer = "could not be read"
)

// Suspect is one usual reason why bytes leave, or why it was easy.
type Suspect struct {
	// Name is the suspect, and Of the bucket or the user, or the role with that word before it; others chose Of.
	Name   string `json:"suspect"`
	Of     string `json:"of"`
	Answer Answer `json:"answer"`
	// Says is what was read, or why it could not be read.
	Says string `json:"says"`
	// Control is the control of AWS Security Hub that looks for the same; "" where none does.
	// https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html
	Control string `json:"security_hub,omitempty"`
	// Next is what to do where it stands, and Commands how; they are for whoever has the rights.
	Next     string   `json:"next,omitempty"`
	Commands []string `json:"commands,omitempty"`

	later bool // it makes the next theft harder, and does not open anything
}

// Read is what a call has returned. Err says why it has not; then Is means nothing.
type Read[T any] struct {
	Is  T
	Err string
}

// Block is a public access block. Zero is none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
type Block struct{ IgnoreACLs, RestrictBuckets, BlockACLs, BlockPolicies bool }

func (b Block) all() bool { return b == Block{true, true, true, true} }

// Encryption is what S3 encrypts new objects with. Key is empty where S3 itself holds the key.
type Encryption struct{ Algorithm, Key string }

// AccessPoint is a door of its own to a bucket.
type AccessPoint struct {
	Name string
	// Internet: it is not bound to one VPC.
	Internet bool
}

// Bucket is what was read of a bucket.
type Bucket struct {
	Name    string
	Account string // the twelve digits of whom we are
	// AccountBlock is the account's, Block the bucket's own.
	AccountBlock, Block Read[Block]
	// Public is S3's own word on the policy; false where there is none.
	Public Read[bool]
	Policy Read[string] // "" where there is none
	// Grantees are who has a grant by the ACL, beside the owner; NoACLs says that ACLs are off.
	Grantees     Read[[]string]
	NoACLs       Read[bool]
	AccessPoints Read[[]AccessPoint]
	Encryption   Read[Encryption]
	Versioned    Read[bool]
	Locked       Read[bool]
	Replicates   Read[[]string] // the buckets that it is copied to
	LogsTo       Read[string]   // "" where server access logs are off
}

// suspect makes the answer of one reading.
func suspect[T any](of, name, control string, r Read[T], stands func(T) (says string, is bool), next string, commands ...string) Suspect {
	s := Suspect{Name: name, Of: of, Control: control}
	if r.Err != "" {
		s.Answer, s.Says = Unread, r.Err
		return s
	}
	says, is := stands(r.Is)
	if s.Says = says; !is {
		s.Answer = RuledOut
		return s
	}
	s.Answer, s.Next, s.Commands = Stands, next, commands
	return s
}

// later marks what can wait until nothing is open any more.
func later(s Suspect) Suspect {
	s.later = true
	return s
}

// Suspects are a bucket's, in the order in which an analyst goes through them: whom it is open to, and what is missing.
func (b Bucket) Suspects() []Suspect {
	line := func(words ...string) string { return shellescape.QuoteCommand(append([]string{"aws"}, words...)) }
	const all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
	block := line("s3api", "put-public-access-block", "--bucket", b.Name, "--public-access-block-configuration", all)
	shut := b.AccountBlock.Is.RestrictBuckets && b.AccountBlock.Err == "" || b.Block.Is.RestrictBuckets && b.Block.Err == ""
	ignored := b.AccountBlock.Is.IgnoreACLs && b.AccountBlock.Err == "" || b.Block.Is.IgnoreACLs && b.Block.Err == ""
	list := []Suspect{
		suspect(b.Name, "the policy opens it to everybody", "S3.2", b.Public, func(public bool) (string, bool) {
			switch {
			case public && shut:
				return "S3 calls the policy public, and a public access block holds it back", false
			case public:
				return "S3 calls the policy public, and no public access block holds it back", true
			}
			return "S3 calls the policy not public", false
		}, "block public access; whoever reads it by that policy is cut off", block),
		suspect(b.Name, "an ACL opens it to others", "S3.12", joined(b.Grantees, b.NoACLs, true), func(x pair[[]string, bool]) (string, bool) {
			switch {
			case x.b:
				return "ACLs are off", false
			case len(x.a) == 0:
				return "nobody but the owner has a grant", false
			case ignored && !slices.ContainsFunc(x.a, func(g string) bool { return !isGroup(g) }):
				return prose.List(x.a) + " has a grant, and a public access block ignores it", false
			}
			return prose.List(x.a) + " has a grant", true
		}, "turn ACLs off; see first who reads by them", line("s3api", "put-bucket-ownership-controls", "--bucket", b.Name, "--ownership-controls", "Rules=[{ObjectOwnership=BucketOwnerEnforced}]")),
		later(suspect(b.Name, "its public access block is not whole", "S3.8", b.Block, func(k Block) (string, bool) {
			if b.AccountBlock.Err == "" && b.AccountBlock.Is.all() {
				return "the account's is whole, and holds for it", false
			}
			return map[bool]string{true: "all four are on", false: "one or more of the four are off"}[k.all()], !k.all()
		}, "block public access on the bucket", block)),
		later(suspect(b.Name, "the account's public access block is not whole", "S3.1", b.AccountBlock, func(k Block) (string, bool) {
			return map[bool]string{true: "all four are on", false: "one or more of the four are off"}[k.all()], !k.all()
		}, "block public access in the account, once no bucket of it is meant to be public", line("s3control", "put-public-access-block", "--account-id", b.Account, "--public-access-block-configuration", all))),
		b.others(line),
		suspect(b.Name, "access points lead to it", "S3.19", b.AccessPoints, func(points []AccessPoint) (string, bool) {
			var names []string
			for _, p := range points {
				if p.Internet {
					names = append(names, p.Name)
				}
			}
			if len(names) == 0 {
				return prose.Plural(int64(len(points)), "access point") + ", none of them from the internet", false
			}
			return prose.List(names) + " can be called from the internet, by whom its policy lets in", true
		}, "read the policy of each", line("s3control", "list-access-points", "--account-id", b.Account, "--bucket", b.Name)),
		suspect(b.Name, "S3 copies it to elsewhere", "", b.Replicates, func(to []string) (string, bool) {
			if len(to) == 0 {
				return "it has no replication", false
			}
			return "it is replicated to " + prose.List(to), true
		}, "see whether each of these is yours", line("s3api", "get-bucket-replication", "--bucket", b.Name)),
		later(suspect(b.Name, "who may read the bucket may read its contents", "S3.17", b.Encryption, func(e Encryption) (string, bool) {
			if e.Key != "" {
				return "new objects are encrypted with " + prose.Safe(e.Key) + ", whose policy has a say", false
			}
			return "new objects are encrypted with a key of S3's own (" + prose.Safe(cmp.Or(e.Algorithm, "AES256")) + "), which asks nobody", true
		}, "encrypt with a KMS key of your own: turning the key off shuts every reader out at once", line("s3api", "get-bucket-encryption", "--bucket", b.Name))),
		later(suspect(b.Name, "what is overwritten or deleted is gone", "S3.14", b.Versioned, func(on bool) (string, bool) {
			return map[bool]string{true: "versioning is on", false: "versioning is off"}[on], !on
		}, "turn versioning on, before a thief deletes what he has taken", line("s3api", "put-bucket-versioning", "--bucket", b.Name, "--versioning-configuration", "Status=Enabled"))),
		later(suspect(b.Name, "versions can be deleted", "S3.15", b.Locked, func(on bool) (string, bool) {
			return map[bool]string{true: "object lock is on", false: "object lock is off"}[on], !on
		}, "consider object lock; it needs versioning", line("s3api", "get-object-lock-configuration", "--bucket", b.Name))),
		later(suspect(b.Name, "no log but CloudTrail's shows who read it", "S3.9", b.LogsTo, func(to string) (string, bool) {
			if to == "" {
				return "server access logs are off", true
			}
			return "server access logs go to " + prose.Safe(to), false
		}, "turn server access logs on, into another bucket", line("s3api", "get-bucket-logging", "--bucket", b.Name))),
	}
	return list
}

// others is whom the policy lets in from elsewhere.
func (b Bucket) others(line func(...string) string) Suspect {
	who, err := lets(b.Policy.Is, b.Account)
	if err != nil && b.Policy.Err == "" {
		b.Policy.Err = "the policy is not understood, so that anybody may stand in it: " + prose.Safe(err.Error())
	}
	return suspect(b.Name, "the policy lets other accounts in", "S3.6", b.Policy, func(text string) (string, bool) {
		switch {
		case text == "":
			return "there is no policy", false
		case len(who) == 0:
			return "it names nobody of another account", false
		}
		return "it lets in " + prose.List(who), true
	}, "see whether each of these is yours", line("s3api", "get-bucket-policy", "--bucket", b.Name, "--query", "Policy", "--output", "text"))
}

type pair[A, B any] struct {
	a A
	b B
}

// joined is known where both are, or where the second alone decides, being what it is.
func joined[A any](a Read[A], b Read[bool], decides bool) Read[pair[A, bool]] {
	r := Read[pair[A, bool]]{Is: pair[A, bool]{a.Is, b.Is}}
	if b.Err != "" || b.Is != decides && a.Err != "" {
		r.Err = cmp.Or(b.Err, a.Err)
	}
	return r
}

// isGroup reports whether a grantee is one of S3's groups, whose grants a public access block can ignore.
func isGroup(grantee string) bool {
	return strings.HasPrefix(grantee, "http://acs.amazonaws.com/groups/")
}

// Key is an access key of a user. LastUsed is zero where it was never used.
type Key struct {
	ID                string
	Active            bool
	Created, LastUsed time.Time
}

// Policy is a policy of a user or a role, and by what it is theirs: attached, inline, or a group's name.
type Policy struct{ Name, By, Text string }

// Service is an AWS service that the policies of a user or a role let it call, by the prefix of its actions.
type Service struct {
	Name string
	// Tried is when it was last called, refused or not; zero where IAM knows of no call.
	Tried time.Time
}

// User is what was read of an IAM user.
type User struct {
	Name     string
	ARN      string // "" where it could not be read
	Keys     Read[[]Key]
	Devices  Read[int]
	Console  Read[bool]
	Policies Read[[]Policy]
	Boundary Read[string] // an ARN; "" where there is none
	Services Read[[]Service]
}

// oldKey is from which age on Security Hub wants a key rotated.
const oldKey = 90 * 24 * time.Hour

// Suspects are a user's, at a time: how its credentials may have been lost, and how far they reach.
func (u User) Suspects(now time.Time) []Suspect {
	line := func(words ...string) string {
		return shellescape.QuoteCommand(append([]string{"aws", "iam"}, words...))
	}
	days := daysBefore(now)
	return append([]Suspect{
		suspect(u.Name, "a key of it is old", "IAM.3", u.Keys, func(keys []Key) (string, bool) {
			old, says := false, []string{}
			for _, k := range keys {
				state := "off"
				if k.Active {
					state, old = "on", old || now.Sub(k.Created) > oldKey
				}
				used := "never used"
				if !k.LastUsed.IsZero() {
					used = "last used " + days(k.LastUsed) + " ago"
				}
				says = append(says, fmt.Sprintf("%s is %s, %s old, %s", prose.Safe(k.ID), state, days(k.Created), used))
			}
			if len(keys) == 0 {
				return "it has no key", false
			}
			return strings.Join(says, "; "), old
		}, "rotate: make a second key, give it to whoever works with the first, wait until that is not used any more, turn it off, and delete it later; a user has two keys at most", u.rotation(now, line)...),
		suspect(u.Name, "it signs in without a second factor", "IAM.5", joined(u.Devices, u.Console, false), func(x pair[int, bool]) (string, bool) {
			switch {
			case !x.b:
				return "it has no console password", false
			case x.a > 0:
				return "it has a console password, and " + prose.Plural(int64(x.a), "second factor"), false
			}
			return "it has a console password, and no second factor", true
		}, "give it a second factor, or take the password", line("delete-login-profile", "--user-name", u.Name)),
	}, reach(u.Name, "user", u.Name, u.ARN, u.Policies, u.Services, u.Boundary, days)...)
}

// rotation is how the old keys of a user are replaced without an outage, in order.
func (u User) rotation(now time.Time, line func(...string) string) []string {
	lines := []string{line("create-access-key", "--user-name", u.Name)}
	for _, k := range u.Keys.Is {
		if k.Active && now.Sub(k.Created) > oldKey {
			lines = append(lines, line("get-access-key-last-used", "--access-key-id", k.ID), line("update-access-key", "--user-name", u.Name, "--access-key-id", k.ID, "--status", "Inactive"),
				line("delete-access-key", "--user-name", u.Name, "--access-key-id", k.ID))
		}
	}
	return lines
}

// daysBefore says how many days before now something was.
func daysBefore(now time.Time) func(time.Time) string {
	return func(since time.Time) string { return prose.Plural(int64(now.Sub(since)/(24*time.Hour)), "day") }
}

// reach are the suspects that a user and a role have in common: how far their policies reach. The kind is the word for them in IAM's commands.
func reach(of, kind, name, arn string, policies Read[[]Policy], services Read[[]Service], boundary Read[string], days func(time.Time) string) []Suspect {
	line := func(verb string) string {
		return shellescape.QuoteCommand([]string{"aws", "iam", verb, "--" + kind + "-name", name})
	}
	listed := []string{line("list-attached-" + kind + "-policies"), line("list-" + kind + "-policies")}
	return []Suspect{
		suspect(of, "it may do everything, or give itself that", "IAM.1", policies, func(all []Policy) (string, bool) {
			return which(all, everything, "no policy allows everything, or the calls by which a "+kind+" gets there")
		}, "narrow these policies to what was used; nightlatch suspects with --trail says what that was in S3", listed...),
		suspect(of, "it may read every bucket", "IAM.21", policies, func(all []Policy) (string, bool) {
			return which(all, everyBucket, "no policy allows the reading of every bucket")
		}, "narrow these policies to the buckets that it reads", listed...),
		later(suspect(of, "it may call services that it does not use", "", services, func(all []Service) (string, bool) {
			return unused(all, days)
		}, "narrow its policies to the services that it tried, once you know which tries were the thief's; for the actions of each, have IAM write the report again, in detail",
			shellescape.QuoteCommand([]string{"aws", "iam", "generate-service-last-accessed-details", "--arn", arn, "--granularity", "ACTION_LEVEL"}), "aws iam get-service-last-accessed-details --job-id JOB_ID")),
		later(suspect(of, "no boundary holds it", "", boundary, func(arn string) (string, bool) {
			if arn != "" {
				return "its boundary is " + prose.Safe(arn), false
			}
			return "it has no permissions boundary", true
		}, "consider a boundary for "+map[string]string{"user": "users with keys", "role": "roles that others than AWS may assume"}[kind], line("get-"+kind))),
	}
}

// unused says which services somebody has tried, and reports whether it may call others, too.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
func unused(all []Service, days func(time.Time) string) (string, bool) {
	const most = 12 // of those that were tried: they are what a policy is narrowed to
	var tried, others []string
	for _, s := range slices.SortedStableFunc(slices.Values(all), func(x, y Service) int { return y.Tried.Compare(x.Tried) }) {
		switch {
		case s.Tried.IsZero():
			others = append(others, s.Name)
		case len(tried) < most:
			tried = append(tried, prose.Safe(s.Name)+" ("+days(s.Tried)+" ago)")
		}
	}
	text := "it tried none"
	if len(tried) > 0 {
		text = "it tried " + strings.Join(tried, ", ")
	}
	if more := len(all) - len(others) - len(tried); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	text += " of the services that its policies allow"
	if len(others) > 0 {
		text += ", and not " + prose.List(others)
	}
	return text + "; only what IAM recorded: 400 days at most and not the last hours, refused calls too, and nothing that only a bucket's or a key's own policy allows", len(others) > 0
}

// which are the policies of which something holds. One that is not understood may be such a one.
func which(all []Policy, holds func(document) bool, none string) (string, bool) {
	var names []string
	for _, p := range all {
		d, err := parse(p.Text)
		switch {
		case err != nil:
			names = append(names, p.Name+" ("+p.By+"), which is not understood")
		case holds(d):
			names = append(names, p.Name+" ("+p.By+")")
		}
	}
	if len(names) == 0 {
		return none, false
	}
	return prose.List(names) + map[bool]string{true: " does", false: " do"}[len(names) == 1], true
}
