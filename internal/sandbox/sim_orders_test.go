package sandbox

// Orders in a simulated night: steps that the deployment enables beside the deactivation of a key, the cutter, whom what stands on the account
// refuses, thieves with other credentials than a key, and what they do once they are cut. All of this has dice of its own, so that a night without
// orders goes as it would without this file.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/cut"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// ordering is what is true of it.
type ordering struct {
	dice    *rand.Rand
	steps   []policy.Action // that the deployment enables; none in most nights
	own     *policy.Policy  // the deployment's own; nil is the shipped one
	way     string          // how the thief takes; "" is as the plot has it
	mole    caller          // of the thief's: it takes nothing, and may change policies and users
	honest  map[string]bool // credentials of neighbours: what they make is theirs
	issued  map[string]time.Time
	ordered []ordered
	failed  map[wish]bool                           // orders that were surely not done
	moves   int                                     // of the thief's, against what was done
	removed []write                                 // what was done, and he has taken away
	took    map[string]int64                        // what he took with each credential since he was refused first
	hollow  map[containment.Ref]containment.Doc     // see hollowAnswer
	parsed  map[string]map[string]map[string]values // conditions, by the text that they stand in
}

// ordered is what the cutter has written, or a human instead of it.
type ordered struct {
	at time.Time
	wish
	ref   containment.Ref
	order containment.Order
	human bool // who approved it, or has written it
}

// ownPolicy contains by orders what the shipped policy asks about.
var ownPolicy = sync.OnceValue(func() *policy.Policy {
	p, err := policy.Load("own.cedar", append(policy.ShippedText(), `
@id("contain-by-order")
@because("it took most of the bytes to where its owner never was")
permit (principal, action in Action::"contain", resource)
when {
  context.confirmed && !context.manual && context.settled && !context.lost && context.sealed != Sealed::"open" &&
  context has of_floor && context.of_floor >= 100
}
unless { action == Action::"deactivate-key" };
`...))
	if err != nil {
		panic(err)
	}
	return p
})

// enable says which steps the night's deployment enables.
func (w *world) enable() {
	w.honest, w.issued, w.took, w.hollow = map[string]bool{}, map[string]time.Time{}, map[string]int64{}, map[containment.Ref]containment.Doc{}
	w.parsed, w.failed = map[string]map[string]map[string]values{}, map[wish]bool{}
	if !w.chance(0.15) {
		return
	}
	for _, a := range containment.Orderable() {
		if w.chance(0.8) {
			w.steps = append(w.steps, a)
		}
	}
	if w.chance(0.6) {
		w.own = ownPolicy()
	}
}

// enabled are the steps that the responder and the cutter are told of.
func (w *world) enabled() []policy.Action {
	if w.plant == allEnabled {
		return containment.Orderable()
	}
	return w.steps
}

// deployed is the mode that the responder is told of.
func (w *world) deployed() containment.Mode {
	if w.plant == boldMode {
		return containment.ModeAct
	}
	return w.plot.mode
}

// id is what tells a credential from others: its key, or who it is of where it has none.
func (u identity) id() string { return cmp.Or(u.AccessKeyID, u.PrincipalID, u.AccountID) }

