package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Who names an actor for people.
func Who(a evidence.Actor) string {
	key, user := prose.Safe(a.AccessKeyID), prose.Safe(a.UserName)
	var who string
	switch a.Kind {
	case actor.IAMUserKey:
		who = "access key " + key + " of IAM user " + user
	case actor.IAMUserSession:
		who = "a session (" + key + ") of IAM user " + user
	case actor.FederatedUser:
		who = "a federated session (" + key + ") issued by IAM user " + user
	case actor.RoleSession:
		who = "session " + prose.Safe(a.Session) + " (" + key + ") of role " + prose.Safe(a.RoleName)
	case actor.IdentityCenter:
		who = "Identity Center user " + prose.Safe(cmp.Or(a.Session, a.OnBehalfOf, a.PrincipalID))
		if a.RoleName != "" {
			who += " (" + key + ") in role " + prose.Safe(a.RoleName)
		}
	case actor.RootKey:
		who = "the ROOT user's access key " + key
	case actor.RootSession:
		who = "a session of the ROOT user"
	case actor.AWSService:
		who = "the AWS service " + prose.Safe(cmp.Or(a.Via, a.PrincipalID, "(not named)"))
	case actor.OtherAccount:
		who = "another account's principal " + prose.Safe(cmp.Or(a.PrincipalARN, a.PrincipalID, "(not named)"))
	case actor.Anonymous:
		return "anonymous callers"
	default:
		return "a caller that the records do not name (" + prose.Safe(cmp.Or(a.PrincipalARN, a.PrincipalID, a.AccountID, "nothing known")) + ")"
	}
	if a.AccountID != "" && a.Kind != actor.AWSService {
		who += " (account " + prose.Safe(a.AccountID) + ")"
	}
	if a.Via != "" && a.Kind != actor.AWSService {
		who += " through " + prose.Safe(a.Via)
	}
	return who
}

// owner names, in a few letters, whose credential it is.
func owner(a evidence.Actor) string {
	name := ""
	switch a.Kind {
	case actor.IAMUserKey, actor.IAMUserSession, actor.FederatedUser:
		name = "user " + a.UserName
	case actor.RoleSession, actor.IdentityCenter:
		name = "role " + a.RoleName
	case actor.RootKey, actor.RootSession:
		name = "ROOT"
	case actor.AWSService:
		name = "service " + cmp.Or(a.Via, a.PrincipalID)
	case actor.OtherAccount:
		name = "account " + a.AccountID
	case actor.Anonymous:
		name = "nobody"
	default:
		name = cmp.Or(a.AccountID, a.PrincipalID, "not named")
	}
	return short(name, 30)
}

// from says where an actor's calls came from, and whether that is usual for it.
func from(r incident.Record, a evidence.Actor) string {
	if len(a.Origins) == 0 {
		return "from an origin that is not recorded"
	}
	var places []string
	for i, o := range a.Origins {
		if i == 2 {
			places = append(places, fmt.Sprintf("%d more", len(a.Origins)-i))
			break
		}
		places = append(places, place(o))
	}
	return "from " + strings.Join(places, ", ") + ": " + inPast(r, usual(a))
}

func place(o evidence.Origin) string {
	p := prose.Safe(o.Network)
	if o.VPCEndpoint != "" {
		p = "VPC endpoint " + prose.Safe(o.VPCEndpoint)
		if o.VPCEndpointAccount != "" {
			p += " of account " + prose.Safe(o.VPCEndpointAccount)
		}
	}
	if p == "" {
		p = "an origin that is not recorded"
	}
	if o.Presigned {
		p += " by presigned URL"
	}
	return p
}

// inPast is what is said of the 14 days that are asked about, where the trail goes less far back.
func inPast(r incident.Record, text string) string {
	if r.Evidence.Past() < time.Minute {
		text = strings.ReplaceAll(text, "it did not read these buckets in the 14 days before", "what is usual for it is NOT KNOWN, as the trail holds nothing from before the window")
	}
	return strings.ReplaceAll(text, "14 days", past(r.Evidence))
}

// past is how far back it is known what is usual.
func past(e evidence.Evidence) string {
	const day = 24 * time.Hour
	switch p := e.Past(); {
	case p >= 2*day:
		return prose.Plural(int64(p/day), "day")
	case p >= 2*time.Hour:
		return prose.Plural(int64(p/time.Hour), "hour")
	default:
		return prose.Plural(int64(p/time.Minute), "minute")
	}
}
