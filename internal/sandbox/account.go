package sandbox

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// Account is an AWS account in memory: its users with their keys, its roles, and what stands on them and on its buckets. It implements
// containment.Account with IAM's behaviour: a user has names and tags, a key a status, a change is of one key; and containment.Cutter.
type Account struct {
	mu sync.Mutex
	ID string
	// partition is AWS's partition that the account is of; "" is aws.
	partition string
	Alias     string // what it is called; "" where it has no alias
	users     map[string]*User
	roles     map[string]*Role
	buckets   map[string]*bucket
	meter     *Meter
	self      string
	faults    map[string][]error
	writes    int
	calls     []string
}

// User is one IAM user.
type User struct {
	Name string            `json:"name"`
	Path string            `json:"path,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
	Keys []Key             `json:"keys,omitempty"`
	standing
}

// Key is one long-term access key.
type Key struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Created time.Time `json:"created,omitzero"`
}

// Role is one IAM role.
type Role struct {
	Name string            `json:"name"`
	Path string            `json:"path,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
	standing
}

// NewAccount is an account without users or roles.
func NewAccount(id string) *Account {
	return &Account{ID: id, users: map[string]*User{}, roles: map[string]*Role{}, buckets: map[string]*bucket{}, faults: map[string][]error{}}
}

// AddUser puts a user and keys of its own into the account; what is there already stays.
func (a *Account) AddUser(name string, tags map[string]string, keys ...Key) {
	if a.users[name] == nil {
		a.users[name] = &User{Name: name, Tags: tags}
	}
	for _, k := range keys {
		if owner, _ := a.find(k.ID); owner == nil {
			a.users[name].Keys = append(a.users[name].Keys, k)
		}
	}
}

// AddRole puts a role into the account; one that is there already stays.
func (a *Account) AddRole(name string, tags map[string]string) {
	if a.roles[name] == nil {
		a.roles[name] = &Role{Name: name, Tags: tags}
	}
}

// Status is the status of a key; "" where there is no such key.
func (a *Account) Status(key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, k := a.find(key); k != nil {
		return k.Status
	}
	return ""
}

// SetStatus turns a key on or off, as somebody else than the responder does it.
func (a *Account) SetStatus(key, status string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, k := a.find(key); k != nil {
		k.Status = status
	}
}

// Statuses maps every key to its status.
func (a *Account) Statuses() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]string{}
	for _, u := range a.users {
		for _, k := range u.Keys {
			all[k.ID] = k.Status
		}
	}
	return all
}

// Size counts the users, keys and roles.
func (a *Account) Size() (users, keys, roles int) {
	for _, u := range a.users {
		keys += len(u.Keys)
	}
	return len(a.users), keys, len(a.roles)
}

// Writes counts the writes that took effect.
func (a *Account) Writes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.writes
}

// Calls lists every call so far, by name.
func (a *Account) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// ErrAfter wraps an error of Write that comes after the write took effect: a timeout on the way back.
type ErrAfter struct{ Err error }

func (e ErrAfter) Error() string { return e.Err.Error() }

// Fail makes the next calls of a method ("Identify", "Read", "Write", "Cut") return these errors, one each; nil lets one pass.
func (a *Account) Fail(method string, errs ...error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults[method] = append(a.faults[method], errs...)
}

func (a *Account) called(method string) error {
	a.calls = append(a.calls, method)
	if queue := a.faults[method]; len(queue) > 0 {
		a.faults[method] = queue[1:]
		return queue[0]
	}
	return nil
}

func (a *Account) find(key string) (*User, *Key) {
	for _, u := range a.users {
		for i := range u.Keys {
			if u.Keys[i].ID == key {
				return u, &u.Keys[i]
			}
		}
	}
	return nil, nil
}

// Identify implements containment.Account.
func (a *Account) Identify(_ context.Context, c actor.Credential) (policy.Target, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.called("Identify"); err != nil {
		return policy.Target{}, err
	}
	if c.AccountID != a.ID {
		return policy.Target{}, nil
	}
	switch c.Kind {
	case actor.IAMUserKey:
		t := policy.Target{Type: policy.AccessKey, ID: c.AccessKeyID, AccountID: a.ID}
		u, _ := a.find(c.AccessKeyID)
		if u == nil || (c.UserName != "" && c.UserName != u.Name) {
			return t, nil
		}
		t.Owner, t.OwnerARN, t.Tags, t.Known = u.Name, a.arn("user", u.Path, u.Name), u.Tags, true
		t.LastUsed = &policy.LastUse{} // what is in memory is used by nobody
		return a.guarded(t), nil
	case actor.IAMUserSession, actor.IAMUser, actor.FederatedUser:
		if u := a.users[c.UserName]; u != nil {
			arn := a.arn("user", u.Path, u.Name)
			return a.guarded(policy.Target{Type: policy.User, ID: arn, Owner: u.Name, OwnerARN: arn, AccountID: a.ID, Tags: u.Tags, Known: true}), nil
		}
	case actor.RoleSession, actor.Role, actor.IdentityCenter:
		if r := a.roles[c.RoleName]; r != nil {
			arn := a.arn("role", r.Path, r.Name)
			return a.guarded(policy.Target{Type: policy.Role, ID: arn, Owner: r.Name, OwnerARN: arn, AccountID: a.ID, Tags: r.Tags, Known: true}), nil
		}
	}
	return policy.Target{}, nil
}

// protectTag is the tag whose mere presence protects.
const protectTag = settings.DefaultProtectTag

func (a *Account) guarded(t policy.Target) policy.Target {
	t.Self = a.self != "" && (t.Owner == a.self || t.OwnerARN == a.self)
	if v, ok := t.Tags[protectTag]; ok {
		t.Protected, t.ProtectTag = "tagged "+protectTag+"="+strconv.QuoteToASCII(v), protectTag
	}
	return t
}

func (a *Account) arn(kind, path, name string) string {
	return "arn:" + cmp.Or(a.partition, "aws") + ":iam::" + a.ID + ":" + kind + cmp.Or(path, "/") + name
}

// Read implements containment.Account.
func (a *Account) Read(_ context.Context, ref containment.Ref) (containment.Doc, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.called("Read"); err != nil {
		return containment.Doc{}, err
	}
	return a.get(ref)
}

// Keys implements containment.Account.
func (a *Account) Keys(_ context.Context, user string) ([]containment.Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.called("Keys"); err != nil {
		return nil, err
	}
	var all []containment.Key
	if u := a.users[user]; u != nil {
		for _, k := range u.Keys {
			all = append(all, containment.Key{ID: k.ID, Status: k.Status, Created: k.Created})
		}
	}
	return all, nil
}

// Write implements containment.Account.
func (a *Account) Write(_ context.Context, ref containment.Ref, doc containment.Doc) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.called("Write")
	if failed(err) {
		return err
	}
	if refused := a.write(ref, doc); refused != nil {
		return refused
	}
	return err
}