// arm gives the thief of a night with orders another credential than the plot does, some of his victims' neighbours something to do, and the
// account what stands there before.
func (w *world) arm(f *thefts, mara caller) {
	if len(w.steps) == 0 {
		return
	}
	w.mole = caller{who: iamUser(w.Rand, "mole", keyID("AKIA", w.Rand)), ip: always("198.51.100.66"), agent: "aws-cli/2.31.4"}
	w.account.AddUser("mole", nil, Key{ID: w.mole.who.AccessKeyID, Status: containment.Active, Created: dusk.AddDate(-1, 0, 0)})
	w.account.AddRole("etl", nil)
	for _, ref := range []containment.Ref{{Type: containment.UserPolicy, Owner: "mara", Name: "own"}, {Type: containment.RolePolicy, Owner: "etl", Name: "own"}} {
		size := 100
		if w.chance(0.15) { // there is no room for another
			size = map[containment.RefType]int{containment.UserPolicy: containment.MaxUserPolicies, containment.RolePolicy: containment.MaxRolePolicies}[ref.Type] - 100
		}
		w.account.put(ref, containment.Doc{Text: `{"Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::` + strings.Repeat("x", size-80) + `"}]}`})
	}
	for _, b := range buckets {
		if w.chance(0.5) {
			w.account.bucket(b).policy = containment.Doc{Text: `{"Version":"2012-10-17","Statement":[{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::` + b + `/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`}
		}
	}
	role := keyID("AROA", w.Rand)
	if id, _, is := strings.Cut(f.who.PrincipalID, ":"); is && f.who.Type == "AssumedRole" {
		role = id
	}
	w.neighbours(mara, role)
	if f.who.UserName != "mara" || f.presigned || f.unseen || f.innocent {
		return
	}
	stolen := f.caller
	w.way = []string{"key", "key in use", "user session", "role session", "no key", "another account", "identity center"}[w.IntN(7)]
	mint := func(who identity, call string, parameters map[string]string) {
		f.who = who
		w.at(w.plot.begins.Add(-w.between(time.Second, 3*time.Minute)), func() { w.mint(stolen, who, call, parameters) })
	}
	switch w.way {
	case "key in use":
		w.every(2*time.Minute, func() { w.read(mara, "GetObject", w.bucket(), w.size(1<<20), false) })
	case "user session":
		who := stolen.who
		who.AccessKeyID = keyID("ASIA", w.Rand)
		mint(who, "GetSessionToken", nil)
	case "role session":
		mint(roleSession(w.Rand, "etl", role, "loader"), "AssumeRole", assuming("loader"))
	case "no key":
		f.who.AccessKeyID = ""
	case "another account":
		f.who = identity{Type: "AWSAccount", PrincipalID: keyID("AIDA", w.Rand), AccountID: "444455556666"}
	case "identity center":
		w.account.AddRole("AWSReservedSSO_Read_0123456789abcdef", nil)
		f.who = roleSession(w.Rand, "AWSReservedSSO_Read_0123456789abcdef", keyID("AROA", w.Rand), "eve@example.com")
		w.issued[f.who.AccessKeyID] = dusk
	}
	w.tell("the deployment enables %v, and the thief takes by %s", w.steps, w.way)
}

func assuming(session string) map[string]string {
	return map[string]string{"roleArn": "arn:aws:iam::" + accountID + ":role/etl", "roleSessionName": session}
}

// neighbours are those whom an order may hit if it says more than it means: another key of the user, another session of the role, and sessions of
// the user that he takes all night.
func (w *world) neighbours(mara caller, role string) {
	job := caller{who: roleSession(w.Rand, "etl", role, "nightly"), ip: within("192.0.2"), agent: "Boto3"}
	w.issued[job.who.AccessKeyID] = dusk.Add(-time.Hour)
	w.honest[job.who.AccessKeyID] = true
	w.every(4*time.Minute, func() { w.read(job, "GetObject", w.bucket(), w.size(200<<10), false) })
	if w.plot.newKey {
		return // then the user has one key
	}
	other := mara
	other.who.AccessKeyID = w.plot.neighbour
	w.honest[other.who.AccessKeyID] = true
	w.every(4*time.Minute, func() { w.read(other, "GetObject", w.bucket(), w.size(200<<10), false) })
	w.every(10*time.Minute, func() {
		session := other
		session.who.AccessKeyID = keyID("ASIA", w.Rand)
		if w.mint(other, session.who, "GetSessionToken", nil) {
			w.after(w.between(time.Second, 5*time.Minute), func() { w.read(session, "GetObject", w.bucket(), w.size(200<<10), false) })
		}
	})
}

// mint has somebody make a session with a credential. What is not made by an honest one is a thief's.
func (w *world) mint(by caller, who identity, call string, parameters map[string]string) bool {
	gave := map[string]any{"credentials": map[string]string{"accessKeyId": who.AccessKeyID}}
	if who.Type == "AssumedRole" {
		gave["assumedRoleUser"] = map[string]string{"assumedRoleId": who.PrincipalID}
	}
	if !w.works(by.who) || !w.managed(by, w.now, call, parameters, gave) {
		return false
	}
	if !w.honest[by.who.id()] {
		w.guilty[by.who.id()], w.guilty[who.AccessKeyID] = true, true
	}
	w.issued[who.AccessKeyID] = w.now.Truncate(time.Second)
	return true
}

