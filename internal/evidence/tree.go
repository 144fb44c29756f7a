package evidence

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// NodeKind is what stands at a place of a lineage. The names are part of every JSON output.
type NodeKind string

// The kinds. The first ones are where a lineage can begin.
const (
	KeyNode        NodeKind = "long-term-key"
	SignInNode     NodeKind = "sign-in"
	PersonNode     NodeKind = "person"   // of IAM Identity Center
	ProviderNode   NodeKind = "provider" // somebody for whom an identity provider outside AWS has vouched
	InstanceNode   NodeKind = "instance"
	PodNode        NodeKind = "pod"
	ServiceNode    NodeKind = "service"
	AccountNode    NodeKind = "account" // a principal of an account that is not ours
	UnnamedNode    NodeKind = "unnamed" // a caller whose record shows no credential
	SessionNode    NodeKind = "session"
	UserNode       NodeKind = "user"
	PasswordNode   NodeKind = "login-profile"
	PolicyNode     NodeKind = "policy"
	TrustNode      NodeKind = "trust"
	FederationNode NodeKind = "federation"
	TokenNode      NodeKind = "bearer-token"
	ServiceKeyNode NodeKind = "service-key"
)

// Tree is the lineage of credentials: where each comes from, and what was made with it and with those that it comes from.
type Tree struct {
	// Nodes stand before what was made with them.
	Nodes []Node `json:"nodes"`
	// Minted are the sessions that come from a long-term key, each edge a record that nothing contradicts.
	Minted []Minting `json:"minted,omitempty"`
	// Made are the long-term keys that were made with the credentials, as far as they are the thief's or may be.
	Made []MadeKey `json:"made_keys,omitempty"`
	// More counts the calls and nodes that are not listed, and NotFollowed the credentials that were not asked about.
	More        int64 `json:"more,omitempty"`
	NotFollowed int   `json:"not_followed,omitempty"`
	// Unknown is why the trail did not answer; what it had answered by then stands.
	Unknown string `json:"unknown,omitempty"`
	// From and To are the time that was asked about.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Node is a credential, whoever was behind it at the beginning, or something that was made with one. A session is one node, whatever keys it has.
type Node struct {
	Kind NodeKind `json:"kind"`
	// Parent is the place in the list of what it was made with; -1 where nothing is known to have made it.
	Parent int `json:"parent"`
	// NotFound: it was made with something, and the trail does not show with what.
	NotFound bool `json:"not_found_in_the_trail,omitempty"`
	// Likely: no record names it with its parent, which is the last sign-in of its principal before it was used.
	Likely bool `json:"likely,omitempty"`
	// Took: it moved the bytes that the incident is about.
	Took bool `json:"took,omitempty"`
	// Keys are the access key ids of a credential; KeysMore counts those that are not listed.
	Keys     []string `json:"access_key_ids,omitempty"`
	KeysMore int      `json:"access_key_ids_more,omitempty"`
	// PrincipalID is a session's: the value of aws:userid.
	PrincipalID string `json:"principal_id,omitempty"`
	AccountID   string `json:"account_id,omitempty"`
	// UserName and RoleName are whose it is. Of a policy RoleName may be a group's.
	UserName string `json:"user_name,omitempty"`
	RoleName string `json:"role_name,omitempty"`
	Session  string `json:"session,omitempty"`
	// What is a policy, a provider, a service or a service-specific credential, by its name or ARN.
	What string `json:"what,omitempty"`
	// SignIn is the ARN of the session of a sign-in, by which it can be denied.
	SignIn string `json:"sign_in_session_arn,omitempty"`
	// Until is when the last of its keys ends, as far as the trail shows.
	Until time.Time `json:"until,omitzero"`
	// Made are the calls that made it, the first ones; MadeMore counts the others.
	Made     []Made `json:"made_by,omitempty"`
	MadeMore int    `json:"made_by_more,omitempty"`
}

// Made is the evidence for one edge: a record of the trail.
type Made struct {
	EventID string    `json:"event_id"`
	At      time.Time `json:"at"`
	Call    string    `json:"call"`
	// AccessKeyID is the key that the call was made with, and Caller the ARN, or what else the record has of its caller.
	AccessKeyID string `json:"access_key_id,omitempty"`
	Caller      string `json:"caller,omitempty"`
	From        string `json:"from,omitempty"`
	// Gave is the key that the call gave out.
	Gave string `json:"gave,omitempty"`
}

// Limits on what is kept of a lineage.
const (
	maxNodes = 30
	maxKeys  = 5
	maxMade  = 3
)

// Holds reports whether a key is one of those of which the lineage is.
func (t *Tree) Holds(key string) bool {
	return t != nil && slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.Took && slices.Contains(n.Keys, key) })
}

