package containment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const hers = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/mara"},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::a-bucket/*"],"Sid":""}`

// orderedStatement is what an order writes into the policy of a-bucket.
func orderedStatement(t *testing.T, incident string) (Ref, Doc) {
	t.Helper()
	s, err := Order{Action: "block-on-bucket", Incident: incident, Bucket: "a-bucket", UserID: "AROAEXAMPLEEXAMPLE:lee"}.Step(BucketTarget("", "a-bucket"), Doc{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	return s.Ref, s.After
}

// policyJSON is a policy as a JSON value, a lone statement in a list: taken out, the last of two is alone in its list.
func policyJSON(t *testing.T, d Doc) any {
	t.Helper()
	if d.Absent {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(d.Text), &v); err != nil {
		t.Fatalf("%v: %s", err, d.Text)
	}
	if s, alone := v["Statement"].(map[string]any); alone {
		v["Statement"] = []any{s}
	}
	return v
}

func TestAStatementIsAddedAndTakenOutAndAllElseStays(t *testing.T) {
	ref, ours := orderedStatement(t, "i-1")
	other, theirs := orderedStatement(t, "i-2")
	for name, before := range map[string]Doc{
		"no policy":      {Absent: true},
		"one statement":  {Text: `{"Version":"2012-10-17","Statement":` + hers + `}`},
		"a list of one":  {Text: ` { "Version":"2012-10-17", "Id":"<&>\u2028", "Statement":[ ` + hers + ` ]}`},
		"an old version": {Text: `{"Version":"2008-10-17","Statement":[` + hers + `,{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"NumericLessThan":{"s3:TlsVersion":1.20},"Bool":{"aws:SecureTransport":false}}}]}`},
		"no version":     {Text: `{"Statement":[` + hers + `]}`},
		"odd letters":    {Text: `{"Version":"2012-10-17","Statement":[{"Sid":"\ud800 é","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::a-bucket/\u003c"}]}`},
		"another order":  {Text: `{"Version":"2012-10-17","Statement":[` + theirs.Text + `]}`},
	} {
		if got, err := StatementOf(before, ref.Name); err != nil || !got.Absent {
			t.Errorf("%s: before it is %+v, %v", name, got, err)
		}
		with, err := WithStatement(before, "a-bucket", ref.Name, ours)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := StatementOf(with, ref.Name); err != nil || got != ours {
			t.Errorf("%s: it reads as %+v, %v", name, got, err)
		}
		if !before.Absent {
			want := policyJSON(t, before).(map[string]any)
			var added any
			json.Unmarshal([]byte(ours.Text), &added)
			want["Statement"] = append(want["Statement"].([]any), added)
			if got := policyJSON(t, with); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
			}
			if strings.Contains(before.Text, `\ud800`) != strings.Contains(with.Text, `\ud800`) { // which Go's decoder reads as another letter
				t.Errorf("%s: a letter was changed: %s", name, with.Text)
			}
		}
		if twice, err := WithStatement(with, "a-bucket", ref.Name, ours); err != nil || twice != with {
			t.Errorf("%s: added twice it is %+v, %v", name, twice, err)
		}
		// Another incident's comes and stays.
		both, err := WithStatement(with, "a-bucket", other.Name, theirs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := WithStatement(both, "a-bucket", ref.Name, Doc{Absent: true}); err != nil || left.Absent {
			t.Errorf("%s: without ours it is %+v, %v", name, left, err)
		} else if got, _ := StatementOf(left, other.Name); got != theirs {
			t.Errorf("%s: the other incident's is %+v", name, got)
		}
		out, err := WithStatement(with, "a-bucket", ref.Name, Doc{Absent: true})
		if err != nil || !reflect.DeepEqual(policyJSON(t, out), policyJSON(t, before)) {
			t.Errorf("%s: taken out it is %+v, %v", name, out, err)
		}
		if again, err := WithStatement(out, "a-bucket", ref.Name, Doc{Absent: true}); err != nil || again != out {
			t.Errorf("%s: taken out twice it is %+v, %v", name, again, err)
		}
	}
}

func TestWhatIsNotOursStaysInABucketsPolicy(t *testing.T) {
	ref, ours := orderedStatement(t, "i-1")
	policy := func(statements ...string) Doc {
		return Doc{Text: `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`}
	}
	changed := strings.Replace(ours.Text, `"Deny"`, `"Allow"`, 1)
	wider := strings.Replace(ours.Text, `:lee"`, `:*"`, 1)
	elsewhere := strings.ReplaceAll(ours.Text, "a-bucket", "b-bucket")
	for want, c := range map[string]struct {
		before, statement Doc
	}{
		`another statement has the Sid`: {policy(changed), ours},
		`is not as Nightlatch has left`: {policy(changed), Doc{Absent: true}},
		`Nightlatch has left it; see`:   {policy(wider), Doc{Absent: true}},
		`left it; see who has`:          {policy(ours.Text, ours.Text), Doc{Absent: true}}, // S3 takes no Sid twice
		`only an order's own statement`: {Doc{Absent: true}, Doc{Text: changed}},
		`only an order's own`:           {Doc{Absent: true}, Doc{Text: wider}},
		`only an order's`:               {Doc{Absent: true}, Doc{Text: elsewhere}},
		`only an order`:                 {Doc{Absent: true}, Doc{Text: strings.Replace(ours.Text, ref.Name, "x", 1)}},
		`only an`:                       {Doc{Absent: true}, Doc{Text: `{}`}},
		`it has "Sid" twice`:            {policy(`{"Sid":"a","Sid":"` + ref.Name + `"}`), ours},
		`it has no statements`:          {Doc{Text: `{"Version":"2012-10-17"}`}, ours},
		`cannot be read`:                {Doc{Text: `<html>`}, ours},
		`more than one JSON value`:      {Doc{Text: `{"Statement":[]}{}`}, ours},
	} {
		if got, err := WithStatement(c.before, "a-bucket", ref.Name, c.statement); err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("got %+v, %v, want %q", got, err, want)
		}
	}
}

