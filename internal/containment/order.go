package containment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
)

// Order is a step as the cutter takes it: which one, against whom, and from when. It holds no text of a policy: Step writes that, here as in
// the cutter, so that whoever owns the responder can have a denial written, and nothing else.
type Order struct {
	Action policy.Action `json:"action"`
	// Incident makes the names of what is written: two incidents never write under one name, and neither takes away what the other has written.
	Incident string `json:"incident"`
	// User, Role or Bucket is what is changed, by its name; the others are "".
	User   string `json:"user,omitempty"`
	Role   string `json:"role,omitempty"`
	Bucket string `json:"bucket,omitempty"`
	// Partition is AWS's, "aws" where it is "". It begins the ARNs of a bucket and of a quarantine.
	Partition string `json:"partition,omitempty"`
	// UserID is the aws:userid that is denied: of one session of a role, or of whoever is shut out of a bucket.
	UserID string `json:"user_id,omitempty"`
	// Root is the ARN of the root user who is shut out of a bucket: nothing but his ARN names him there.
	Root string `json:"root,omitempty"`
	// Before ends what was issued before it; zero where it does not matter when.
	Before time.Time `json:"before,omitzero"`
	// Networks are fenced off from the principal, and Endpoint is the VPC endpoint that they come through; "" where they come over the internet.
	Networks []string `json:"networks,omitempty"`
	Endpoint string   `json:"endpoint,omitempty"`
	// Quarantine is AWS's managed policy that is attached, by its name.
	Quarantine string `json:"quarantine,omitempty"`
}

// MaxFenced is how many networks of a thief are fenced off. Whoever moves more often is not stopped by a fence.
const MaxFenced = 10

// The settings that orders change, beside KeyStatus. Of an inline policy Owner is the user or role, and Name the policy; the document is its
// text. Of an attachment Name is the ARN, and the document Attached. Of a bucket's policy Owner is the bucket, and Name the Sid of the one
// statement that is ours; the document is that statement. Of a public access block Name is the bucket.
const (
	UserPolicy        RefType = "user-policy"
	RolePolicy        RefType = "role-policy"
	UserAttachment    RefType = "user-attachment"
	BucketPolicy      RefType = "bucket-policy"
	PublicAccessBlock RefType = "public-access-block"
)

// Attached is the document of an attachment that is there.
const Attached = "Attached"

