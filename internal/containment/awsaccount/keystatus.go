package awsaccount

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/containment"
)

func (a *Account) readKeyStatus(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	status, err := a.keyStatus(ctx, r.Owner, r.Name)
	if err != nil {
		return containment.Doc{}, err
	}
	return containment.Doc{Absent: status == "", Text: status}, nil
}

// writeKeyStatus turns an access key on or off.
func (a *Account) writeKeyStatus(ctx context.Context, r containment.Ref, d containment.Doc) error {
	// An absent document would mean deletion, which destroys evidence and cannot be undone.
	if d.Absent || d.Text != containment.Active && d.Text != containment.Inactive {
		return fmt.Errorf("access key %q can be set to %s or %s only, not to %q: %w",
			r.Name, containment.Active, containment.Inactive, d.Text, containment.ErrNotDone)
	}
	return attempt(ctx, call{"iam:UpdateAccessKey", fmt.Sprintf("key %q of user %q", r.Name, r.Owner)}, "the key is "+d.Text+" now", func(ctx context.Context) error {
		// The user's name is required of a role; without it IAM would look among the caller's own keys.
		_, err := a.writes.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &r.Owner, AccessKeyId: &r.Name, Status: types.StatusType(d.Text)})
		return err
	})
}

// keyStatus finds a key among its user's keys; "" if the user or the key does not exist.
func (a *Account) keyStatus(ctx context.Context, user, key string) (string, error) {
	keys, err := a.Keys(ctx, user)
	for _, k := range keys {
		if k.ID == key {
			return k.Status, err
		}
	}
	return "", err
}

// Keys lists the access keys of a user.
func (a *Account) Keys(ctx context.Context, user string) ([]containment.Key, error) {
	var all []containment.Key
	pages := iam.NewListAccessKeysPaginator(a.reads, &iam.ListAccessKeysInput{UserName: &user},
		func(o *iam.ListAccessKeysPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		keys, err := a.keyPage(ctx, pages)
		switch {
		case missing(err):
			return nil, nil
		case err != nil:
			return nil, failed(call{"iam:ListAccessKeys", fmt.Sprintf("the access keys of user %q", user)}, err)
		}
		for _, k := range keys {
			all = append(all, containment.Key{ID: aws.ToString(k.AccessKeyId), Status: string(k.Status), Created: aws.ToTime(k.CreateDate)})
		}
	}
	return all, nil
}

func (a *Account) keyPage(ctx context.Context, pages *iam.ListAccessKeysPaginator) ([]types.AccessKeyMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := pages.NextPage(ctx)
	if err != nil {
		return nil, err
	}
	return page.AccessKeyMetadata, nil
}
