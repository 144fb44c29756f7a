package awsaccount

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"nightlatch/internal/grant"
)

// aliasTimeout bounds the question for the alias, as identityTimeout does that of who we are: a message does not wait long for a name.
const aliasTimeout = identityTimeout

// AliasGrant is the permission that Alias needs.
func AliasGrant() grant.Grant {
	return grant.Grant{
		Sid: "KnowTheAlias", Actions: []string{"iam:ListAccountAliases"}, On: []string{"*"},
		Why: "The call takes no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagement.html).",
	}
}

// Alias says what the account is called; "" where it has no alias, or where IAM does not say it in time. IAM is asked the first time alone,
// whatever it answers, and log has why the alias is not known. Whoever may set it can have chosen any text.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html
func (a *Account) Alias(ctx context.Context, log *slog.Logger) string {
	a.named.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, aliasTimeout)
		defer cancel()
		out, err := a.reads.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		switch {
		case err != nil:
			log.WarnContext(ctx, "messages go without the account's alias", "err", failed(call{"iam:ListAccountAliases", "the account"}, err))
		case len(out.AccountAliases) > 0: // an account has one at most
			a.alias = out.AccountAliases[0]
		}
	})
	return a.alias
}