// What an order may name. None of it has a wildcard, or the dollar that begins a policy's variable: a condition says what it seems to say.
var (
	iamName    = lazyregexp.New(`^[\w+=,.@-]{1,128}$`)
	bucketName = lazyregexp.New(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	userID     = lazyregexp.New(`^[A-Za-z0-9]{4,128}(:[\w+=,.@-]{1,64})?$`)
	rootARN    = lazyregexp.New(`^arn:aws[a-z-]{0,20}:iam::[0-9]{12}:root$`)
	endpointID = lazyregexp.New(`^vpce-[0-9a-f]{8,17}$`)
	incidentID = lazyregexp.New(`^[a-z0-9-]{1,40}$`)
	partition  = lazyregexp.New(`^aws[a-z-]{0,20}$`)
	quarantine = lazyregexp.New(`^AWSCompromisedKeyQuarantine(V[0-9]{1,3})?$`)
)

// Orderable are the steps that are ordered of the cutter. A deployment enables them one by one; none is enabled by itself.
func Orderable() []policy.Action {
	return slices.DeleteFunc(policy.Actions(), func(a policy.Action) bool { return a == policy.DeactivateKey })
}

// ParseSteps reads the names of steps that are ordered.
func ParseSteps(names []string) (steps []policy.Action, err error) {
	for _, name := range names {
		step := policy.Action(name)
		if !slices.Contains(Orderable(), step) {
			return nil, fmt.Errorf("%+q is no step that can be enabled; those are %s", name, StepNames())
		}
		if !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// StepNames are the names of the steps that are ordered, for a sentence.
func StepNames() string { return strings.Join(words(Orderable()), ", ") }

// kind is what an action's order changes, and what it has to name.
type kind struct {
	ref  func(Order) Ref
	doc  func(Order) string
	want func(Order) string // what is wrong with an order; "" where nothing is
}

var kinds = map[policy.Action]kind{
	policy.DenyUserSessions:  {onPrincipal, denial, wantSessions},
	policy.DenyRoleSession:   {onPrincipal, denial, wantSession},
	policy.DenyRoleSessions:  {onPrincipal, denial, wantSessions},
	policy.FenceOrigin:       {onPrincipal, denial, wantFence},
	policy.QuarantineUser:    {onQuarantine, func(Order) string { return Attached }, wantQuarantine},
	policy.BlockOnBucket:     {onBucketPolicy, blocking, wantBlock},
	policy.BlockPublicAccess: {onPublicAccess, func(Order) string { return noPublicAccess }, wantPublicAccess},
}

// Check says what is wrong with an order. One without an error changes only what it names, and only so that something is denied.
func (o Order) Check() error {
	k, known := kinds[o.Action]
	switch {
	case !known:
		return fmt.Errorf("an order's action is one of %s, not %q", StepNames(), string(o.Action))
	case !incidentID.MatchString(o.Incident):
		return fmt.Errorf("an order needs the id of its incident, not %q", o.Incident)
	case o.Partition != "" && !partition.MatchString(o.Partition):
		return fmt.Errorf("%q is no partition of AWS", o.Partition)
	}
	for field, form := range map[string]struct {
		value string
		form  *lazyregexp.Regexp
	}{
		"user": {o.User, iamName}, "role": {o.Role, iamName}, "bucket": {o.Bucket, bucketName}, "user_id": {o.UserID, userID}, "root": {o.Root, rootARN},
		"endpoint": {o.Endpoint, endpointID}, "quarantine": {o.Quarantine, quarantine},
	} {
		if form.value != "" && !form.form.MatchString(form.value) {
			return fmt.Errorf("an order's %s cannot be %+q", field, form.value)
		}
	}
	// What a kind of step does not read it must not have: nobody who reads an order is to take it for more than it is.
	if wrong := k.want(o); wrong != "" {
		return fmt.Errorf("an order to %s %s", string(o.Action), wrong)
	}
	return nil
}

func wantSessions(o Order) string {
	principal := o.User
	if o.Action == policy.DenyRoleSessions {
		principal = o.Role
	}
	switch rest := (Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, User: o.User, Role: o.Role, Before: o.Before}); {
	case principal == "" || o.User != "" && o.Role != "":
		return "names one user, or for a role's sessions one role"
	case o.Before.IsZero():
		return "says before when they were issued"
	case !rest.same(o):
		return "names a principal and a time, and nothing else"
	}
	return ""
}

func wantSession(o Order) string {
	rest := Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, Role: o.Role, UserID: o.UserID, Before: o.Before}
	if o.Role == "" || !strings.Contains(o.UserID, ":") || !rest.same(o) {
		return "names a role and the aws:userid of its session, perhaps a time, and nothing else"
	}
	return ""
}

func wantFence(o Order) string {
	rest := Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, User: o.User, Role: o.Role, Networks: o.Networks, Endpoint: o.Endpoint}
	switch {
	case (o.User == "") == (o.Role == "") || !rest.same(o):
		return "names one user or one role, networks, perhaps their endpoint, and nothing else"
	case len(o.Networks) > MaxFenced:
		return fmt.Sprintf("fences %d networks at most, not %d", MaxFenced, len(o.Networks))
	case len(o.Networks) == 0 && o.Endpoint == "":
		return "names a network or an endpoint"
	}
	for _, n := range o.Networks {
		if p, err := netip.ParsePrefix(n); err != nil || p != p.Masked() || p.Addr().Is4() && p.Bits() < 24 || p.Addr().Is6() && p.Bits() < 48 || p.Addr().Is4In6() {
			return fmt.Sprintf("fences networks of an IPv4 /24 or an IPv6 /48 at most, not %+q", n)
		}
	}
	return ""
}

func wantQuarantine(o Order) string {
	if rest := (Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, User: o.User, Quarantine: o.Quarantine}); o.User == "" || o.Quarantine == "" || !rest.same(o) {
		return "names a user and AWS's quarantine policy, and nothing else"
	}
	return ""
}

func wantBlock(o Order) string {
	rest := Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, Bucket: o.Bucket, UserID: o.UserID, Root: o.Root}
	if o.Bucket == "" || (o.UserID == "") == (o.Root == "") || !rest.same(o) {
		return "names a bucket, one aws:userid or one root user, and nothing else"
	}
	return ""
}

func wantPublicAccess(o Order) string {
	if rest := (Order{Action: o.Action, Incident: o.Incident, Partition: o.Partition, Bucket: o.Bucket}); o.Bucket == "" || !rest.same(o) {
		return "names a bucket, and nothing else"
	}
	return ""
}

// same compares two orders by how they are sent.
func (o Order) same(p Order) bool { return o.text() == p.text() }

func (o Order) text() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and times of a record: a year beyond 9999 was refused when it was read
	}
	return string(text)
}

// mark tells what one order writes from what every other does.
func (o Order) mark() string {
	sum := sha256.Sum256([]byte(o.text()))
	return hex.EncodeToString(sum[:6])
}

func onPrincipal(o Order) Ref {
	if o.Role != "" {
		return Ref{RolePolicy, o.Role, "nightlatch-" + string(o.Action) + "-" + o.mark()}
	}
	return Ref{UserPolicy, o.User, "nightlatch-" + string(o.Action) + "-" + o.mark()}
}

