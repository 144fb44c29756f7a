package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
)

// identity reads the columns that say who called.
func (r *reader) identity() actor.Identity {
	return actor.Identity{
		Type: r.text("type"), PrincipalID: r.text("principal_id"), ARN: r.text("arn"), AccountID: r.text("account_id"),
		AccessKeyID: r.text("access_key_id"), UserName: r.text("user_name"), IssuerARN: r.text("issuer_arn"),
		IssuerUserName: r.text("issuer_user_name"), InvokedBy: r.text("invoked_by"), OnBehalfOf: r.text("on_behalf_of"),
		SourceIdentity: r.text("source_identity"), Provider: r.text("provider"),
	}
}

func readActor(r *reader, ours actor.Ours) Actor {
	c := actor.Of(r.identity(), ours)
	return Actor{
		Kind: c.Kind, Via: c.Via, AccessKeyID: c.AccessKeyID, PrincipalARN: c.PrincipalARN, PrincipalID: c.PrincipalID,
		AccountID: c.AccountID, UserName: c.UserName, RoleName: c.RoleName, Session: c.Session, OnBehalfOf: c.OnBehalfOf,
		SourceIdentity: c.SourceIdentity, Provider: c.Provider, Doubt: c.Doubt,
		Bytes: r.number("bytes"), ObjectBytes: r.number("object_bytes"), ListingBytes: r.number("listing_bytes"),
		ErrorBytes: r.number("error_bytes"), MarginBytes: r.number("margin_bytes"), Objects: r.number("objects"),
		Unsized: r.number("unsized"), Copies: r.number("copies"), SignedBytes: new(r.number("signed_bytes")), Object: oneObject(r), FirstSeen: r.time("first_seen"), LastSeen: r.time("last_seen"),
		Calls: map[string]int64{}, Errors: map[string]int64{}, Buckets: map[string]int64{},
		Origins: []Origin{}, Agents: []string{},
		principal: r.text("principal"), unlisted: map[string]int64{},
	}
}

// readDetail adds one bucket, call, origin, agent or error code to its actor.
func readDetail(row Row, byID map[string]*Actor) error {
	r := &reader{row: row}
	part := r.text("part")
	if part == "all" || part == "actor" {
		return r.err
	}
	a := byID[r.whole("actor")]
	if a == nil && r.err == nil {
		return fmt.Errorf("a row of the answer is about an actor that the answer does not name")
	}
	name, calls := r.text("name"), r.number("calls")
	limit := int64(MaxDetails)
	if part == "origin" {
		limit = askedOrigins
	}
	unlisted := max(r.number("places")-limit, 0)
	if r.err != nil {
		return r.err
	}
	a.unlisted[part] = unlisted
	switch part {
	case "bucket":
		if bytes := r.number("bytes"); bytes > 0 || calls > 0 {
			a.Buckets[name] += bytes
		}
	case "call":
		if calls > 0 {
			a.Calls[name] += calls
			a.began(name, r.time("first_seen"))
		}
	case "error":
		if calls > 0 {
			a.Errors[name] += calls
		}
	case "agent":
		if name != "" && calls > 0 && !slices.Contains(a.Agents, name) {
			a.Agents = append(a.Agents, name)
		}
	case "origin":
		a.addOrigin(originOf(r), r.number("bytes"), r.number("object_bytes"), calls)
	default:
		return fmt.Errorf("a row of the answer has the unknown part %q", part)
	}
	return r.err
}

// originOf reads the columns that name an origin, of either question.
func originOf(r *reader) Origin {
	o := Origin{VPCEndpoint: r.text("vpc_endpoint"), VPCEndpointAccount: r.text("vpc_endpoint_account")}
	if o.VPCEndpoint == "" {
		o.Network = Network(r.text("source_ip"))
	}
	switch r.text("signing") {
	case "header":
	case "presigned":
		o.Presigned = true
	default:
		o.SigningUnknown = true
	}
	return o
}

// began notes when the actor listed first, and when it read first.
func (a *Actor) began(call string, at time.Time) {
	switch {
	case strings.HasPrefix(call, "List") && (a.listed.IsZero() || at.Before(a.listed)):
		a.listed = at
	case slices.Contains(objectData, call) && (a.read.IsZero() || at.Before(a.read)):
		a.read = at
	}
}

// settle drops the origins that were seen only in the margin, unless the actor was.
func (a *Actor) settle() {
	a.ListedFirst = !a.listed.IsZero() && a.read.After(a.listed)
	a.listed, a.read = time.Time{}, time.Time{}
	if len(a.Calls) > 0 {
		a.Origins = slices.DeleteFunc(a.Origins, func(o Origin) bool { return o.Calls == 0 })
	}
}

func (a *Actor) addOrigin(o Origin, bytes, objects, calls int64) {
	for i, known := range a.Origins {
		if known.place() == o.place() && known.signing() == o.signing() {
			a.Origins[i].Bytes += bytes
			a.Origins[i].ObjectBytes += objects
			a.Origins[i].Calls += calls
			return
		}
	}
	o.Bytes, o.ObjectBytes, o.Calls = bytes, objects, calls
	a.Origins = append(a.Origins, o)
}