// S3 gives back a policy in another form than it was put in.
func TestAPolicyIsTheSameInWhateverFormS3ReturnsIt(t *testing.T) {
	ref, ours := orderedStatement(t, "i-1")
	put := Doc{Text: `{"Version":"2012-10-17","Statement":[` + hers + `,` + ours.Text + `]}`}
	shuffled := strings.Replace(ours.Text, `["arn:aws:s3:::a-bucket","arn:aws:s3:::a-bucket/*"]`, `[ "arn:aws:s3:::a-bucket/*", "arn:aws:s3:::a-bucket" ]`, 1)
	returned := Doc{Text: `{"Statement":[` + shuffled + `,{"Action":"s3:GetObject","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/mara"]},"Resource":"arn:aws:s3:::a-bucket/*"}],"Version":"2012-10-17"}`}
	if !SameBucketPolicy(put, returned) || shuffled == ours.Text {
		t.Error("the same policy is taken for another")
	}
	if got, err := StatementOf(returned, ref.Name); err != nil || got != ours {
		t.Errorf("it reads as %+v, %v", got, err)
	}
	if out, err := WithStatement(returned, "a-bucket", ref.Name, Doc{Absent: true}); err != nil || strings.Contains(out.Text, ref.Name) {
		t.Errorf("taken out it is %+v, %v", out, err)
	}
	for _, other := range []Doc{
		{Absent: true}, {Text: `{}`},
		{Text: strings.Replace(put.Text, "mara", "lee", 1)},
		{Text: strings.Replace(put.Text, "s3:GetObject", "s3:*", 1)},
		{Text: strings.Replace(put.Text, "2012", "2008", 1)},
		{Text: strings.Replace(put.Text, hers+",", "", 1)},
		{Text: strings.Replace(put.Text, hers, hers+","+hers, 1)},
	} {
		if SameBucketPolicy(put, other) || SameBucketPolicy(other, put) {
			t.Errorf("%s is taken for the same", other.Text)
		}
	}
	if !SameBucketPolicy(Doc{Absent: true}, Doc{Absent: true}) {
		t.Error("two buckets without a policy differ")
	}
}

