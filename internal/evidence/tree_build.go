package evidence

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
)

// growing is a node while a tree is built.
type growing struct {
	Node
	id, parent string
	first      time.Time
	asked      bool // it is of those that the search is about
}

// builder puts makings together.
type builder struct {
	ours    actor.Ours
	makings []Making
	givenBy map[string]int    // the making that gave a key out, by the key
	unknown map[string]string // the nodes of keys of which nobody is seen to have given them out
	nodes   map[string]*growing
	order   []string
}

// tree puts together what is known of the actors' credentials.
func tree(actors []Actor, makings []Making, ours actor.Ours) (nodes []Node, more int64) {
	b := builder{ours: ours, makings: makings, givenBy: map[string]int{}, unknown: map[string]string{}, nodes: map[string]*growing{}}
	for i, m := range makings {
		if _, known := b.givenBy[m.Gave]; m.Gave != "" && !known {
			b.givenBy[m.Gave] = i
		}
	}
	for _, a := range actors {
		n := b.credential(a.AccessKeyID, a.PrincipalID, 0)
		n.asked, n.Took = true, len(a.Calls) > 0
		n.addKey(a.AccessKeyID)
		n.AccountID, n.UserName, n.RoleName, n.Session = cmp.Or(n.AccountID, a.AccountID), cmp.Or(n.UserName, a.UserName), cmp.Or(n.RoleName, a.RoleName), cmp.Or(n.Session, a.Session)
		n.used(a.FirstSeen)
	}
	for _, m := range slices.SortedStableFunc(slices.Values(makings), func(x, y Making) int { return x.At.Compare(y.At) }) {
		if !slices.Contains(signIns, m.Call) {
			b.add(m)
		}
	}
	b.signedIn()
	return b.list()
}

// node is the one of an id, made where it is not there yet.
func (b *builder) node(id string, kind NodeKind) *growing {
	n := b.nodes[id]
	if n == nil {
		n = &growing{Node: Node{Kind: kind, Parent: -1}, id: id}
		b.nodes[id], b.order = n, append(b.order, id)
	}
	return n
}

func (n *growing) addKey(key string) {
	switch {
	case key == "" || slices.Contains(n.Keys, key):
	case len(n.Keys) == maxKeys:
		n.KeysMore++
	default:
		n.Keys = append(n.Keys, key)
	}
}

// used notes that it was there at a time.
func (n *growing) used(at time.Time) {
	if !at.IsZero() && (n.first.IsZero() || at.Before(n.first)) {
		n.first = at
	}
}

// isSession reports whether a principal's id is that of a session of a role or of a federated user, all keys of which are one session.
func isSession(principalID string) bool { return strings.Contains(principalID, ":") }

// credential is the node of a key. deep bounds what keys of one session have given each other.
func (b *builder) credential(key, principalID string, deep int) *growing {
	if strings.HasPrefix(key, "AKIA") {
		n := b.node("key "+key, KeyNode)
		n.addKey(key)
		return n
	}
	if i, known := b.givenBy[key]; known && deep <= len(b.makings) {
		m := b.makings[i]
		if m.Call == scoped {
			return b.credential(m.By.AccessKeyID, m.By.PrincipalID, deep+1)
		}
		return b.node(sessionID(m), SessionNode)
	}
	if id, known := b.unknown[key]; known {
		return b.nodes[id]
	}
	id := "session " + key
	if isSession(principalID) { // whose maker is not known; where only one has made a session of that name, it is that
		id = "session " + principalID
		var made []string
		for _, m := range b.makings {
			if m.Given == principalID && makes[m.Call] == SessionNode && m.Call != scoped && !slices.Contains(made, sessionID(m)) {
				made = append(made, sessionID(m))
			}
		}
		if len(made) == 1 {
			id = made[0]
		}
	}
	n := b.node(id, SessionNode)
	n.addKey(key)
	b.unknown[key] = id
	n.PrincipalID = cmp.Or(n.PrincipalID, principalID)
	return n
}

// sessionID tells sessions apart: by principal id and whoever has made them. Neighbours who chose one name for their sessions stay apart.
func sessionID(m Making) string {
	switch {
	case m.Given == "" && m.Role != "" && m.Session != "":
		return "session " + m.Role + ":" + m.Session + " < " + callerID(m.By)
	case m.Given == "":
		return "session " + cmp.Or(m.Gave, m.Role+" "+callerID(m.By))
	}
	return "session " + m.Given + " < " + callerID(m.By)
}

// session is the name of the session that a call gave out.
func session(m Making) string {
	_, name, _ := strings.Cut(m.Given, ":")
	return cmp.Or(name, m.Session)
}

func callerID(by actor.Identity) string {
	if strings.HasPrefix(by.AccessKeyID, "ASIA") && isSession(by.PrincipalID) {
		return by.PrincipalID
	}
	return cmp.Or(by.AccessKeyID, by.Type+" "+by.InvokedBy+" "+cmp.Or(by.PrincipalID, by.ARN, by.UserName))
}

