package containment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// What AWS takes at most. A user's and a role's inline policies are counted together, without white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
const (
	MaxUserPolicies = 2048
	MaxRolePolicies = 10240
	MaxAttached     = 10 // managed policies of a user, unless the account has had that raised
	MaxBucketPolicy = 20 << 10
)

// Canonical is a document of JSON in the form in which orders are written, so that what is the same value is the same text. What is no JSON, or
// has a key twice, is returned as it is.
func Canonical(text string) string {
	v, err := parse(text)
	if err != nil {
		return text
	}
	return encode(v)
}

// Denies reports whether a text is a policy of one statement, which denies. No other is ever put on a user or role.
func Denies(text string) bool {
	v, err := parse(text)
	if err != nil {
		return false
	}
	p, _ := v.(map[string]any)
	statements, _ := p["Statement"].([]any)
	if len(statements) != 1 {
		return false
	}
	s, _ := statements[0].(map[string]any)
	return s["Effect"] == "Deny"
}

// AccessBlock is a bucket's public access block. Its document is its JSON.
type AccessBlock struct {
	BlockPublicAcls       bool
	BlockPublicPolicy     bool
	IgnorePublicAcls      bool
	RestrictPublicBuckets bool
}

// Doc is the document of a public access block.
func (b AccessBlock) Doc() Doc {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // four booleans
	}
	return Doc{Text: string(text)}
}

// ReadAccessBlock reads the document of a public access block, which is four booleans and nothing else.
func ReadAccessBlock(text string) (AccessBlock, error) {
	var b AccessBlock
	if json.Unmarshal([]byte(text), &b) != nil || b.Doc().Text != Canonical(text) {
		return AccessBlock{}, fmt.Errorf("a public access block is four booleans, and not %+q", text)
	}
	return b, nil
}

var quarantineName = lazyregexp.New(`^arn:aws[a-z-]{0,20}:iam::aws:policy/(AWSCompromisedKeyQuarantine(?:V([0-9]{1,3}))?)$`)

// Quarantine is the name and version of the quarantine policy that an ARN names; "" where it names anything else, a namesake of somebody's own
// among it. The first has no version in its name.
func Quarantine(arn string) (name string, version int) {
	m := quarantineName.FindStringSubmatch(arn)
	if m == nil {
		return "", 0
	}
	version = 1
	if n, err := strconv.Atoi(m[2]); err == nil {
		version = n
	}
	return m[1], version
}

// StatementOf is the one statement with a Sid in a bucket's policy, in the form in which orders write it. Absent is a bucket without a policy,
// or a policy without that statement. Where several have the Sid, it is all of them, which is nobody's order.
func StatementOf(policy Doc, sid string) (Doc, error) {
	if policy.Absent {
		return policy, nil
	}
	b, err := readBucketPolicy(policy.Text)
	if err != nil {
		return Doc{}, err
	}
	var found []any
	for _, s := range b.statements {
		if sidOf(s) == sid {
			v, _ := parse(string(s))
			found = append(found, sets(v))
		}
	}
	switch len(found) {
	case 0:
		return Doc{Absent: true}, nil
	case 1:
		return Doc{Text: encode(found[0])}, nil
	}
	return Doc{Text: encode(found)}, nil
}

// WithStatement is a bucket's policy with the statement of an order added, or, where it is absent, with that one taken out. All else in the
// policy stays the JSON that it is; a policy that would have no statement left is absent. The policy is returned as it is where nothing is to
// be done. It is an error where another statement has the Sid, or ours is not as an order writes it.
func WithStatement(policy Doc, bucket, sid string, statement Doc) (Doc, error) {
	now, err := StatementOf(policy, sid)
	switch {
	case err != nil:
		return Doc{}, err
	case !statement.Absent && !blocks(statement.Text, bucket, sid):
		return Doc{}, fmt.Errorf("only an order's own statement %q is put into a bucket's policy", sid)
	case now == statement:
		return policy, nil
	case !now.Absent && !statement.Absent:
		return Doc{}, fmt.Errorf("another statement has the Sid %q already", sid)
	case !now.Absent && !blocks(now.Text, bucket, sid):
		return Doc{}, fmt.Errorf("the statement %q is not as Nightlatch has left it; see who has changed it, and take it out by hand", sid)
	}
	b := bucketPolicy{elements: map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}}
	if !policy.Absent {
		if b, err = readBucketPolicy(policy.Text); err != nil {
			return Doc{}, err
		}
	}
	if statement.Absent {
		b.statements = slices.DeleteFunc(b.statements, func(s json.RawMessage) bool { return sidOf(s) == sid })
	} else {
		b.statements = append(b.statements, json.RawMessage(statement.Text))
	}
	return b.doc()
}

// SameBucketPolicy reports whether two policies of a bucket say the same. S3 keeps no text: it puts lists into another order, makes one value of
// a list of one, and adds an empty Sid. https://github.com/hashicorp/terraform/issues/2432, https://github.com/hashicorp/terraform/pull/4278
func SameBucketPolicy(a, b Doc) bool {
	if a.Absent || b.Absent {
		return a.Absent == b.Absent
	}
	x, xerr := settled(a.Text)
	y, yerr := settled(b.Text)
	return xerr == nil && yerr == nil && x == y
}

