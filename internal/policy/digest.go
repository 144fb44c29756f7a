package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/cedar-policy/cedar-go"
)

// Digest says which policy it is, without its text. The template of a deployment names the one that was deployed.
type Digest struct {
	// SHA256 is that of its file, as sha256sum prints it; "" where none is known.
	SHA256 string
	// Rules are the beginning of each rule's, by its id. How it is laid out and what comments say does not change them.
	Rules map[string]string
}

// DigestOf is the digest of a policy that was loaded from a file's text.
func DigestOf(p *Policy, text []byte) Digest {
	d := Digest{SHA256: sum(text), Rules: map[string]string{}}
	for _, id := range p.order {
		d.Rules[string(id)] = sum(p.set.Get(cedar.PolicyID(id)).MarshalCedar())[:12]
	}
	return d
}

func sum(text []byte) string {
	all := sha256.Sum256(text)
	return hex.EncodeToString(all[:])
}

// Differ are the ids of the rules that two policies do not have alike, in order.
func (d Digest) Differ(other Digest) (ids []string) {
	for id, rule := range d.Rules {
		if other.Rules[id] != rule {
			ids = append(ids, id)
		}
	}
	for id := range other.Rules {
		if _, both := d.Rules[id]; !both {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
