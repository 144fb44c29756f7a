package sandbox

// What a thief does in a simulated night once he is cut, and what people do by hand.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

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
	if arn := w.signIns[f.who.AccessKeyID]; arn != "" {
		w.signIns[spare.AccessKeyID] = arn
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
	case w.signIns[f.who.AccessKeyID] != "":
		if !w.signsIn(f.caller, next.AccessKeyID) {
			return false
		}
	case f.who.Type == "FederatedUser":
		if !w.mint(source, next, "GetFederationToken", federating(name)) {
			return false
		}
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

// moves goes on from another network, or through another endpoint.
func (f *thefts) moves() bool {
	network := fmt.Sprintf("198.51.%d.77", 101+f.world.IntN(100))
	if f.endpoint != "" {
		f.world.with(f.more, func() {
			if f.endpoint = ""; f.chance(0.5) {
				f.endpoint, network = endpointID(f.Rand), "10.0.4.77"
			}
		})
	}
	f.ip = always(network)
	return true
}

// takesAway removes something that was ordered, or puts another text in its place.
func (f *thefts) takesAway() bool {
	w := f.world
	for _, o := range slices.Backward(w.ordered) {
		doc, err := w.account.get(o.ref)
		if err != nil || doc != o.doc { // that is done
			continue
		}
		call := map[containment.RefType]string{
			containment.UserPolicy: "DeleteUserPolicy", containment.RolePolicy: "DeleteRolePolicy", containment.UserAttachment: "DetachUserPolicy",
			containment.BucketPolicy: "PutBucketPolicy", containment.PublicAccessBlock: "DeleteBucketPublicAccessBlock",
		}[o.ref.Type]
		edits := edited.Replace(doc.Text)
		if edits == doc.Text || w.more.Float64() < 0.5 {
			edits = ""
		} else {
			call = strings.Replace(call, "Delete", "Put", 1)
		}
		if !w.managed(w.mole, w.now, call, map[string]string{"policyName": o.ref.Name}, nil) {
			return false
		}
		switch next := (containment.Doc{Text: edits}); {
		case edits == "":
			if w.put("the thief", "", o.ref, containment.Doc{Absent: true}) != nil {
				return false
			}
		case o.ref.Type == containment.BucketPolicy:
			on := w.account.bucket(o.ref.Owner)
			on.policy.Text = strings.Replace(on.policy.Text, doc.Text, edits, 1)
			w.changed("the thief", "", o.ref, doc, next)
		default:
			w.account.put(o.ref, next)
			w.changed("the thief", "", o.ref, doc, next)
		}
		w.removed = append(w.removed, w.writes[len(w.writes)-1])
		return true
	}
	return false
}

// edited makes of what stands against a thief what does not.
var edited = strings.NewReplacer(`"Deny"`, `"Allow"`, `"RestrictPublicBuckets":true`, `"RestrictPublicBuckets":false`)

// getsKey has a key made for the user whose credential he had.
func (f *thefts) getsKey() bool {
	w, key := f.world, keyID("AKIA", f.world.Rand)
	gave := map[string]any{"accessKey": map[string]string{"accessKeyId": key}}
	if f.who.UserName != "mara" || len(w.account.users["mara"].Keys) > 1 || !w.managed(w.mole, w.now, "CreateAccessKey", map[string]string{"userName": "mara"}, gave) {
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

// handle is what people do with their own hands about orders that a message is about: they run what it says. It reports whether it says how to
// take one back.
func (w *world) handle(m report.Message) (undoes bool) {
	of := inLines(m.Body, ofIncident)
	if len(w.steps) == 0 || of == nil {
		return false
	}
	w.with(w.more, func() { w.endsSignIns(m) })
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

// denySignIn is what a human does about a sign-in, and no order does.
const denySignIn policy.Action = "deny-sign-in"

// signInLines are what a message has a human run about a sign-in: to revoke it, and to deny what it gave out.
var signInLines = regexp.MustCompile(`aws (?:signin batch-revoke-sessions --session-arns (\S+) |` +
	`iam put-user-policy --user-name (\S+) --policy-name (\S+) --policy-document '(.*"aws:SignInSessionArn":"([^"]+)".*)')`)

// endsSignIns is what people do with their own hands about the sign-ins of a message.
func (w *world) endsSignIns(m report.Message) {
	if len(w.signIns) == 0 {
		return
	}
	for _, says := range signInLines.FindAllStringSubmatch(m.Body, -1) {
		if !w.chance(w.plot.approve / 2) {
			continue
		}
		w.after(w.between(time.Minute, 20*time.Minute), func() {
			if revoked := says[1]; revoked != "" {
				w.revoked[revoked] = true
				w.tell("a human revokes %s", revoked)
				return
			}
			o := ordered{at: w.now, wish: wish{step: string(denySignIn), against: says[5]}, ref: containment.Ref{Type: containment.UserPolicy, Owner: says[2], Name: says[3]},
				order: containment.Order{Action: denySignIn, User: says[2]}}
			if doc, err := w.account.get(o.ref); err == nil && doc.Absent {
				if err := w.obeys("a human", o, containment.Doc{Text: containment.Canonical(says[4])}); err != nil {
					w.tell("a human: %v", err)
				}
			}
		})
	}
}
