package policy

import (
	"time"

	"nightlatch/internal/actor"
)

// Action is one kind of step that containment knows.
type Action string

// The steps, one action each. All are in Action::"contain".
const (
	DeactivateKey     Action = "deactivate-key"
	FenceOrigin       Action = "fence-origin"
	DenyUserSessions  Action = "deny-user-sessions"
	QuarantineUser    Action = "quarantine-user"
	DenyRoleSession   Action = "deny-role-session"
	DenyRoleSessions  Action = "deny-role-sessions"
	BlockOnBucket     Action = "block-on-bucket"
	BlockPublicAccess Action = "block-public-access"
)

// Actions lists every action.
func Actions() []Action {
	return []Action{DeactivateKey, FenceOrigin, DenyUserSessions, QuarantineUser, DenyRoleSession, DenyRoleSessions,
		BlockOnBucket, BlockPublicAccess}
}

// TargetType is the Cedar entity type of a step's target.
type TargetType string

// What a step can act on.
const (
	AccessKey TargetType = "AccessKey"
	User      TargetType = "User"
	Role      TargetType = "Role"
	Bucket    TargetType = "Bucket"
)

// Target is what one step acts on, with what the account knows of it.
type Target struct {
	Type TargetType `json:"type"`
	// ID is the access key id, or the ARN of the user, role or bucket.
	ID string `json:"id"`
	// Owner is the user or role that the target belongs to, by name; for a bucket "".
	Owner     string `json:"owner,omitempty"`
	OwnerARN  string `json:"owner_arn,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	// Tags are the owner's tags: access keys have none of their own.
	Tags map[string]string `json:"tags,omitempty"`
	// LastUsed is what IAM says of a key's last use; nil where it was not asked, or did not say.
	LastUsed *LastUse `json:"last_used,omitempty"`
	// SignIn is what IAM says of how a key's user signs in to the console; nil where it was not asked, or did not say.
	SignIn *SignIn `json:"sign_in,omitempty"`
	// Known says that the account was asked and knows the target. An unknown target is never contained.
	Known bool `json:"known"`
	// Unknown says why it is not known, where that is known.
	Unknown string `json:"unknown,omitempty"`
	// Doubt is how the record of its use contradicts itself; "" where it does not.
	Doubt string `json:"doubt,omitempty"`
	// Self says that the target is the responder's own credential, role or user.
	Self bool `json:"self,omitempty"`
	// Protected says why the target must not be touched without a human; "" if it is not protected. ProtectTag is the tag key that
	// protects it, where one does.
	Protected  string `json:"protected,omitempty"`
	ProtectTag string `json:"protect_tag,omitempty"`
}

// LastUse is the last use of a key, in any service, whether or not a trail records it. At is zero where there was none.
type LastUse struct {
	At      time.Time `json:"at,omitzero"`
	Service string    `json:"service,omitempty"`
}

// SignIn is when a user got his password for the console, and the newest of his devices for the second factor.
type SignIn struct {
	Password time.Time `json:"password"`
	Device   time.Time `json:"device"`
}

// Before reports whether both are older than a time.
func (s SignIn) Before(t time.Time) bool { return s.Password.Before(t) && s.Device.Before(t) }

// Decision is the policy's answer for one step. The zero Decision is Ask.
type Decision string

// The three decisions.
const (
	Ask     Decision = "ask"     // do it if a human approves
	Contain Decision = "contain" // do it now
	Leave   Decision = "leave"   // do not do it
)

// Reason is one cause of a verdict: the policy's id and its @because text.
type Reason struct {
	Policy  string `json:"policy"`
	Because string `json:"because"`
}

// Sealed says whether others than CloudTrail can have written the evidence. The zero value is Open.
type Sealed string

// The three values.
const (
	Proved Sealed = "proved" // what may be done to it was read; or it is an event data store, or files
	Stated Sealed = "stated" // the deployer says so
	Open   Sealed = "open"   // others can, or that could not be read
)

// Seals lists the three values.
func Seals() []Sealed { return []Sealed{Proved, Stated, Open} }

// Facts is what is known of one actor when one step is judged: the context of the Cedar request, field for field.
// Shares are whole per cent, rounded so that doubt never helps a containment. A nil pointer is "not known".
type Facts struct {
	Kind actor.Kind
	// Via is the service that called in the actor's name; "" for direct calls.
	Via string
	// Manual: a human asked by a manual event; there was no alarm.
	Manual bool
	// Confirmed: CloudWatch, asked again, shows what the alarm claims.
	Confirmed bool
	// Complete: five minutes have passed since the window's end, and two query rounds in a row were equal.
	Complete bool
	// Settled: no evidence that may still come can change that a theft by this credential explains the alarm.
	Settled bool
	// Lost: some evidence could not be read.
	Lost bool
	// Sealed: whether others than CloudTrail can have written the evidence.
	Sealed Sealed
	// Explained is all bytes that CloudTrail shows, against the alarmed bytes; above 100 it is rounded up, below down.
	Explained *int64
	// AlarmShare is the actor's bytes against the alarmed bytes, ObjectShare its object bytes against everyone's.
	AlarmShare, ObjectShare *int64
	// Unfamiliar is the actor's bytes that went to origins unfamiliar to it, against the alarmed bytes.
	Unfamiliar *int64
	// FamiliarActive: an origin familiar to the actor used this credential in the last 24 hours.
	FamiliarActive *bool
	// Presigned is the part of the actor's bytes whose request was not signed in the header.
	Presigned *int64
	// HistoryDays counts the earlier days on which the principal read these buckets.
	HistoryDays *int64
	// Spread: what got no action, each part small or usual, adds up to more than a fifth of the alarmed bytes.
	Spread bool
	// Copies counts server-side copies out of the watched buckets: they move bytes that no metric shows.
	Copies int64
	// OfFloor is what the credential took in 24 hours, against the floor below which nothing is contained.
	OfFloor *int64
	// Volume is the same against the median of its principal's three biggest days.
	Volume *int64
	// ThroughUsual is what it took through an origin against the most that its principal took there in a day; of all origins the highest.
	ThroughUsual *int64
	// HistoryBytes are the contents that the principal took on earlier days, signed in the header.
	HistoryBytes *int64
	// Novelty is the part of these days, after the first, on which it came from a network that was new to it; 100 where that was each of
	// two to four days.
	Novelty *int64
	// NewNetworks counts the networks, others than those of now, from which the principal came in the last 24 hours for the first time.
	NewNetworks *int64
	// InUse: somebody worked with the credential in the last 24 hours, from a network familiar to the principal or another new one.
	InUse *bool
	// Company: at least three other users of ours, each known to the trail for a day and not made by this one, worked where most of the unfamiliar
	// bytes went.
	Company *bool
	// OwnEndpoint: most of them went through a VPC endpoint of the principal's own account, at which it was seen on an earlier day.
	OwnEndpoint *bool
	// SignedIn: the principal signed in there with a second factor, in the 12 hours before, and before the credential was used there.
	SignedIn *bool
	// UsedElsewhere: IAM says that the key was used last in another service than S3, in the 24 hours before the window or since.
	UsedElsewhere *bool
	// Minted: the step is on another long-term key than the credential which the other facts are of, as the trail shows record by record: on the one
	// that minted its session, or on one that was made with it.
	Minted bool
	// MintedOthers: somebody else may need that key. It, or a session between it and this one, gave out another session too; or, of one that was made,
	// another place than the one to which the bytes went made or used it.
	MintedOthers *bool
	// SeesAll: the trail or store takes all S3 data events, of whatever bucket.
	SeesAll *bool
	// UsedUnrecorded: IAM says that the key was used later than CloudTrail's lag after the last record of it that was read, and the trail does not
	// take all S3 data events.
	UsedUnrecorded *bool
	// What describes, and excuses nobody. LookedRound: before it read, the credential listed or described something, or asked who it is, at the
	// unfamiliar places, in the 24 hours before; or it listed first in the window. RefusedBefore: a call of it was refused there then, or in the
	// window. NewAgent: it names a program as its agent that its principal's callers did not name. OddHour: it came at another time of the day
	// than on the earlier days. OfStored is what it took against what the watched buckets hold.
	LookedRound, RefusedBefore, NewAgent, OddHour *bool
	OfStored                                      *int64
	// What would break, which describes too: from how many other places this very credential was used in the 7 days before; in how many of the 168
	// hours at the busiest of them; how many minutes before the window at any of them last; how many services and buckets were called from one of
	// them at most. UsedAgo is nil too where there is no such place.
	UsedPlaces, UsedHours, UsedAgo, UsedServices, UsedBuckets *int64
	// HitsOthers is how many other callers of the 14 days before the step hits, where it hits more than one credential. It describes too.
	HitsOthers *int64
	// OriginsSeen: every origin of the actor was compared with its history.
	OriginsSeen bool
	// Account is the id of the account that is watched, and Unit its organizational unit as the deployment names it; "" where that is not known.
	Account, Unit string
	// Principal is the ARN of the user or role that the step is against, or whose credential took the bytes; "" where that is not known.
	Principal string
}

// Verdict is the answer for one step.
type Verdict struct {
	Action   Action
	Target   Target
	Decision Decision
	Reasons  []Reason
}