func onQuarantine(o Order) Ref {
	return Ref{UserAttachment, o.User, QuarantineARN(o.Partition, o.Quarantine)}
}

func onBucketPolicy(o Order) Ref { return Ref{BucketPolicy, o.Bucket, "Nightlatch" + o.mark()} }

func onPublicAccess(o Order) Ref { return Ref{Type: PublicAccessBlock, Name: o.Bucket} }

// denial is the text of an inline policy, a template for each condition.
func denial(o Order) string {
	condition := map[string]any{}
	if !o.Before.IsZero() {
		condition["DateLessThan"] = map[string]string{"aws:TokenIssueTime": o.Before.UTC().Format(time.RFC3339)}
	}
	equal := map[string]string{}
	for key, value := range map[string]string{"aws:userid": o.UserID, "aws:SourceVpce": o.Endpoint} {
		if value != "" {
			equal[key] = value
		}
	}
	if len(equal) > 0 {
		condition["StringEquals"] = equal
	}
	if len(o.Networks) > 0 {
		key := "aws:SourceIp"
		if o.Endpoint != "" {
			key = "aws:VpcSourceIp"
		}
		condition["IpAddress"] = map[string]any{key: o.Networks}
	}
	return denyWhen(condition)
}

// denyWhen is a policy that denies everything on a condition.
func denyWhen(condition map[string]any) string {
	return encode(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}}})
}

// blocking shuts one principal out of a bucket.
func blocking(o Order) string {
	key, value := "aws:userid", o.UserID
	if o.Root != "" {
		key, value = "aws:PrincipalArn", o.Root
	}
	return blockStatement(onBucketPolicy(o).Name, BucketTarget(o.Partition, o.Bucket).ID, key, value)
}

// blockStatement denies a bucket, by its ARN, to whoever has one value of one condition key.
func blockStatement(sid, bucket, key, value string) string {
	return encode(map[string]any{"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*",
		"Resource": []string{bucket, bucket + "/*"}, "Condition": map[string]any{"StringEquals": map[string]string{key: value}}})
}

// noPublicAccess is the document of a bucket that nobody reads without credentials.
var noPublicAccess = AccessBlock{true, true, true, true}.Doc().Text

// Step is what an order changes, on a target. before is what is there now. Where our own quarantine stands already, or what shall be is there,
// nothing is left to do.
func (o Order) Step(t policy.Target, before Doc) (Step, error) {
	if err := o.Check(); err != nil {
		return Step{}, err
	}
	if !o.on(t) {
		return Step{}, fmt.Errorf("an order on %q cannot be a step on %q", o.User+o.Role+o.Bucket, t.ID)
	}
	k := kinds[o.Action]
	s := Step{Action: o.Action, Target: t, Ref: k.ref(o), Before: before, After: Doc{Text: k.doc(o)}, Order: &o}
	s.Undo = s.undoByHand()
	return s, nil
}

// on reports whether a target is what an order changes: a record must not show one and change another.
func (o Order) on(t policy.Target) bool {
	if o.Bucket != "" {
		return t.Type == policy.Bucket && t.ID == BucketTarget(o.Partition, o.Bucket).ID
	}
	return t.Owner != "" && t.Owner == o.User+o.Role && (t.Type == policy.Role) == (o.Role != "")
}

// undoByHand is the line that takes a step back without Nightlatch. What has no one line is a comment that says what to do.
func (s Step) undoByHand() string {
	switch s.Ref.Type {
	case UserPolicy:
		return Command("aws", "iam", "delete-user-policy", "--user-name", s.Ref.Owner, "--policy-name", s.Ref.Name)
	case RolePolicy:
		return Command("aws", "iam", "delete-role-policy", "--role-name", s.Ref.Owner, "--policy-name", s.Ref.Name)
	case UserAttachment:
		return Command("aws", "iam", "detach-user-policy", "--user-name", s.Ref.Owner, "--policy-arn", s.Ref.Name)
	case BucketPolicy:
		return "# take the statement " + s.Ref.Name + " out of the policy of bucket " + word(s.Ref.Owner)
	case PublicAccessBlock:
		if s.Before.Absent {
			return Command("aws", "s3api", "delete-public-access-block", "--bucket", s.Ref.Name)
		}
		return Command("aws", "s3api", "put-public-access-block", "--bucket", s.Ref.Name, "--public-access-block-configuration", s.Before.Text)
	}
	return ""
}

// QuarantineARN is the ARN of AWS's quarantine policy of a name.
func QuarantineARN(partition, name string) string {
	if partition == "" {
		partition = "aws"
	}
	return "arn:" + partition + ":iam::aws:policy/" + name
}

func words(actions []policy.Action) (all []string) {
	for _, a := range actions {
		all = append(all, string(a))
	}
	return all
}