func TestOneValueIsOneText(t *testing.T) {
	for text, want := range map[string]string{
		` { "b" : [ 1.50, 12345678901234567890 ] , "a" : { "d":"é", "c":null } } `: `{"a":{"c":null,"d":"é"},"b":[1.50,12345678901234567890]}`,
		`{"a":1,"a":2}`: `{"a":1,"a":2}`, `{"a":1} x`: `{"a":1} x`, `not json`: `not json`, ``: ``, `[`: `[`, `{"a":[`: `{"a":[`, `{1:2}`: `{1:2}`,
	} {
		if got := Canonical(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for name, c := range orders() {
		s, err := c.o.Step(c.t, Doc{Absent: true})
		if err != nil {
			t.Fatal(err)
		}
		if s.After.Text != Attached && Canonical(s.After.Text) != s.After.Text {
			t.Errorf("%s: what is written is not canonical: %s", name, s.After.Text)
		}
		if want := s.Ref.Type == UserPolicy || s.Ref.Type == RolePolicy; Denies(s.After.Text) != want {
			t.Errorf("%s is a denial: %v", name, !want)
		}
		if n, _ := Quarantine(s.Ref.Name); n != c.o.Quarantine {
			t.Errorf("%s: the quarantine is %q", name, n)
		}
	}
}

// Whatever stands in a policy, what is added and taken out leaves it as it was.
func FuzzAStatementInAPolicy(f *testing.F) {
	f.Add(`{"Statement":` + hers + `}`)
	f.Add(`{"Statement":[{"Sid":"Nightlatch000000000000"},[],"x",{"Sid":1}],"Id":"\ud800<>"}`)
	f.Fuzz(func(t *testing.T, text string) {
		ref, ours := orderedStatement(t, "i-1")
		with, err := WithStatement(Doc{Text: text}, "a-bucket", ref.Name, ours)
		if err != nil {
			return
		}
		if got, err := StatementOf(with, ref.Name); err != nil || got != ours {
			t.Fatalf("it reads as %+v, %v", got, err)
		}
		out, err := WithStatement(with, "a-bucket", ref.Name, Doc{Absent: true})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := readBucketPolicy(text); err == nil && len(b.statements) == 0 {
			return // which S3 does not take
		}
		if !SameBucketPolicy(out, Doc{Text: text}) {
			t.Fatalf("%s became %s", text, out.Text)
		}
	})
}

func TestAccessBlockIsFourBooleans(t *testing.T) {
	for n := range 16 {
		b := AccessBlock{n&1 > 0, n&2 > 0, n&4 > 0, n&8 > 0}
		if got, err := ReadAccessBlock(b.Doc().Text); err != nil || got != b {
			t.Errorf("%+v reads as %+v, %v", b, got, err)
		}
	}
	for _, text := range []string{``, `{}`, `null`, `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true}`,
		`{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":null}`,
		`{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":"true"}`,
		`{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true,"x":1}`,
		`{"blockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}`} {
		if got, err := ReadAccessBlock(text); err == nil {
			t.Errorf("%s reads as %+v", text, got)
		}
	}
}

func TestQuarantineIsAWSsOwn(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantine":              "AWSCompromisedKeyQuarantine 1",
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV4":            "AWSCompromisedKeyQuarantineV4 4",
		"arn:aws-cn:iam::aws:policy/AWSCompromisedKeyQuarantineV12":        "AWSCompromisedKeyQuarantineV12 12",
		"arn:aws:iam::111122223333:policy/AWSCompromisedKeyQuarantineV4":   " 0",
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV4x":           " 0",
		"arn:aws:iam::aws:policy/x/AWSCompromisedKeyQuarantineV4":          " 0",
		"arn:aws:iam::aws:policy/AdministratorAccess":                      " 0",
		"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV4\n":          " 0",
		QuarantineARN("aws-us-gov", "AWSCompromisedKeyQuarantineV2"):       "AWSCompromisedKeyQuarantineV2 2",
		"x" + QuarantineARN("aws-us-gov", "AWSCompromisedKeyQuarantineV2"): " 0",
	} {
		if name, version := Quarantine(arn); fmt.Sprint(name, " ", version) != want {
			t.Errorf("%s: got %s %d, want %s", arn, name, version, want)
		}
	}
}

func TestPrincipalsThatAreGoneAreNamed(t *testing.T) {
	policy := Doc{Text: `{"Statement":[{"Principal":{"AWS":["AIDAEXAMPLEGONE00001","arn:aws:iam::111122223333:root","111122223333"]}},
		{"NotPrincipal":{"AWS":"AROAEXAMPLEGONE00001"}},{"Principal":"*"},{"Principal":{"Service":"AIDAEXAMPLEGONE00002"}},{"Principal":{"AWS":7}}]}`}
	if got := Dangling(policy); !slices.Equal(got, []string{"AIDAEXAMPLEGONE00001", "AROAEXAMPLEGONE00001"}) {
		t.Errorf("got %q", got)
	}
	if got := Dangling(Doc{Absent: true}); got != nil {
		t.Errorf("a bucket without a policy names %q", got)
	}
}

// Two texts of one value have one canonical text, in whatever order their keys stand.
func TestCanonicalIsTheSameForEachOrderOfKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		keys := []string{`"Effect":"Deny"`, `"Action":"*"`, `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLE:lee"}}`}
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		var text bytes.Buffer
		if err := json.Indent(&text, []byte(`{"Statement":[{`+strings.Join(keys, ",")+`}],"Version":"2012-10-17"}`), "\t", "  "); err != nil {
			t.Fatal(err)
		}
		if got := Canonical(text.String()); got != denial(Order{UserID: "AROAEXAMPLEEXAMPLE:lee"}) {
			t.Fatalf("%s: %s", &text, got)
		}
	}
}