// Broken reports whether the trail did not show where one of the sessions comes from, which may be because it is minutes behind.
func (t *Tree) Broken() bool {
	return t != nil && (t.Unknown != "" || slices.ContainsFunc(t.Nodes, func(n Node) bool { return n.NotFound }))
}

// MadeWith are the nodes that were made with a key, or with what was made with it.
func (t *Tree) MadeWith(key string) (made []Node) {
	if t == nil {
		return nil
	}
	under := make([]bool, len(t.Nodes))
	for i, n := range t.Nodes {
		if n.Parent >= 0 && n.Parent < i && (under[n.Parent] || slices.Contains(t.Nodes[n.Parent].Keys, key)) {
			under[i], made = true, append(made, n)
		}
	}
	return made
}

// Above are the nodes that the credential with a key comes from, the nearest first.
func (t *Tree) Above(key string) (nodes []Node) {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Nodes, func(n Node) bool { return key != "" && slices.Contains(n.Keys, key) })
	for i >= 0 && len(nodes) < len(t.Nodes) { // a record that was read back may name any parent
		if i = t.Nodes[i].Parent; i < 0 || i >= len(t.Nodes) {
			break
		}
		nodes = append(nodes, t.Nodes[i])
	}
	return nodes
}

// Name tells a node from the others of a lineage, also of one that was drawn later.
func (n Node) Name() string {
	id := cmp.Or(n.PrincipalID, strings.Join(n.Keys[:min(1, len(n.Keys))], ""))
	return strings.Join([]string{string(n.Kind), id, n.UserName, n.RoleName, n.What}, " ")
}

// beginning is where the lineage of a node begins.
func (b *builder) beginning(id string) string {
	for range b.order {
		if b.nodes[id].parent == "" {
			break
		}
		id = b.nodes[id].parent
	}
	return id
}

// list puts the nodes in their order, each before what was made with it. Where they are too many, those stay from which the bytes were taken
// and what these come from, then keys, users and what else opens a door by itself, then the latest.
func (b *builder) list() ([]Node, int64) {
	kept := map[string]bool{}
	keep := func(n *growing) {
		var line []string
		for ; n != nil && !slices.Contains(line, n.id); n = b.nodes[n.parent] {
			if !kept[n.id] {
				line = append(line, n.id)
			}
		}
		if len(kept)+len(line) <= maxNodes {
			for _, id := range line {
				kept[id] = true
			}
		}
	}
	rank := func(n *growing) int {
		switch {
		case n.Took:
			return 0
		case n.Kind == SessionNode || n.Kind == PolicyNode || n.Kind == TrustNode:
			return 2
		}
		return 1
	}
	ranked := slices.SortedStableFunc(slices.Values(b.order), func(x, y string) int {
		m, n := b.nodes[x], b.nodes[y]
		return cmp.Or(cmp.Compare(rank(m), rank(n)), n.first.Compare(m.first))
	})
	begin := map[string]bool{} // of the lineages that are asked about; others are neighbours', of sessions that are called the same
	for _, id := range b.order {
		if b.nodes[id].asked {
			begin[b.beginning(id)] = true
		}
	}
	others := 0
	for _, id := range ranked {
		if begin[b.beginning(id)] {
			keep(b.nodes[id])
		} else {
			others++
		}
	}
	var out []Node
	place := map[string]int{}
	var put func(id string)
	put = func(id string) {
		n := b.nodes[id]
		if _, done := place[id]; done || !kept[id] {
			return
		}
		place[id] = len(out)
		if at, ok := place[n.parent]; ok {
			n.Parent = at
		}
		n.NotFound = n.Kind == SessionNode && n.Parent < 0
		out = append(out, n.Node)
		var children []string
		for _, of := range b.order {
			if b.nodes[of].parent == id {
				children = append(children, of)
			}
		}
		slices.SortStableFunc(children, func(x, y string) int { return b.nodes[x].first.Compare(b.nodes[y].first) })
		for _, child := range children {
			put(child)
		}
	}
	for _, id := range b.order {
		if b.nodes[id].parent == "" {
			put(id)
		}
	}
	for _, id := range b.order { // what made each other in a circle
		put(id)
	}
	return out, int64(len(b.order) - others - len(out))
}
