package sandbox

// Orders in a simulated night: steps that the deployment enables beside the deactivation of a key, and thieves with other credentials than a key.
// The cutter and whom it refuses are in sim_cutter_test.go, what thieves do once they are cut in sim_counter_test.go, the rules in
// sim_order_rules_test.go. All of this has dice of its own, so that a night without orders goes as it would without these files.

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

// ordering is what is true of it.
type ordering struct {
	dice    *rand.Rand
	more    *rand.Rand      // for what came later, so that a night in which nothing of it happens goes as it did
	steps   []policy.Action // that the deployment enables; none in most nights
	own     *policy.Policy  // the deployment's own; nil is the shipped one
	way     string          // how the thief takes; "" is as the plot has it
	mole    caller          // of the thief's: it takes nothing, and may change policies and users
	honest  map[string]bool // credentials of neighbours: what they make is theirs
	issued  map[string]time.Time
	signIns map[string]string // the session of the sign-in that gave a credential
	revoked map[string]bool   // sign-ins that a human has revoked
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
	doc   containment.Doc
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
	w.signIns, w.revoked = map[string]string{}, map[string]bool{}
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

// judges is the policy that the responder is told of.
func (w *world) judges() *policy.Policy {
	if w.own == nil || w.plant == lostPolicy {
		return shippedPolicy()
	}
	return w.own
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
		size, most := 100, containment.MaxUserPolicies
		if ref.Type == containment.RolePolicy {
			most = containment.MaxRolePolicies
		}
		if w.chance(0.15) { // there is no room for another
			size = most - 100
		}
		w.account.put(ref, containment.Doc{Text: `{"Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::` + strings.Repeat("x", size-80) + `"}]}`})
	}
	for _, b := range buckets {
		if w.chance(0.5) {
			w.account.bucket(b).policy = containment.Doc{Text: `{"Version":"2012-10-17","Statement":[{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*",` +
				`"Resource":"arn:aws:s3:::` + b + `/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`}
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
	w.with(w.more, func() { w.vary(f) })
	begins := func(who identity, made func()) {
		f.who = who
		w.at(w.plot.begins.Add(-w.between(time.Second, 3*time.Minute)), made)
	}
	mint := func(who identity, call string, parameters map[string]string) {
		begins(who, func() { w.mint(stolen, who, call, parameters) })
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
	case "federated user":
		mint(federatedUser(w.Rand, stolen.who, "partner"), "GetFederationToken", federating("partner"))
	case "console", "aws login":
		who := stolen.who
		if who.AccessKeyID = keyID("ASIA", w.Rand); w.way == "console" {
			who.InvokedBy = "signin.amazonaws.com"
		}
		begins(who, func() { w.signsIn(stolen, who.AccessKeyID) })
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

// vary has a thief take in another way, or through a VPC endpoint of his own.
func (w *world) vary(f *thefts) {
	if w.chance(0.4) {
		w.way = []string{"federated user", "console", "aws login", "key in use"}[w.IntN(4)]
	}
	if w.chance(map[bool]float64{true: 0.5, false: 0.2}[w.way == "key in use"]) {
		f.endpoint, f.caller.account, f.ip = endpointID(w.Rand), "444455556666", always("10.0.3.77")
	}
}

func endpointID(rng *rand.Rand) string { return fmt.Sprintf("vpce-%016x", rng.Uint64()) }

// federatedUser is a session that a user gives to somebody by a name.
func federatedUser(rng *rand.Rand, of identity, name string) identity {
	return identity{Type: "FederatedUser", PrincipalID: accountID + ":" + name, ARN: "arn:aws:sts::" + accountID + ":federated-user/" + name, AccountID: accountID,
		AccessKeyID: keyID("ASIA", rng), SessionContext: &session{SessionIssuer: map[string]string{"type": "IAMUser", "principalId": of.PrincipalID, "arn": of.ARN,
			"accountId": accountID, "userName": of.UserName}}}
}

func federating(name string) map[string]string { return map[string]string{"name": name} }

// signsIn has a thief sign in as his victim, to the console or by `aws login`. The latter gives out credentials until a human has revoked it. No record
// shows a credential that a sign-in gives.
func (w *world) signsIn(as caller, key string) bool {
	arn := cmp.Or(w.signIns[as.who.AccessKeyID], "arn:aws:signin:us-east-1:"+accountID+":session/"+key)
	as.who.AccessKeyID, as.who.InvokedBy = "", ""
	r := as.elsewhere(w.Rand, w.now, "signin.amazonaws.com", "ConsoleLogin")
	r.AWSRegion, r.ReadOnly, r.ResponseElements, r.AdditionalData = "us-east-1", false, map[string]any{"ConsoleLogin": "Success"}, map[string]any{"MFAUsed": "No"}
	if w.way == "aws login" {
		r.EventName, r.ResponseElements, r.AdditionalData = "CreateOAuth2Token", nil, map[string]any{"signInSessionArn": arn}
	}
	if w.revoked[arn] {
		return false
	}
	w.record(r)
	w.tell("the thief signs in by %s, and is given %s", r.EventName, key)
	w.guilty[key], w.issued[key], w.signIns[key] = true, w.now.Truncate(time.Second), arn
	return true
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
		session, call, parameters := other, "GetSessionToken", map[string]string(nil)
		session.who.AccessKeyID = keyID("ASIA", w.Rand)
		if w.way == "federated user" {
			session.who, call, parameters = federatedUser(w.Rand, other.who, "broker"), "GetFederationToken", federating("broker")
		}
		if w.mint(other, session.who, call, parameters) {
			w.after(w.between(time.Second, 5*time.Minute), func() { w.read(session, "GetObject", w.bucket(), w.size(200<<10), false) })
		}
	})
}

// mint has somebody make a session with a credential. What is not made by an honest one is a thief's.
func (w *world) mint(by caller, who identity, call string, parameters map[string]string) bool {
	gave := map[string]any{"credentials": map[string]string{"accessKeyId": who.AccessKeyID}}
	switch who.Type {
	case "AssumedRole":
		gave["assumedRoleUser"] = map[string]string{"assumedRoleId": who.PrincipalID}
	case "FederatedUser":
		gave["federatedUser"] = map[string]string{"federatedUserId": who.PrincipalID, "arn": who.ARN}
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
