package sandbox

// The cutter of a simulated night, and whom what stands on its account refuses.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/cut"
	"nightlatch/internal/policy"
)

// simCutter calls the cutter's function, which is the real one.
type simCutter struct{ *invocation }

func (c simCutter) Cut(ctx context.Context, o containment.Order) error {
	_, err := call(c.invocation, "cutter", "order "+string(o.Action), func() (struct{}, error) {
		text, err := json.Marshal(o)
		if err != nil {
			return struct{}{}, err
		}
		does := cut.Cutter{Account: cutterAccount{simAccount(c), o}, Now: simClock(c).Now,
			Allowed: cut.Allowed{Account: accountID, Steps: c.enabled(), Paths: []string{"/"}, Buckets: buckets, Stack: "nightlatch"}}
		return struct{}{}, does.Cut(ctx, text).Err()
	})
	return refused(err)
}

// cutterAccount is the account as the cutter's role has it. Its calls take no time here: that is in the order's.
type cutterAccount struct {
	simAccount
	order containment.Order
}

func (a cutterAccount) Identify(ctx context.Context, c actor.Credential) (policy.Target, error) {
	return a.account.Identify(ctx, c)
}

func (a cutterAccount) Read(_ context.Context, ref containment.Ref) (containment.Doc, error) {
	if a.chance(a.weather.fault["account"]) {
		return containment.Doc{}, errors.New("account failed")
	}
	return a.answers(ref)
}

func (a cutterAccount) Write(_ context.Context, ref containment.Ref, doc containment.Doc) error {
	how := fine
	if a.chance(a.weather.fault["account"]) {
		how = failsBefore + fault(a.IntN(4))
	}
	lost := errors.New("account failed")
	switch how {
	case failsBefore:
		return lost
	case throttled:
		return containment.ErrThrottled
	}
	err := a.cuts(ref, doc)
	if how != fine && err == nil {
		return lost
	}
	return err
}

// cuts writes what was ordered, and checks it.
func (a cutterAccount) cuts(ref containment.Ref, doc containment.Doc) error {
	w, id := a.world, a.intends(ref)
	if why := w.account.refusal(ref, doc); why != "" {
		return fmt.Errorf("%w: %s", containment.ErrNotDone, why)
	}
	if !slices.Contains(w.steps, a.order.Action) {
		w.breach(ruleEnabled, "%s orders %s, and the deployment enables %v", a.name, a.order.Action, w.steps)
	}
	a.checkWrite(id, ref, doc)
	if id != a.order.Incident {
		w.breach(ruleUndo, "%s orders for incident %s what incident %q intends", a.name, a.order.Incident, id)
	}
	if w.acts(hollowAnswer, 1) {
		w.hollow[ref] = doc
		return nil
	}
	if inline := ref.Type == containment.UserPolicy || ref.Type == containment.RolePolicy; inline && w.acts(wideDenial, 1) {
		doc = containment.Doc{Text: `{"Statement":[{"Action":"*","Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}`}
	}
	did := ordered{at: w.now, ref: ref, order: a.order}
	for _, o := range w.stored[id].Outcomes {
		if o.Step.Ref == ref && o.Attempts > 0 {
			did.wish, did.human = wishOf(id, o), o.Approved != nil
		}
	}
	return w.obeys(a.name, did, doc)
}

// obeys writes what was ordered.
func (w *world) obeys(by string, o ordered, doc containment.Doc) error {
	id := o.incident
	if by == "a human" {
		id, o.human = "", true
	}
	if err := w.onlySets(by, id, o.ref, doc, ruleCut); err != nil {
		return err
	}
	o.doc = doc
	w.ordered = append(w.ordered, o)
	return nil
}

// onlySets makes a setting something, and checks that nothing else has changed.
func (w *world) onlySets(by, id string, ref containment.Ref, doc containment.Doc, rule string) error {
	rest := w.account.rest(ref)
	if on := w.account.standing(ref); on != nil && doc.Absent && w.acts(deepUndo, 1) {
		on.inline = nil
	}
	err := w.put(by, id, ref, doc)
	now, unread := w.account.get(ref)
	if err == nil && (unread != nil || now != doc) || !maps.Equal(rest, w.account.rest(ref)) {
		w.breach(rule, "%s sets %s %s, and the rest of the account is not as before, or it reads as %+v (%v)", by, ref.Type, ref.Name, now, unread)
	}
	return err
}

