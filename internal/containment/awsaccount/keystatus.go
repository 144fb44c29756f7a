package awsaccount

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/containment"
)

// Read returns what a setting holds now.
func (a *Account) Read(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	if err := valid(r); err != nil {
		return containment.Doc{}, err
	}
	status, err := a.keyStatus(ctx, r.Owner, r.Name)
	if err != nil {
		return containment.Doc{}, err
	}
	return containment.Doc{Absent: status == "", Text: status}, nil
}

// Write turns an access key on or off. It makes one attempt; see Account.writes.
func (a *Account) Write(ctx context.Context, r containment.Ref, d containment.Doc) error {
	if err := valid(r); err != nil {
		return fmt.Errorf("%v: %w", err, containment.ErrNotDone)
	}
	// An absent document would mean deletion, which destroys evidence and cannot be undone.
	if d.Absent || d.Text != containment.Active && d.Text != containment.Inactive {
		return fmt.Errorf("access key %q can be set to %s or %s only, not to %q: %w",
			r.Name, containment.Active, containment.Inactive, d.Text, containment.ErrNotDone)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	// The user's name is required of a role; without it IAM would look among the caller's own keys.
	_, err := a.writes.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{
		UserName: &r.Owner, AccessKeyId: &r.Name, Status: types.StatusType(d.Text),
	})
	if err == nil {
		return nil
	}
	failure := failed(call{"iam:UpdateAccessKey", fmt.Sprintf("key %q of user %q", r.Name, r.Owner)}, err)
	switch {
	case refused(err) && throttled(err):
		return fmt.Errorf("%w: %w", failure, containment.ErrThrottled)
	case refused(err):
		return fmt.Errorf("%w: %w", failure, containment.ErrNotDone)
	}
	return fmt.Errorf("%w; whether the key is %s now is not known, read it back", failure, d.Text)
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

func valid(r containment.Ref) error {
	switch {
	case r.Type != containment.KeyStatus:
		return fmt.Errorf("setting %q is not one that this account can read or write; it knows %q", r.Type, containment.KeyStatus)
	case r.Owner == "" || r.Name == "":
		return fmt.Errorf("a key's status needs the user and the key, not user %q and key %q", r.Owner, r.Name)
	}
	return nil
}
