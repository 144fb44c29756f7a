package sandbox

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// identities asks for every identity that the trail shows, S3 or not.
type identities struct{}

func (identities) Name() string { return "identities" }

func (identities) SQL(s evidence.Schema) string {
	return `select coalesce(useridentity.type, '') as type, coalesce(useridentity.arn, '') as arn, coalesce(useridentity.principalid, '') as principal_id,
  coalesce(useridentity.accountid, '') as account_id, coalesce(useridentity.accesskeyid, '') as access_key_id, coalesce(useridentity.username, '') as user_name,
  coalesce(useridentity.sessioncontext.sessionissuer.arn, '') as issuer_arn, coalesce(useridentity.sessioncontext.sessionissuer.username, '') as issuer_user_name,
  coalesce(recipientaccountid, '') as recipient
from ` + s.Table + ` group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 1, 2, 3, 4, 5, 6, 7, 8, 9`
}

// reach asks from when to when a trail goes.
type reach struct{}

func (reach) Name() string { return "reach" }

func (reach) SQL(s evidence.Schema) string {
	return `select coalesce(date_diff('second', timestamp '1970-01-01 00:00:00', min(eventtime)), 0) as first,
  coalesce(date_diff('second', timestamp '1970-01-01 00:00:00', max(eventtime)), 0) as last from ` + s.Table
}

// Reach is from when to when a trail goes, by its first and its last call, and what of it could not be read. The times are zero where it holds
// no call.
func Reach(ctx context.Context, trail evidence.Trail) (from, to time.Time, lost []string, err error) {
	answer, err := trail.Ask(ctx, reach{})
	if err != nil {
		return from, to, nil, fmt.Errorf("reading from when to when the trail goes: %w", err)
	}
	for _, row := range answer.Rows {
		for column, at := range map[string]*time.Time{"first": &from, "last": &to} {
			n, err := strconv.ParseInt(row[column], 10, 64)
			if err != nil {
				return from, to, nil, fmt.Errorf("reading from when to when the trail goes: %w", err)
			}
			if n != 0 {
				*at = time.Unix(n, 0).UTC()
			}
		}
	}
	return from, to, answer.Lost, nil
}

// Infer makes up the account that a trail and an alarm show: every user, key and role that was seen is there, and every key is
// active. ours are the accounts whose trail this is: the alarm's, and those that received the records.
func Infer(ctx context.Context, trail evidence.Trail, alarmAccount string) (account *Account, ours actor.Ours, err error) {
	answer, err := trail.Ask(ctx, identities{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the identities of the trail: %w", err)
	}
	ours = actor.Accounts()
	if alarmAccount != "" {
		ours[alarmAccount] = true
	}
	for _, row := range answer.Rows {
		if id := row["recipient"]; id != "" {
			ours[id] = true
			if alarmAccount == "" {
				alarmAccount = id
			}
		}
	}
	account = NewAccount(alarmAccount)
	for _, row := range answer.Rows {
		c := actor.Of(actor.Identity{Type: row["type"], ARN: row["arn"], PrincipalID: row["principal_id"], AccountID: row["account_id"],
			AccessKeyID: row["access_key_id"], UserName: row["user_name"], IssuerARN: row["issuer_arn"], IssuerUserName: row["issuer_user_name"]}, ours)
		if account.partition == "" && c.AccountID == account.ID {
			account.partition = actor.Partition(c.PrincipalARN)
		}
		switch {
		case c.AccountID != account.ID, c.Kind == actor.Unattributed:
		case c.Kind == actor.IAMUserKey && c.UserName != "": // a key of a user in doubt is nobody's
			account.AddUser(c.UserName, nil, Key{ID: c.AccessKeyID, Status: containment.Active})
		case c.UserName != "":
			account.AddUser(c.UserName, nil)
		case c.RoleName != "":
			account.AddRole(c.RoleName, nil)
		}
	}
	return account, ours, nil
}