// rest is all that stands on the account but one setting.
func (a *Account) rest(but containment.Ref) map[string]string {
	all := map[string]string{}
	of := func(t containment.RefType, owner string, s standing) {
		for name, text := range s.inline {
			if but != (containment.Ref{Type: t, Owner: owner, Name: name}) {
				all[string(t)+owner+" "+name] = text
			}
		}
		for _, arn := range s.attached {
			if but != (containment.Ref{Type: containment.UserAttachment, Owner: owner, Name: arn}) {
				all[owner+" "+arn] = "attached"
			}
		}
	}
	for name, u := range a.users {
		of(containment.UserPolicy, name, u.standing)
		for _, k := range u.Keys {
			if but.Type != containment.KeyStatus || but.Name != k.ID {
				all[k.ID] = k.Status
			}
		}
	}
	for name, r := range a.roles {
		of(containment.RolePolicy, name, r.standing)
	}
	for name, b := range a.buckets {
		doc := b.policy
		if but.Type == containment.BucketPolicy && but.Owner == name {
			if without, err := containment.WithStatement(doc, name, but.Name, containment.Doc{Absent: true}); err == nil { // else the thief has edited it
				doc = without
			}
		}
		if !doc.Absent {
			all["policy of "+name] = containment.Canonical(doc.Text)
		}
		if !b.access.Absent && !(but.Type == containment.PublicAccessBlock && but.Name == name) {
			all["access to "+name] = b.access.Text
		}
	}
	return all
}

// refuses reports whether what stands on the account, as it has spread, denies a call, and holds that against what was ordered.
func (w *world) refuses(r record) bool {
	if len(w.ordered) == 0 {
		return false
	}
	denied, named, narrow := false, "", ""
	for _, o := range w.ordered {
		holds := w.spread(o.ref, containment.Doc{Absent: true})
		if holds != o.doc { // it was taken away or edited, or has not spread yet
			continue
		}
		denied = denied || w.denies(o.ref, holds.Text, r)
		if w.names(o, r) {
			named = o.step
			if issued := w.issued[r.UserIdentity.AccessKeyID]; !broad(o.order) && !o.human || !o.order.Before.IsZero() && issued.After(o.at.Add(w.weather.skew)) {
				narrow = o.step // and who came later is hit by none
			}
		}
	}
	who := r.UserIdentity.id()
	switch {
	case denied != (named != ""):
		w.breach(ruleCut, "%s %s from %s: refused is %t, and what was ordered names it by %q", who, r.EventName, r.SourceIPAddress, denied, named)
	case narrow != "" && !w.guilty[who]:
		w.breach(ruleNeighbour, "%s is refused by %s", who, narrow)
	}
	return denied
}

// broad reports whether an order hits others than a thief, as what it is says: all of a user, or all sessions of somebody.
func broad(o containment.Order) bool {
	wholeUser := o.Action == policy.BlockOnBucket && strings.HasPrefix(o.UserID, "AIDA")
	return o.Action == policy.DenyRoleSessions || o.Action == policy.DenyUserSessions || o.Action == policy.QuarantineUser || wholeUser
}

// user is the IAM user whose credential it is, or who has issued it to somebody; "" where there is none.
func (u identity) user() string {
	if u.Type == "FederatedUser" {
		return u.SessionContext.SessionIssuer["userName"]
	}
	return u.UserName
}

