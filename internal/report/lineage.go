package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// maxLineage is how many nodes of a lineage the text has, and maxDeep how deep they are indented.
const maxLineage, maxDeep = 16, 6

// lineage draws where the credentials come from, and what was made with them: each under what it was made with, with the record that shows it.
func lineage(b *writer, r incident.Record) {
	t := r.Lineage
	if t == nil || len(t.Nodes) == 0 {
		return
	}
	fmt.Fprintln(b)
	b.lines("LINEAGE: where the credentials come from, and what was made with them", 0)
	shown := shownOf(t.Nodes)
	for _, v := range viewsOf(t.Nodes, shown) {
		indented(b, v.Deep, v.Says)
		for _, by := range v.Made {
			indented(b, v.Deep+1, by)
		}
	}
	for _, line := range beyond(*t, shown) {
		b.lines(line, 0)
	}
	leftOpen(b, r, shown)
}

// beyond says what a lineage does not show.
func beyond(t evidence.Tree, shown []bool) (lines []string) {
	if len(t.Nodes) == 1 && t.Nodes[0].Kind == evidence.KeyNode {
		lines = append(lines, "The trail shows nothing that was made with it, "+prose.Window(t.From, t.To)+".")
	}
	if more := t.More + int64(len(t.Nodes)-min(len(t.Nodes), count(shown))); more > 0 {
		lines = append(lines, fmt.Sprintf("And %d more, of which the incident's JSON has the first ones.", more))
	}
	if t.NotFollowed > 0 {
		lines = append(lines, "NOT FOLLOWED: "+prose.Plural(int64(t.NotFollowed), "credential")+", because so many questions are asked at most.")
	}
	return lines
}

// nodeView is a node as it is shown: how deep, what it is, and by which records.
type nodeView struct {
	Deep int
	Took bool
	Says string
	Made []string
}

// viewsOf are the nodes that are shown.
func viewsOf(nodes []evidence.Node, shown []bool) (views []nodeView) {
	deep := make([]int, len(nodes))
	for i, n := range nodes {
		if n.Parent >= 0 && n.Parent < i {
			deep[i] = deep[n.Parent] + 1
		}
		if !shown[i] {
			continue
		}
		v := nodeView{Deep: min(deep[i], maxDeep), Took: n.Took, Says: prose.Capital(node(n))}
		for _, m := range n.Made {
			v.Made = append(v.Made, "by "+made(m))
		}
		if n.MadeMore > 0 {
			v.Made = append(v.Made, fmt.Sprintf("and by %d more calls", n.MadeMore))
		}
		views = append(views, v)
	}
	return views
}

// leftOpen says what of the lineage is not known, and what is left of what was made, with the lines that cut it.
func leftOpen(b *writer, r incident.Record, shown []bool) {
	t := r.Lineage
	if t.Unknown != "" {
		field(b, "NOT KNOWN", "the rest of it: "+prose.Safe(t.Unknown))
	}
	var open []string
	for i, n := range t.Nodes {
		if line := remains(n); shown[i] && n.Parent >= 0 && line != "" && !slices.Contains(open, line) {
			open = append(open, line)
			field(b, "Still open", line)
		}
	}
	for i, n := range t.Nodes {
		if shown[i] && (n.Parent >= 0 || madeTheTaker(t.Nodes, i)) {
			cutMade(b, r, n)
		}
	}
}

// madeTheTaker reports whether a long-term key made one that took the bytes: its owner may have, long before, or the thief, who still has it.
func madeTheTaker(nodes []evidence.Node, i int) bool {
	return nodes[i].Kind == evidence.KeyNode && slices.ContainsFunc(nodes, func(n evidence.Node) bool {
		return n.Kind == evidence.KeyNode && n.Took && n.Parent == i
	})
}

// cutMade are the lines that cut what was made, where it can be cut and that is no step of its own. Of a key that is none it is not shown that the
// thief made it.
func cutMade(b *writer, r incident.Record, n evidence.Node) {
	step := func(o containment.Outcome) bool {
		return o.Action == policy.DeactivateKey && o.State != containment.Skipped && slices.Contains(n.Keys, o.Target)
	}
	line := containment.CutMade(n)
	if line == "" || slices.ContainsFunc(r.Outcomes, step) {
		return
	}
	if n.Kind == evidence.KeyNode {
		why := "its owner may have made it, before the theft, or too many were made for a step each"
		if n.Parent < 0 {
			why = "it made the key that took the bytes, for which its owner may have had a reason"
		}
		if _, ok := r.Lineage.MadeKey(n.Keys[0]); ok {
			why = "the account was not seen to know it as that user's, created then"
		}
		field(b, "No step", "turning off key "+prose.Safe(n.Keys[0])+" of "+whose(n)+": "+why+". See whose it is, and then:")
	}
	raw(b, "Run", line)
}

// indented writes a text under what it belongs to.
func indented(b *writer, deep int, text string) {
	b.WriteString(strings.Repeat("  ", deep))
	b.lines(text, 2*deep+2)
}

// shownOf are the nodes that the text has: those that took the bytes with all that they come from, and then the first ones.
func shownOf(nodes []evidence.Node) []bool {
	shown := make([]bool, len(nodes))
	show := func(i int) {
		for ; i >= 0 && i < len(nodes) && !shown[i]; i = nodes[i].Parent {
			shown[i] = true
		}
	}
	for _, took := range []bool{true, false} {
		for i, n := range nodes {
			if n.Took == took && count(shown) < maxLineage {
				show(i)
			}
		}
	}
	return shown
}

func count(shown []bool) (n int) {
	for _, is := range shown {
		if is {
			n++
		}
	}
	return n
}