// Dangling are the unique ids that a bucket's policy names in place of principals: those of whoever was deleted since. S3 refuses every put of
// a policy that names one. https://repost.aws/knowledge-center/s3-invalid-principal-in-policy-error
func Dangling(policy Doc) []string {
	b, err := readBucketPolicy(policy.Text)
	if policy.Absent || err != nil {
		return nil
	}
	var ids []string
	for _, raw := range b.statements {
		v, _ := parse(string(raw))
		s, _ := v.(map[string]any)
		for _, element := range []string{"Principal", "NotPrincipal"} {
			p, _ := s[element].(map[string]any)
			list, isList := p["AWS"].([]any)
			if !isList {
				list = []any{p["AWS"]}
			}
			for _, who := range list {
				if id, _ := who.(string); userID.MatchString(id) && strings.HasPrefix(id, "A") {
					ids = append(ids, id)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// bucketPolicy is a policy of which only the statements' limits are known: what is in them, and in the other elements, stays as it is.
type bucketPolicy struct {
	elements   map[string]json.RawMessage
	statements []json.RawMessage
}

func readBucketPolicy(text string) (bucketPolicy, error) {
	var b bucketPolicy
	if _, err := parse(text); err != nil {
		return b, fmt.Errorf("the bucket's policy cannot be read: %v", err)
	}
	if err := json.Unmarshal([]byte(text), &b.elements); err != nil || b.elements["Statement"] == nil {
		return b, errors.New("the bucket's policy cannot be read: it has no statements")
	}
	if json.Unmarshal(b.elements["Statement"], &b.statements) != nil {
		b.statements = []json.RawMessage{b.elements["Statement"]} // one alone need not be in a list
	}
	return b, nil
}

func (b bucketPolicy) doc() (Doc, error) {
	if len(b.statements) == 0 {
		return Doc{Absent: true}, nil
	}
	var list, text bytes.Buffer
	for i, s := range b.statements {
		list.WriteByte("[,"[min(i, 1)])
		list.Write(s)
	}
	list.WriteByte(']')
	b.elements["Statement"] = list.Bytes()
	plain := json.NewEncoder(&text)
	plain.SetEscapeHTML(false)
	if err := plain.Encode(b.elements); err != nil {
		return Doc{}, fmt.Errorf("writing the bucket's policy: %v", err)
	}
	return Doc{Text: strings.TrimSuffix(text.String(), "\n")}, nil
}

func sidOf(statement json.RawMessage) string {
	v, _ := parse(string(statement))
	s, _ := v.(map[string]any)
	sid, _ := s["Sid"].(string)
	return sid
}

// blocks reports whether a text is what an order writes into a bucket's policy under a Sid.
func blocks(text, bucket, sid string) bool {
	var s struct {
		Resource  []string
		Condition struct{ StringEquals map[string]string }
	}
	if json.Unmarshal([]byte(text), &s) != nil || len(s.Resource) == 0 || len(s.Condition.StringEquals) != 1 {
		return false
	}
	arn := s.Resource[0]
	for key, value := range s.Condition.StringEquals {
		form := userID
		if key == "aws:PrincipalArn" {
			form = rootARN
		} else if key != "aws:userid" {
			return false
		}
		p, name, ok := strings.Cut(strings.TrimPrefix(arn, "arn:"), ":s3:::")
		return ok && name == bucket && partition.MatchString(p) && form.MatchString(value) && text == blockStatement(sid, arn, key, value)
	}
	return false
}

// settled is a bucket's policy as one text for all that says the same.
func settled(text string) (string, error) {
	b, err := readBucketPolicy(text)
	if err != nil {
		return "", err
	}
	var statements []string
	for _, raw := range b.statements {
		v, _ := parse(string(raw))
		if s, ok := v.(map[string]any); ok && s["Sid"] == "" {
			delete(s, "Sid")
		}
		statements = append(statements, encode(sets(v)))
	}
	slices.Sort(statements) // their order means nothing
	rest := map[string]any{"Statement": statements}
	for name, raw := range b.elements {
		if name != "Statement" {
			rest[name], _ = parse(string(raw))
		}
	}
	return encode(rest), nil
}

// sets sorts what is a set in a statement, and makes one value of a set of one.
func sets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = sets(v[k])
		}
	case []any:
		texts := make([]string, len(v))
		for i, x := range v {
			text, ok := x.(string)
			if !ok {
				return v
			}
			texts[i] = text
		}
		slices.Sort(texts)
		texts = slices.Compact(texts)
		if len(texts) == 1 {
			return texts[0]
		}
		sorted := make([]any, len(texts))
		for i, text := range texts {
			sorted[i] = text
		}
		return sorted
	}
	return v
}

// parse reads one JSON value. A key that stands twice is refused: readers differ in which of the two counts.
func parse(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	v, err := value(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is more than one JSON value")
	}
	return v, nil
}

func value(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := value(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			if _, twice := object[name]; twice {
				return nil, fmt.Errorf("it has %+q twice", name)
			}
			if object[name], err = value(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return object, err
	}
	return t, nil
}