// --- the cutter

// simCutter calls the cutter's function, which is the real one.
type simCutter struct{ *invocation }

func (c simCutter) Cut(ctx context.Context, o containment.Order) error {
	_, err := call(c.invocation, "cutter", "order "+string(o.Action), func() (struct{}, error) {
		text, err := json.Marshal(o)
		if err != nil {
			return struct{}{}, err
		}
		does := cut.Cutter{Account: cutterAccount{simAccount{c.invocation}, o}, Now: simClock{c.invocation}.Now,
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
			without, err := containment.WithStatement(doc, name, but.Name, containment.Doc{Absent: true})
			if err != nil {
				panic(err)
			}
			doc = without
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

// --- whom it refuses

// refuses reports whether what stands on the account, as it has spread, denies a call, and holds that against what was ordered.
func (w *world) refuses(r record) bool {
	if len(w.ordered) == 0 {
		return false
	}
	denied, named, narrow := false, "", ""
	for _, o := range w.ordered {
		holds := w.spread(o.ref, containment.Doc{Absent: true})
		if holds.Absent {
			continue
		}
		denied = denied || w.denies(o.ref, holds.Text, r)
		if w.names(o.order, r) {
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

// names reports whether an order is against whoever has made a call, by what it says and not by what is written for it.
func (w *world) names(o containment.Order, r record) bool {
	u := r.UserIdentity
	issued, session := w.issued[u.AccessKeyID]
	before := o.Before.IsZero() || session && issued.Before(o.Before)
	user, role := u.Type == "IAMUser" && u.UserName == o.User, u.Type == "AssumedRole" && u.SessionContext.SessionIssuer["userName"] == o.Role
	switch o.Action {
	case policy.DenyUserSessions:
		return user && before
	case policy.DenyRoleSession:
		return role && u.PrincipalID == o.UserID && before
	case policy.DenyRoleSessions:
		return role && before
	case policy.FenceOrigin:
		return user && slices.ContainsFunc(o.Networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(netip.MustParseAddr(r.SourceIPAddress)) })
	case policy.QuarantineUser:
		return user && quarantined(r)
	case policy.BlockOnBucket:
		return r.RequestParameters["bucketName"] == o.Bucket && (o.UserID != "" && u.PrincipalID == o.UserID || o.Root != "" && u.Type == "Root")
	case policy.BlockPublicAccess:
		return r.RequestParameters["bucketName"] == o.Bucket && u.AccountID == "anonymous"
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
		return u.Type == "IAMUser" && u.UserName == ref.Owner && w.meets(text, r)
	case containment.RolePolicy:
		return u.Type == "AssumedRole" && u.SessionContext.SessionIssuer["userName"] == ref.Owner && w.meets(text, r)
	case containment.UserAttachment:
		return u.Type == "IAMUser" && u.UserName == ref.Owner && quarantined(r)
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
	has := map[string]string{"aws:userid": u.PrincipalID, "aws:PrincipalArn": u.ARN, "aws:SourceIp": r.SourceIPAddress}
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

// --- what a thief does about it

// prepare is what he does for later, while his credential works: a session of the key, or another key of the session.
func (f *thefts) prepare() {
	w := f.world
	if len(w.steps) == 0 || f.innocent || f.spare != nil || f.who.AccessKeyID == "" || f.who.Type == "Root" || !w.chance(0.03) {
		return
	}
	spare, call := f.who, "GetScopedCredentials"
	if strings.HasPrefix(f.who.AccessKeyID, "AKIA") {
		call = "GetSessionToken"
	}
	issued, session := w.issued[f.who.AccessKeyID]
	spare.AccessKeyID = keyID("ASIA", w.Rand)
	if !w.mint(f.caller, spare, call, nil) {
		return
	}
	if f.spare = &spare; session && w.chance(0.5) { // AWS does not say which it is
		w.issued[spare.AccessKeyID] = issued
	}
}

// counter is what he does when he is refused.
func (f *thefts) counter() {
	w := f.world
	if len(w.steps) == 0 || f.innocent || w.moves >= 4 || !w.chance(0.15) {
		return
	}
	moves := []func() bool{f.again, f.moves, f.takesAway, f.takesAway, f.getsKey, f.isTagged}
	if moves[w.IntN(len(moves))]() {
		w.moves++
		w.guilty[f.who.id()], f.refused = true, 0
		w.tell("the thief goes on with %s from %s", f.who.id(), f.ip(w.Rand))
	}
}

// again takes what he has prepared, or another session of the same role or user. Where nothing that he holds makes one, an instance is given one.
func (f *thefts) again() bool {
	w := f.world
	if f.spare != nil {
		f.who, f.spare = *f.spare, nil
		return true
	}
	next := f.who
	next.AccessKeyID = keyID("ASIA", w.Rand)
	source := f.caller
	source.who.AccessKeyID, source.who.Type, source.who.UserName, source.who.PrincipalID = w.plot.stolen, "IAMUser", "mara", w.mara
	source.who.ARN, source.who.SessionContext = "arn:aws:iam::"+accountID+":user/mara", nil
	switch _, name, _ := strings.Cut(f.who.PrincipalID, ":"); {
	case f.who.Type == "IAMUser":
		if !w.mint(source, next, "GetSessionToken", nil) {
			return false
		}
	case strings.HasPrefix(name, "i-"):
		w.issued[next.AccessKeyID] = w.now.Truncate(time.Second)
	case name == "loader" || name == "loader-2":
		if w.chance(0.5) {
			role := next.SessionContext.SessionIssuer["principalId"]
			next = roleSession(w.Rand, "etl", role, "loader-2")
			name = "loader-2"
		}
		if !w.mint(source, next, "AssumeRole", assuming(name)) && !w.mint(w.mole, next, "AssumeRole", assuming(name)) {
			return false
		}
	default:
		return false
	}
	f.who = next
	return true
}

// moves goes on from another network.
func (f *thefts) moves() bool {
	f.ip = always(fmt.Sprintf("198.51.%d.77", 101+f.world.IntN(100)))
	return true
}

// takesAway removes something that was ordered.
func (f *thefts) takesAway() bool {
	w := f.world
	for _, o := range slices.Backward(w.ordered) {
		doc, err := w.account.get(o.ref)
		if err != nil || doc.Absent {
			continue
		}
		call := map[containment.RefType]string{containment.UserPolicy: "DeleteUserPolicy", containment.RolePolicy: "DeleteRolePolicy", containment.UserAttachment: "DetachUserPolicy",
			containment.BucketPolicy: "PutBucketPolicy", containment.PublicAccessBlock: "DeleteBucketPublicAccessBlock"}[o.ref.Type]
		if !w.managed(w.mole, w.now, call, map[string]string{"policyName": o.ref.Name}, nil) || w.put("the thief", "", o.ref, containment.Doc{Absent: true}) != nil {
			return false
		}
		w.removed = append(w.removed, w.writes[len(w.writes)-1])
		return true
	}
	return false
}

// getsKey has a key made for the user whose credential he had.
func (f *thefts) getsKey() bool {
	w, key := f.world, keyID("AKIA", f.world.Rand)
	mara := w.account.users["mara"]
	if f.who.UserName != "mara" || len(mara.Keys) > 1 || !w.managed(w.mole, w.now, "CreateAccessKey", map[string]string{"userName": "mara"}, map[string]any{"accessKey": map[string]string{"accessKeyId": key}}) {
		return false
	}
	w.account.AddUser("mara", nil, Key{ID: key, Status: containment.Active, Created: w.now})
	f.who.AccessKeyID = key
	return true
}

// isTagged has who he was protected from the next step.
func (f *thefts) isTagged() bool {
	w := f.world
	tag := map[string]string{"tags": `[{"key":"nightlatch:protect","value":"please"}]`}
	switch {
	case f.who.UserName == "mara":
		tag["userName"], w.account.users["mara"].Tags = "mara", map[string]string{protectTag: "please"}
		return w.managed(w.mole, w.now, "TagUser", tag, nil)
	case f.who.Type == "AssumedRole" && w.account.roles["etl"] != nil:
		tag["roleName"], w.account.roles["etl"].Tags = "etl", map[string]string{protectTag: "please"}
		return w.managed(w.mole, w.now, "TagRole", tag, nil)
	}
	return false
}

// --- what people do about it

// handle is what people do with their own hands about orders that a message is about: they run what it says. It reports whether it says how to
// take one back.
func (w *world) handle(m report.Message) (undoes bool) {
	of := inLines(m.Body, ofIncident)
	if len(w.steps) == 0 || of == nil {
		return false
	}
	id := of[0][1]
	for _, o := range w.stored[id].Outcomes {
		s := o.Step
		if s.Order == nil || !strings.Contains(m.Body, o.Target) {
			continue
		}
		undoes = undoes || o.Undo != ""
		switch {
		case o.State == containment.Asked && w.chance(w.plot.approve/3):
			w.after(w.between(time.Minute, 20*time.Minute), func() {
				if doc, err := w.account.get(s.Ref); err == nil && doc == s.Before {
					if err := w.obeys("a human", ordered{at: w.now, wish: wishOf(id, o), ref: s.Ref, order: *s.Order}, s.After); err != nil {
						w.tell("a human: %v", err)
					}
				}
			})
		case o.Undo != "" && w.chance(w.plot.undo/2):
			w.after(w.between(time.Minute, 20*time.Minute), func() {
				if doc, err := w.account.get(s.Ref); err == nil && doc == s.After {
					if err := w.onlySets("a human", "", s.Ref, s.Before, ruleRestore); err != nil {
						w.tell("a human: %v", err)
					}
				}
			})
		}
	}
	return undoes
}

// --- the rules

// thiefs reports whether a step is against a thief's credential.
func (w *world) thiefs(r incident.Record, o containment.Outcome) bool {
	if o.Step.Order == nil {
		return w.guilty[o.Target]
	}
	return o.AccessKeyID != "" && w.guilty[o.AccessKeyID] || o.AccessKeyID == "" && slices.ContainsFunc(r.Evidence.Actors, func(a evidence.Actor) bool {
		return o.Against(a) && w.guilty[cmp.Or(a.PrincipalID, a.AccountID)]
	})
}

// checkTwice checks whether an order is the second one against a credential that the first refuses already.
func (w *world) checkTwice(name string, r incident.Record, o containment.Outcome) {
	if doc, err := w.account.get(o.Step.Ref); err != nil || doc != o.Step.Before && doc != o.Step.After {
		w.breach(ruleUndo, "%s writes %s, which holds %+v, and the record says that it held %+v", name, o.Name(), doc, o.Step.Before)
	}
	for _, of := range w.ordered {
		if of.wish == wishOf(r.ID, o) && of.ref != o.Step.Ref && o.Action != policy.FenceOrigin && slices.ContainsFunc(w.writes, func(x write) bool { return x.ref == of.ref && x.incident == r.ID }) {
			w.breach(ruleOnce, "%s does %s for incident %s, which was done at %s", name, o.Name(), r.ID, of.at.Format(time.TimeOnly))
		}
	}
}

// cutSoon reports whether an approved order was done soon, or surely could not be.
func (w *world) cutSoon(y granted, soon func(time.Time) bool) bool {
	return w.failed[y.wish] || slices.ContainsFunc(w.ordered, func(o ordered) bool { return o.step == y.step && soon(o.at) })
}

// stood reports whether an order stands that is called done, or did when it was read: AWS may show what was taken away a while ago.
func (w *world) stood(o containment.Outcome) bool {
	doc, err := w.account.get(o.Step.Ref)
	return err == nil && doc == o.Step.After || slices.ContainsFunc(w.writes, func(x write) bool {
		return x.ref == o.Step.Ref && x.before == o.Step.After && x.at.After(w.now.Add(-w.weather.iam-inFlight))
	})
}

// checkCut checks whether a thief whom a deployment's own policy contains by an order was cut soon.
func (w *world) checkCut() {
	step := map[string]policy.Action{"user session": policy.DenyUserSessions, "role session": policy.DenyRoleSession, "role": policy.DenyRoleSession,
		"root": policy.BlockOnBucket, "anonymous": policy.BlockPublicAccess, "identity center": policy.BlockOnBucket}[cmp.Or(w.way, w.plot.kind)]
	late := w.firings[0].at.Add(soon)
	if !slices.Contains(w.steps, step) || len(w.failed) > 0 {
		return
	}
	if !slices.ContainsFunc(w.ordered, func(o ordered) bool { return o.order.Action == step && !o.at.After(late) }) {
		w.breach(ruleContained, "nobody was cut by %s within %v of the alarm", step, soon)
	}
}

// goesOn counts what a thief takes after he has done something against what was done. What he takes late in the night nobody need have seen.
func (w *world) goesOn(who identity, n int64) {
	if w.moves > 0 && who.AccessKeyID != "" && w.now.Before(dusk.Add(100*time.Minute)) {
		w.took[who.id()] += n
	}
}

// checkMoves checks whether it was told that the thief has taken away what was ordered: by the first follow-up that could see it.
func (w *world) checkMoves() {
	for _, who := range slices.Sorted(maps.Keys(w.took)) {
		if named := slices.ContainsFunc(w.sent, func(m sent) bool { return strings.Contains(m.Body, who) }); w.weather.clear && w.took[who] > 30*threshold && !named {
			w.breach(ruleMoves, "the thief went on with %s, and no message names it", who)
		}
	}
	for _, x := range w.removed {
		o := w.ordered[slices.IndexFunc(w.ordered, func(o ordered) bool { return o.ref == x.ref })]
		r, sees := w.stored[o.incident], x.at.Add(w.weather.iam+inFlight)
		i := slices.IndexFunc(r.Outcomes, func(of containment.Outcome) bool { return of.Step.Ref == x.ref })
		again := slices.ContainsFunc(w.writes, func(y write) bool { return y.ref == x.ref && y.at.After(x.at) })
		later := slices.ContainsFunc(r.FollowUps, func(f incident.FollowUp) bool { return f.At.After(sees) })
		if again || !later || i < 0 || r.MergedInto != "" || r.Outcomes[i].State == containment.Undone || !r.Outcomes[i].Tried() || w.escalated(r.ID, x.at) {
			continue
		}
		what := string(r.Outcomes[i].Action) + " " + r.Outcomes[i].Target
		unknown := slices.ContainsFunc(r.FollowUps, func(f incident.FollowUp) bool {
			return f.At.After(x.at) && slices.ContainsFunc(f.Unknown, func(s string) bool { return strings.Contains(s, what) })
		})
		if !unknown && !slices.ContainsFunc(w.messages(r.ID), func(m sent) bool {
			return m.at.After(x.at) && (strings.Contains(m.Body, what+" HOLDS NO MORE") || strings.Contains(m.Body, "DRIFTED") && strings.Contains(m.Body, what))
		}) {
			w.breach(ruleMoves, "%s of incident %s was taken away at %s, and nobody was told: %s", what, r.ID, x.at.Format(time.TimeOnly), r.Outcomes[i].State)
		}
	}
}

// forget takes out of an incident what was ordered for it.
func (w *world) forget(r *incident.Record) {
	var outcomes []containment.Outcome
	var verdicts []incident.Verdict
	for i, o := range r.Outcomes {
		if o.Step.Order == nil || !o.Contained() {
			outcomes, verdicts = append(outcomes, o), append(verdicts, r.Verdicts[i])
		}
	}
	if len(outcomes) < len(r.Outcomes) {
		r.Outcomes, r.Verdicts, r.JudgedOn = outcomes, verdicts, ""
	}
}

// ofOrders reports whether a planted bug shows only where something is ordered.
func (p plant) ofOrders() bool {
	return slices.Contains([]plant{wideDenial, boldMode, allEnabled, lostOrder, hollowAnswer, oldReading, deepUndo}, p)
}

// tallyOrders counts nights with orders, and what was done in them.
func (w *world) tallyOrders(all map[string]int) {
	if len(w.steps) == 0 {
		return
	}
	all["nights"]++
	all["counter-moves"] += w.moves
	all["taken away"] += len(w.removed)
	for _, o := range w.ordered {
		all[string(o.order.Action)]++
	}
}