// madeKey says by which record a key was made, and why that is the thief's or may be.
func madeKey(m evidence.MadeKey) string {
	if m.There {
		return made(m.Made) + ": that is where the bytes went"
	}
	return made(m.Made) + ": since the theft was first seen, and from elsewhere, so that it may be the owner's"
}

// made is the record that shows how something was made.
func made(m evidence.Made) string {
	text := prose.Safe(m.Call) + " at " + m.At.UTC().Format(time.DateTime)
	if m.AccessKeyID != "" {
		text += " with " + prose.Safe(m.AccessKeyID)
	} else {
		text += " by " + name(m.Caller)
	}
	if m.From != "" && m.From != m.Caller {
		text += " from " + prose.Safe(m.From)
	}
	return text + ", event " + name(m.EventID)
}

// minting says which session a key minted, by how many steps, and which record shows it.
func minting(m evidence.Minting) string {
	text := "the session " + prose.Safe(m.Session) + " that took the bytes"
	if n := len(m.Made); n > 1 {
		text += ", by way of " + prose.Plural(int64(n-1), "other session")
	}
	return text + ": " + made(m.Made[len(m.Made)-1])
}

// Made names what was made, with the record that shows it.
func Made(n evidence.Node) string {
	text := what(n)
	if len(n.Made) > 0 {
		text += ", by " + made(n.Made[0])
	}
	return text
}

// node names what stands at a place of a lineage.
func node(n evidence.Node) string {
	text := what(n)
	if n.Took {
		text += " TOOK THE BYTES"
	}
	if !n.Until.IsZero() && n.Kind == evidence.SessionNode {
		text += ", ends " + n.Until.UTC().Format(time.DateTime)
	}
	switch {
	case n.NotFound:
		text += "; who was given it is NOT FOUND IN THE TRAIL"
	case n.Likely:
		text += "; no record names its key, and this is the last sign-in before it"
	}
	return text
}

// what is a node by its kind and its names.
func what(n evidence.Node) string {
	keys := ""
	if len(n.Keys) > 0 {
		keys = " (" + prose.List(n.Keys)
		if n.KeysMore > 0 {
			keys += fmt.Sprintf(", and %d more keys", n.KeysMore)
		}
		keys += ")"
	}
	switch n.Kind {
	case evidence.KeyNode:
		return "long-term access key" + keys + " of " + whose(n)
	case evidence.SessionNode:
		text := "session" + keys + " of " + whose(n)
		if n.Session != "" {
			text = "session " + prose.Safe(n.Session) + keys + " of " + whose(n)
		}
		return text
	case evidence.SignInNode:
		if n.SignIn != "" {
			return "sign-in of " + whose(n) + ", session " + prose.Safe(n.SignIn)
		}
		return "sign-in of " + whose(n)
	case evidence.PersonNode:
		return name(n.UserName, n.PrincipalID) + ", signed in by IAM Identity Center"
	case evidence.ProviderNode:
		return name(n.UserName, n.PrincipalID) + ", for whom identity provider " + name(n.What) + " vouches"
	case evidence.InstanceNode:
		return "EC2 instance " + name(n.Session)
	case evidence.PodNode:
		return "pod " + name(n.UserName, n.Session)
	case evidence.ServiceNode:
		return "the AWS service " + name(n.What)
	case evidence.AccountNode:
		return "principal " + name(n.PrincipalID) + " of account " + name(n.AccountID) + ", which is not known here"
	case evidence.UserNode:
		return "IAM user " + name(n.UserName)
	case evidence.PasswordNode:
		return "console password of " + whose(n)
	case evidence.PolicyNode:
		return "policy " + name(n.What) + " for " + whose(n)
	case evidence.TrustNode:
		return "trust of role " + name(n.RoleName)
	case evidence.FederationNode:
		return "identity provider " + name(n.What)
	case evidence.TokenNode:
		return "bearer token"
	case evidence.ServiceKeyNode:
		return "service-specific credential " + name(n.What) + " of " + whose(n)
	}
	return "a caller whose credential the record does not show: " + name(n.UserName, n.RoleName, n.PrincipalID)
}

// whose is whose something is.
func whose(n evidence.Node) string {
	switch {
	case n.RoleName != "":
		return "role " + prose.Safe(n.RoleName)
	case n.UserName != "":
		return "IAM user " + prose.Safe(n.UserName)
	}
	return name(n.PrincipalID, n.AccountID)
}

// remains is what is left of something that was made, once the credential is cut that made it; "" where the lineage itself says it.
func remains(n evidence.Node) string {
	switch n.Kind {
	case evidence.SessionNode:
		return "sessions outlive the credential that made them; a step on that credential does not cut them"
	case evidence.SignInNode:
		return "a sign-in can last for up to 90 days, whatever is done to the credential that made it"
	case evidence.PasswordNode:
		return "a console password outlives every key: delete it, or set another"
	case evidence.TrustNode, evidence.FederationNode:
		return "whom a role or a provider trusts outlives every key: see whom the call let in"
	case evidence.ServiceKeyNode:
		return "a service-specific credential works without an access key, until it is deleted (aws iam list-service-specific-credentials)"
	case evidence.TokenNode:
		call := ""
		if len(n.Made) > 0 {
			call = n.Made[0].Call
		}
		return cmp.Or(map[string]string{
			"CreateBearerToken":   "a bearer token cannot be cut; it ends by itself, after 12 hours at most",
			"GetWebIdentityToken": "a web identity token is for services outside AWS: nothing here can cut it, so look there",
		}[call], "an OAuth token cannot be cut, and ends within an hour; its refresh token can be revoked (aws signin revoke-oauth2-token-with-iam)")
	}
	return ""
}