// add puts a making in: what it has made, under whoever has made it.
func (b *builder) add(m Making) {
	parent := b.caller(m)
	parent.used(m.At)
	kind := makes[m.Call]
	var n *growing
	switch {
	case m.Call == scoped:
		n = parent
	case kind == SessionNode:
		n = b.node(sessionID(m), kind)
		b.describeSession(n, m)
	case kind == KeyNode && m.Gave != "":
		n = b.node("key "+m.Gave, kind)
		n.UserName = cmp.Or(m.User, b.user(m.By))
	default:
		n = b.node(string(kind)+" "+strings.Join([]string{m.Call, m.User, m.OfRole, m.What, callerID(m.By)}, "|"), kind)
		n.UserName, n.RoleName, n.What = m.User, m.OfRole, m.What
		if n.UserName == "" && n.RoleName == "" && (kind == PasswordNode || kind == ServiceKeyNode) {
			n.UserName = b.user(m.By)
		}
	}
	n.addKey(m.Gave)
	n.used(m.At)
	if n.AccountID == "" {
		n.AccountID = m.By.AccountID
	}
	if m.Until.After(n.Until) {
		n.Until = m.Until
	}
	if n != parent && n.parent == "" && n.id != parent.id {
		n.parent = parent.id
	}
	if len(n.Made) == maxMade {
		n.MadeMore++
		return
	}
	n.Made = append(n.Made, made(m))
}

func made(m Making) Made {
	return Made{EventID: m.EventID, At: m.At, Call: m.Call, AccessKeyID: m.By.AccessKeyID, From: m.From, Gave: m.Gave,
		Caller: cmp.Or(m.By.ARN, m.By.InvokedBy, m.By.UserName, m.By.PrincipalID, m.By.Type)}
}

func (b *builder) user(by actor.Identity) string { return actor.Of(by, b.ours).UserName }

func (b *builder) describeSession(n *growing, m Making) {
	n.PrincipalID = cmp.Or(n.PrincipalID, m.Given)
	n.Session = cmp.Or(n.Session, session(m))
	switch {
	case m.Role != "":
		n.RoleName = m.Role[strings.LastIndex(m.Role, "/")+1:]
	case m.Call == "GetSessionToken" || m.Call == "GetFederationToken": // any other gives a session of somebody else
		n.UserName = cmp.Or(n.UserName, b.user(m.By))
	}
	if m.Call == "GetSessionToken" {
		n.PrincipalID = m.By.PrincipalID
	}
}

// pods is what gives pods of EKS their credentials: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
const pods = "pods.eks.amazonaws.com"

// caller is the node of whoever made a call.
func (b *builder) caller(m Making) *growing {
	by := m.By
	c := actor.Of(by, b.ours)
	if strings.HasPrefix(by.AccessKeyID, "AKIA") || strings.HasPrefix(by.AccessKeyID, "ASIA") {
		n := b.credential(by.AccessKeyID, by.PrincipalID, 0)
		n.AccountID, n.UserName, n.RoleName, n.Session = cmp.Or(n.AccountID, by.AccountID), cmp.Or(n.UserName, c.UserName), cmp.Or(n.RoleName, c.RoleName), cmp.Or(n.Session, c.Session)
		return n
	}
	var n *growing
	switch {
	case by.Type == "AWSService" && by.InvokedBy == "ec2.amazonaws.com":
		n = b.node("instance "+session(m), InstanceNode)
		n.What, n.Session = by.InvokedBy, session(m)
	case by.Type == "AWSService" && by.InvokedBy == pods:
		n = b.node("pod "+session(m), PodNode)
		n.What, n.Session = by.InvokedBy, session(m)
	case by.Type == "AWSService":
		n = b.node("service "+by.InvokedBy, ServiceNode)
		n.What = by.InvokedBy
	case by.Type == "SAMLUser" || by.Type == "WebIdentityUser" || by.Type == "IdentityCenterUser":
		kind := ProviderNode
		switch {
		case by.Type == "IdentityCenterUser" || strings.Contains(m.Role, "/"+actor.SSORole):
			kind = PersonNode
		case strings.Contains(m.Provider+by.Provider+by.PrincipalID, "oidc.eks."):
			kind = PodNode
		}
		n = b.node(string(kind)+" "+callerID(by), kind)
		n.UserName, n.What = cmp.Or(by.UserName, by.OnBehalfOf, by.PrincipalID), cmp.Or(m.Provider, by.Provider)
	case by.InvokedBy == "signin.amazonaws.com" && (by.Type == "IAMUser" || by.Type == "Root"):
		n = b.node("sign-in "+callerID(by), SignInNode)
		n.UserName = cmp.Or(c.UserName, strings.ToLower(by.Type))
	case c.Kind == actor.OtherAccount:
		n = b.node("account "+callerID(by), AccountNode)
	default:
		n = b.node("unnamed "+callerID(by), UnnamedNode)
		n.UserName, n.RoleName, n.Session = c.UserName, c.RoleName, c.Session
	}
	n.PrincipalID, n.AccountID = cmp.Or(by.PrincipalID, n.PrincipalID), by.AccountID
	return n
}

// signedIn puts sessions whose maker is not known under the last sign-in of their principal before they were used.
func (b *builder) signedIn() {
	for _, id := range slices.Clone(b.order) {
		n := b.nodes[id]
		if n.Kind != SessionNode || n.parent != "" || n.PrincipalID == "" {
			continue
		}
		var in *Making
		for i, m := range b.makings {
			if slices.Contains(signIns, m.Call) && m.By.PrincipalID == n.PrincipalID && !m.At.After(n.first) && (in == nil || m.At.After(in.At)) {
				in = &b.makings[i]
			}
		}
		if in == nil {
			continue
		}
		from := b.node("sign-in "+in.EventID, SignInNode)
		c := actor.Of(in.By, b.ours)
		from.PrincipalID, from.AccountID, from.SignIn = in.By.PrincipalID, in.By.AccountID, in.SignIn
		from.UserName, from.RoleName, from.Session = cmp.Or(c.UserName, in.By.UserName), c.RoleName, c.Session
		if from.used(in.At); len(from.Made) == 0 {
			from.Made = []Made{made(*in)}
		}
		n.parent, n.Likely = from.id, true
	}
}