// names reports whether an order is against whoever has made a call, by what it says and not by what is written for it.
func (w *world) names(by ordered, r record) bool {
	u, o := r.UserIdentity, by.order
	issued, session := w.issued[u.AccessKeyID]
	before := o.Before.IsZero() || session && issued.Before(o.Before)
	user, role := u.user() != "" && u.user() == o.User, u.Type == "AssumedRole" && u.SessionContext.SessionIssuer["userName"] == o.Role
	switch o.Action {
	case policy.DenyUserSessions:
		return user && before
	case policy.DenyRoleSession:
		return role && u.PrincipalID == o.UserID && before
	case policy.DenyRoleSessions:
		return role && before
	case policy.FenceOrigin:
		return user && r.VPCEndpointID == o.Endpoint && (len(o.Networks) == 0 ||
			slices.ContainsFunc(o.Networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(netip.MustParseAddr(r.SourceIPAddress)) }))
	case policy.QuarantineUser:
		return user && quarantined(r)
	case policy.BlockOnBucket:
		return r.RequestParameters["bucketName"] == o.Bucket && (o.UserID != "" && u.PrincipalID == o.UserID || o.Root != "" && u.Type == "Root")
	case policy.BlockPublicAccess:
		return r.RequestParameters["bucketName"] == o.Bucket && u.AccountID == "anonymous"
	case denySignIn:
		return user && w.signIns[u.AccessKeyID] == by.against
	}
	return false
}

// quarantined reports whether AWS's quarantine denies a call, as AWSCompromisedKeyQuarantineV3 does.
func quarantined(r record) bool {
	return r.EventSource == "s3.amazonaws.com" || r.EventName == "GetSessionToken" || r.EventName == "CreateAccessKey"
}

// denies reports whether a setting that holds a text denies a call: each of our templates, read as AWS does.
func (w *world) denies(ref containment.Ref, text string, r record) bool {
	u := r.UserIdentity
	switch ref.Type {
	case containment.UserPolicy:
		return u.user() == ref.Owner && w.meets(text, r)
	case containment.RolePolicy:
		return u.Type == "AssumedRole" && u.SessionContext.SessionIssuer["userName"] == ref.Owner && w.meets(text, r)
	case containment.UserAttachment:
		return u.user() == ref.Owner && quarantined(r)
	case containment.BucketPolicy:
		return r.RequestParameters["bucketName"] == ref.Owner && w.meets(text, r)
	case containment.PublicAccessBlock:
		b, err := containment.ReadAccessBlock(text)
		return err == nil && b.RestrictPublicBuckets && u.AccountID == "anonymous" && r.RequestParameters["bucketName"] == ref.Name
	}
	return false
}

// values are one or several in a condition.
type values []string

func (v *values) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(v))
}

// meets reports whether a call meets all conditions of a denial's one statement. A key that the call has not is not met.
func (w *world) meets(text string, r record) bool {
	if _, known := w.parsed[text]; !known {
		type statement struct{ Condition map[string]map[string]values }
		var p struct {
			statement
			Statement []statement
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			panic(err)
		}
		for _, s := range p.Statement {
			p.Condition = s.Condition
		}
		w.parsed[text] = p.Condition
	}
	u := r.UserIdentity
	has := map[string]string{"aws:userid": u.PrincipalID, "aws:PrincipalArn": u.ARN}
	if has["aws:SourceIp"] = r.SourceIPAddress; r.VPCEndpointID != "" { // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
		delete(has, "aws:SourceIp")
		has["aws:SourceVpce"], has["aws:VpcSourceIp"] = r.VPCEndpointID, r.SourceIPAddress
	}
	if arn := w.signIns[u.AccessKeyID]; arn != "" {
		has["aws:SignInSessionArn"] = arn
	}
	if at, session := w.issued[u.AccessKeyID]; session {
		has["aws:TokenIssueTime"] = at.Format(time.RFC3339)
	}
	for operator, keys := range w.parsed[text] {
		for key, wanted := range keys {
			value, there := has[key]
			if !there || !slices.ContainsFunc(wanted, func(v string) bool { return compares(operator, value, v) }) {
				return false
			}
		}
	}
	return true
}

func compares(operator, value, with string) bool {
	switch operator {
	case "StringEquals":
		return value == with
	case "DateLessThan":
		at, err := time.Parse(time.RFC3339, value)
		end, wrong := time.Parse(time.RFC3339, with)
		return err == nil && wrong == nil && at.Before(end)
	case "IpAddress":
		at, err := netip.ParseAddr(value)
		network, wrong := netip.ParsePrefix(with)
		return err == nil && wrong == nil && network.Contains(at)
	}
	panic("a condition of a kind that no order writes: " + operator)
}
