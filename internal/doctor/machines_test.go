package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Who works as a machine is named, with whether the policy may turn his key off. Nothing of it is broken, and what cannot be read is said.
func TestMachinesAreNamed(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	user := func(name string, keys ...KeyUse) UserKeys {
		return UserKeys{Name: name, ARN: "arn:aws:iam::111122223333:user/" + name, Keys: keys}
	}
	used := func(ago time.Duration, service string) KeyUse {
		return KeyUse{Active: true, Used: now.Add(-ago), Service: service}
	}
	human := user("ann", used(time.Hour, "s3"))
	human.Password = true
	off := used(time.Hour, "s3")
	off.Active = false
	var many []UserKeys
	for i := range 103 {
		many = append(many, user(fmt.Sprint("m", i), used(time.Hour, "s3")))
	}
	const one = "1 user without a console password worked in S3 lately, as machines do; "
	for name, c := range map[string]struct {
		users []UserKeys
		want  string
	}{
		"nobody":                        {nil, "no user works as a machine in S3"},
		"people, and who is off":        {[]UserKeys{human, user("off", off), user("never", KeyUse{Active: true}), user("none")}, "no user works as a machine in S3"},
		"a machine":                     {[]UserKeys{human, user("etl", used(8*24*time.Hour, "s3"))}, one + "1 is not protected, and the policy may turn off the key: etl"},
		"longer ago":                    {[]UserKeys{user("etl", used(8*24*time.Hour+time.Second, "s3"))}, "no user works as a machine in S3"},
		"by its second key":             {[]UserKeys{user("etl", used(time.Hour, "sts"), used(time.Hour, "s3"))}, one + "1 is not protected, and the policy may turn off the key: etl"},
		"one with the tag":              {[]UserKeys{user("tagged", used(time.Hour, "s3"))}, one + "1 is protected, and asked about at most: tagged"},
		"one of the setting":            {[]UserKeys{user("set", used(time.Hour, "s3"))}, one + "1 is protected, and asked about at most: set"},
		"elsewhere":                     {[]UserKeys{user("x", used(time.Hour, "ec2"))}, "no user works as a machine in S3; of 1 more the key was used last in another service, which does not say whether it reads a watched bucket"},
		"a name that writes to screens": {[]UserKeys{user("e\x1b[2J", used(time.Hour, "s3"))}, `off the key: e\x1b[2J`},
		"too many":                      {many, "103 users without a console password worked in S3 lately, as machines do; 100 are not protected, and the policy may turn off the key: m0, m1"},
		"too many, the rest":            {many, "; 3 are not looked at"},
	} {
		stack := read{is: Deployed{Resources: []Resource{{Settings: map[string]string{Variable + "NIGHTLATCH_PROTECT_TAG": "team:keep", Variable + "NIGHTLATCH_PROTECTED": "arn:aws:iam::111122223333:role/a,arn:aws:iam::111122223333:user/set"}}}}}
		tags := func(_ context.Context, name string) ([]string, error) {
			return map[string][]string{"tagged": {"a", "team:keep"}, "etl": {"nightlatch:protect"}}[name], nil
		}
		a := Machines(stack, func(context.Context) ([]UserKeys, error) { return c.users, nil }, tags, func() time.Time { return now }).Run(t.Context()).checked()
		if a.State != Holds || !strings.Contains(a.Says, c.want) {
			t.Errorf("%s: %s, %q, want %q", name, a.State, a.Says, c.want)
		}
	}
	no := func(context.Context, string) ([]string, error) { return nil, errors.New("no tags") }
	for says, users := range map[string]UsersRead{
		"no report": func(context.Context) ([]UserKeys, error) { return nil, errors.New("no report") },
		"no tags":   func(context.Context) ([]UserKeys, error) { return many[:1], nil },
	} {
		if a := Machines(read{}, users, no, func() time.Time { return now }).Run(t.Context()).checked(); a.State != Unread || a.Says != says {
			t.Errorf("%s: %+v", says, a)
		}
	}
}
